"""Files that are there whole, or not at all."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

LOCKED_ALONE, LOCKED_TOGETHER = fcntl.LOCK_EX, fcntl.LOCK_SH


def beside(path: Path) -> Path:
    """A name beside a path for what is to take its place.

    Nobody can guess it: in a folder that others can write to, they could otherwise lay a link to a file of ours there.
    """
    return path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(8)}.tmp")


@contextmanager
def permitted(path: Path) -> Iterator[None]:
    """Make an empty file that others may read as the user has it; a library that writes it may think otherwise."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    mode = stat.S_IMODE(path.stat().st_mode)
    yield
    path.chmod(mode)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Hand out a temporary name beside `path`; on leaving, sync what was written there and rename it to `path`.

    Where the block raises, the temporary file is removed and `path` is left as it was.
    """
    temporary = beside(path)
    try:
        with permitted(temporary):
            yield temporary
        sync(temporary)
        os.replace(temporary, path)
        sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Wait until a file's contents, or a folder's entries, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def try_lock(handle: int, how: int) -> bool:
    """Lock a file that is open until it is closed, or its process ends; False where others have it locked.

    Where the file system knows no locks, everyone has one.
    """
    try:
        fcntl.flock(handle, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Meanwhile, this process alone is here: a file is locked, after waiting for whoever has it locked.

    Where the file system knows no locks, nobody waits.
    """
    with path.open("ab") as stream:
        with suppress(OSError):
            fcntl.flock(stream.fileno(), fcntl.LOCK_EX)
        yield


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's contents, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_text(path: Path, text: str) -> None:
    """Write a text file whole (UTF-8)."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file whole, readable by people."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # a file's name that is no text
        text = json.dumps(value, indent=2)
    write_text(path, text + "\n")


def read_json(path: Path) -> Any:
    """What a JSON file holds. Raises `OSError`, or `ValueError` where it is no JSON."""
    return parse_json(path.read_text(encoding="utf-8"))


def parse_json(text: str | bytes) -> Any:
    """What a JSON text holds. Raises `ValueError` where it is none, or is nested more deeply than anything of ours."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def make_numbered(parent: Path, stem: str) -> Path:
    """Make the folder PARENT/<stem>-NNNN, with the number after all that were ever given there."""
    while True:
        path = parent / f"{stem}-{_next_number(parent, stem):04d}"
        try:
            path.mkdir()
        except FileExistsError:
            continue
        return path


def _next_number(parent: Path, stem: str) -> int:
    """The number after those of the folders that are there, and the one noted as the last."""
    noted = parent / f".{stem}.last"
    names = [entry.name for entry in parent.iterdir()]
    used = [int(match[1]) for name in names if (match := re.match(rf"{re.escape(stem)}-(\d+)\Z", name))]
    if noted.is_file() and (text := noted.read_text(encoding="utf-8").strip()).isdigit():
        used.append(int(text))
    number = max(used, default=0) + 1
    write_text(noted, f"{number}\n")
    return number
