"""Files that are there whole, or not at all."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import io
import json
import os
import re
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import Any

LOCKED_ALONE, LOCKED_TOGETHER = fcntl.LOCK_EX, fcntl.LOCK_SH
TEMPORARY = ".tmp"
"""How the names of what is not there yet, or not any more, end; they begin with a dot."""


def beside(path: Path) -> Path:
    """A name beside a path for what is to take its place.

    Nobody can guess it: in a folder that others can write to, they could otherwise lay a link to a file of ours there.
    """
    return path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(8)}{TEMPORARY}")


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

    Where the block raises, the temporary file is removed and `path` is left as it was. What a killed process left is
    removed by the next that writes `path`.
    """
    with _temporary(path, lambda name: os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))) as made:
        try:
            mode = stat.S_IMODE(made.stat().st_mode)
            yield made
            made.chmod(mode)
            sync(made)
            os.replace(made, path)
        except BaseException:
            made.unlink(missing_ok=True)
            raise
    sync(path.parent)


@contextmanager
def folder_beside(path: Path) -> Iterator[Path]:
    """Hand out an empty folder beside `path`, to be filled and renamed; where the block raises, it is removed.

    What a killed process left is removed by the next that makes `path`.
    """
    with _temporary(path, Path.mkdir) as made:
        try:
            yield made
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            raise


@contextmanager
def _temporary(path: Path, make: Callable[[Path], None]) -> Iterator[Path]:
    """A temporary file or folder beside `path`; it is locked, and the lock goes with the process."""
    for old in path.parent.glob(f".{escape(path.name)}.*{TEMPORARY}"):
        _remove_abandoned(old)
    while True:
        temporary = beside(path)
        make(temporary)
        with _open(temporary) as handle:
            if try_lock(handle, LOCKED_ALONE) and _is(handle, temporary):
                yield temporary
                return


def _remove_abandoned(path: Path) -> None:
    """Remove what no process has locked; where locks are not known, nothing is."""
    with suppress(OSError), _open(path) as handle:
        fcntl.flock(handle, LOCKED_ALONE | fcntl.LOCK_NB)
        shutil.rmtree(path) if path.is_dir() else path.unlink()


@contextmanager
def _open(path: Path) -> Iterator[int]:
    """A file or a folder, open to be locked."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        yield handle
    finally:
        os.close(handle)


def _is(handle: int, path: Path) -> bool:
    """Whether what is open still has this name."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def remove_folder(path: Path) -> None:
    """Remove a folder, so that under its name it is there whole or not at all."""
    hidden = path.with_name(f".{path.name}.old{TEMPORARY}")
    shutil.rmtree(hidden, ignore_errors=True)
    os.replace(path, hidden)
    shutil.rmtree(hidden)


def temporaries(folder: Path) -> list[Path]:
    """What was being written or removed in a folder, outermost, when its process was killed."""
    found = sorted(folder.rglob(f".*{TEMPORARY}"))
    return [path for path in found if not any(parent in found for parent in path.parents)]


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


class WholeFile(io.FileIO):
    """A file that takes what is written whole, or raises `OSError`: of a full disk, one that is raw takes a part."""

    def write(self, blob: Any) -> int:
        """Write all of it."""
        left = memoryview(blob)
        while left:
            if not (taken := super().write(left)):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self.name)
            left = left[taken:]
        return len(blob)


SEAL, SEAL_LINE = "sha256_of_this", "# sha256 of all above: "
"""What a JSON object, and a text whose comments begin with #, say their own hash by."""


def sealed(value: dict[str, Any]) -> dict[str, Any]:
    """A JSON object with its own hash."""
    return {**value, SEAL: _digest(value)}


def unsealed(value: dict[str, Any]) -> dict[str, Any]:
    """A JSON object without its hash. Raises `ValueError` where the hash is another."""
    value = dict(value)
    if value.pop(SEAL, None) != _digest(value):
        raise ValueError("its hash is not what it says")
    return value


def _digest(value: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def sealed_text(text: str) -> str:
    """A text with its own hash, in a comment at its end."""
    return f"{text}{SEAL_LINE}{hashlib.sha256(text.encode()).hexdigest()}\n"


def is_whole(text: str) -> bool:
    """Whether a text that was sealed is as it was then."""
    return text == sealed_text(text[: text.rfind(SEAL_LINE)])


def make_numbered(parent: Path, stem: str) -> Path:
    """Make the folder PARENT/<stem>-NNNN, with the number after all that were ever given there."""
    with folder_beside(parent / stem) as made:
        return place_numbered(made, parent, stem)


def place_numbered(made: Path, parent: Path, stem: str) -> Path:
    """Rename a folder that was made to PARENT/<stem>-NNNN, with the number after all that were ever given there."""
    while True:
        path = parent / f"{stem}-{_next_number(parent, stem):04d}"
        try:
            place(made, path)
        except FileExistsError:
            continue
        return path


def place(made: Path, path: Path) -> None:
    """Rename a folder that was made. Raises `FileExistsError` where its name is taken."""
    if path.exists():  # an empty folder would be replaced
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
    try:
        os.rename(made, path)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.ENOTDIR):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path) from error
        raise
    sync(path.parent)


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
