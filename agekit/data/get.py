"""Fetching a data set's files, on an explicit word only: shown, resumed, verified."""

from __future__ import annotations

import hashlib
import http.client
import os
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import IO, Any, BinaryIO
from urllib.parse import urlsplit

from agekit.contracts import Dataset, Download
from agekit.errors import DataError
from agekit.files import sync

Report = Callable[[str, int, int], None]

TIMEOUT_SECONDS = 30
_BLOCK_BYTES = 1 << 20


def get(
    name: str,
    dataset: type[Dataset],
    destination: Path,
    *,
    confirm: Callable[[str], bool],
    progress: Report | None = None,
) -> list[Path]:
    """Fetch the files of a data set into a folder, and return their paths.

    `confirm` is shown the licence, the homepage and what would be fetched; where it declines, nothing is fetched and
    the list is empty. `progress` is told the file's name, its bytes so far, and all its bytes. A file that is there is
    verified again and kept; what is left of an interrupted fetch is carried on. Raises `DataError` where there is
    nothing to fetch by machine, where the server fails, or where a file is not the published one.
    """
    if not dataset.downloads:
        raise DataError(_nothing(name, dataset, destination))
    if not confirm(_offer(name, dataset, destination)):
        return []
    try:
        destination.mkdir(parents=True, exist_ok=True)
        return [_fetch(download, destination, progress or _silently) for download in dataset.downloads]
    except OSError as error:
        raise DataError(f"{name} cannot be written to {destination}: {error}") from error


def _offer(name: str, dataset: type[Dataset], destination: Path) -> str:
    files = "".join(f"\n  {download.url} ({download.bytes / 1e6:.1f} MB)" for download in dataset.downloads)
    return f"{name}: {dataset.licence}\nhomepage: {dataset.homepage}\nfiles, to {destination}:{files}"


def _nothing(name: str, dataset: type[Dataset], destination: Path) -> str:
    if not dataset.homepage:
        return f"{name} is not published anywhere: put your own files into {destination}"
    by_hand = getattr(dataset, "by_hand", "")
    how = f"{dataset.homepage} ({by_hand})" if by_hand else dataset.homepage
    return f"{name} cannot be fetched automatically ({dataset.licence}); fetch it by hand from {how} into {destination}"


def _fetch(download: Download, destination: Path, progress: Report) -> Path:
    """Fetch one file, unless it is there."""
    final = destination / download.file
    if final.exists():
        if not _is_published(final, download):
            raise DataError(f"{final} is there, but is not the published file; move it away to fetch that")
        return final
    # The part outlives an interruption on purpose, and takes the file's name only when it is whole and verified.
    part = final.with_name(final.name + ".part")
    if not part.exists() or part.stat().st_size != download.bytes:
        _receive(download, part, progress)
    if not _is_published(part, download):
        part.unlink()
        raise DataError(f"{download.url} is not the published file: its size or its hash differs; nothing was kept")
    sync(part)
    os.replace(part, final)
    sync(destination)
    return final


def _receive(download: Download, part: Path, progress: Report) -> None:
    """Ask for the bytes that are not there yet, and append them; start anew where the server sends all."""
    have = part.stat().st_size if part.exists() else 0
    have = have if have < download.bytes else 0
    try:
        with _opened(download.url, have) as answer:
            have = have if answer.status == http.HTTPStatus.PARTIAL_CONTENT else 0
            with part.open("ab" if have else "wb") as file:
                _copy(answer, file, have, download, progress)
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            part.unlink(missing_ok=True)  # else every further try would ask for the same
        with error:
            raise DataError(f"{download.url}: the server answers {error.code} {error.reason}") from error
    except (urllib.error.URLError, http.client.HTTPException, ssl.SSLError, TimeoutError, ConnectionError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise DataError(f"{download.url} cannot be fetched: {reason}; the same command carries on") from error
    received = part.stat().st_size
    if received < download.bytes:
        raise DataError(
            f"{download.url} broke off at {received} of {download.bytes} bytes; the same command carries on"
        )


def _copy(answer: IO[bytes], file: BinaryIO, have: int, download: Download, progress: Report) -> None:
    # A server that sends more than was announced is not read to its end.
    while have <= download.bytes and (block := answer.read(_BLOCK_BYTES)):
        file.write(block)
        have += len(block)
        progress(download.file, min(have, download.bytes), download.bytes)


def _is_published(path: Path, download: Download) -> bool:
    if path.stat().st_size != download.bytes:
        return False
    algorithm, wanted = ("sha256", download.sha256) if download.sha256 else ("md5", download.md5)
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest() == wanted


def _opened(url: str, start: int) -> Any:
    headers = {"User-Agent": "agekit"} | ({"Range": f"bytes={start}-"} if start else {})
    _refuse_plain(url)
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - the line above sees to the scheme
    return urllib.request.build_opener(_OnlySecurely).open(request, timeout=TIMEOUT_SECONDS)


class _OnlySecurely(urllib.request.HTTPRedirectHandler):
    """Follows redirections, but not out of https."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if urlsplit(req.full_url).scheme == "https" and urlsplit(newurl).scheme != "https":
            raise DataError(f"{req.full_url} leads to {newurl}, which is not fetched: only https is")
        _refuse_plain(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _refuse_plain(url: str) -> None:
    """Raise `DataError` unless the address is https, or http on this very machine."""
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname or "")):
        return
    raise DataError(f"{url} is not fetched: only https is")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _silently(file: str, done: int, total: int) -> None:
    pass
