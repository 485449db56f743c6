"""Files by name, wherever they lie: in a folder or in an archive, which is never unpacked to disk."""

from __future__ import annotations

import gzip
import lzma
import os
import struct
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from agekit.errors import DataError

MEMBER_LIMIT_BYTES = 2**28
"""A file, or a member of an archive, that is larger is not read, nor what unpacks to more."""

MEMBER_LIMIT = 10_000
"""Members of a tar archive: those that are read have a dozen, and each one takes memory."""

DEEPEST = 100
"""Folders in folders."""

_DAMAGE = (OSError, EOFError, zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile)
_BROKEN = (*_DAMAGE, ValueError, ArithmeticError, LookupError, RuntimeError, struct.error)
"""What reading an archive raises where nobody tells it that the archive is damaged; an encrypted one is among it."""


class Files(Protocol):
    """Files by name. It is pickled into worker processes, so it holds a path and no open file."""

    path: Path

    def stamps(self) -> dict[str, str]:
        """Every file's name, in order, with a text that changes when the file does; hidden files are left out."""

    def read(self, name: str) -> bytes:
        """The contents of one file. Raises `DataError` where it cannot be read."""


class Folder:
    """The files of a folder and of all folders below; names are relative, with forward slashes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamps: dict[str, str] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_stamps": None}

    def stamps(self) -> dict[str, str]:
        if self._stamps is None:
            try:
                self._stamps = dict(sorted(_walk(self.path, "", frozenset())))
            except OSError as error:
                raise DataError(f"{error.filename or self.path} cannot be read: {error.strerror}") from error
        return self._stamps

    def read(self, name: str) -> bytes:
        return read_file(self.path / name)


class Zip:
    """The files of a zip archive."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._opened: zipfile.ZipFile | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_opened": None}

    def stamps(self) -> dict[str, str]:
        members = [one for one in self._archive().infolist() if not (one.is_dir() or _hidden(one.filename))]
        found = dict(sorted((one.filename, f"{one.file_size} {one.CRC:08x}") for one in members))
        if len(found) < len(members):
            ((name, count),) = Counter(one.filename for one in members).most_common(1)
            raise DataError(f"{self.path} is damaged: it contains {name} {count} times, and one of them would be taken")
        return found

    def read(self, name: str) -> bytes:
        archive = self._archive()
        try:
            if archive.getinfo(name).file_size > MEMBER_LIMIT_BYTES:
                raise DataError(f"{self.path}: {name} is larger than {MEMBER_LIMIT_BYTES} bytes")
            return archive.read(name)
        except KeyError:
            raise DataError(f"{self.path} does not contain {name}") from None
        except DataError:
            raise
        except _BROKEN as error:
            raise DataError(f"{self.path}: {name} cannot be read: {error}") from error

    def _archive(self) -> zipfile.ZipFile:
        if self._opened is None:
            try:
                self._opened = zipfile.ZipFile(self.path)
            except _BROKEN as error:
                raise DataError(f"{self.path} is damaged, or no zip archive: {error}") from error
        return self._opened


def read_file(path: Path) -> bytes:
    """Read a file, unpacked where its name ends in `.gz`. Raises `DataError`, naming it, where it is damaged."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            blob: bytes = file.read(MEMBER_LIMIT_BYTES + 1)
    except _DAMAGE as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise DataError(f"{path} cannot be read: {reason}") from error
    if len(blob) > MEMBER_LIMIT_BYTES:
        raise DataError(f"{path} is larger than {MEMBER_LIMIT_BYTES} bytes")
    return blob


def read_tar(path: Path, names: Collection[str]) -> dict[str, bytes]:
    """Read the named members of a tar archive, compressed or not, in one pass.

    Raises `DataError`, naming the archive, where it is damaged or lacks one of them.
    """
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(path) as archive:
            for number, member in enumerate(archive):
                if number == MEMBER_LIMIT:
                    raise DataError(f"{path} has more than {MEMBER_LIMIT:,} members, which no such archive has")
                stream = archive.extractfile(member) if member.isreg() and member.name in names else None
                if stream is not None and member.size > MEMBER_LIMIT_BYTES:
                    raise DataError(f"{path}: {member.name} is larger than {MEMBER_LIMIT_BYTES} bytes")
                if stream is not None:
                    found[member.name] = stream.read(MEMBER_LIMIT_BYTES)
    except _BROKEN as error:
        raise DataError(f"{path} is damaged, or no tar archive: {error}") from error
    if absent := sorted(set(names) - found.keys()):
        raise DataError(f"{path} is damaged, or another archive: it does not contain {absent[0]}")
    return found


def _walk(folder: Path, prefix: str, above: frozenset[tuple[int, int]]) -> Iterator[tuple[str, str]]:
    """Find all files, through linked folders too, but not through a link that leads back up."""
    stat = folder.stat()
    here = (stat.st_dev, stat.st_ino)
    if here in above:
        return
    if len(above) > DEEPEST:
        raise DataError(f"{folder}: more than {DEEPEST} folders in each other")
    with os.scandir(folder) as entries:
        found = list(entries)
    for entry in found:
        if _hidden(entry.name):
            continue
        if not folder.joinpath(entry.name).exists():  # a link to nothing, or in a circle
            continue
        if entry.is_dir():
            yield from _walk(folder / entry.name, f"{prefix}{entry.name}/", above | {here})
        elif entry.is_file():
            yield prefix + entry.name, f"{entry.stat().st_size} {entry.stat().st_mtime_ns}"


def _hidden(name: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)
