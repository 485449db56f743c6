"""Folders that are there whole, or not at all."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from agekit.files import sync


def make_once(folder: Path, fill: Callable[[Path], None]) -> None:
    """Make a folder, whole or not at all, however many processes try at the same time.

    `fill` writes files into a temporary folder beside it, which is then synced and renamed. Whoever comes meanwhile
    waits and finds the folder made; what a killed process left is removed. Where the folder exists, nothing is done.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f".{folder.name}.tmp")
    with _locked(folder.with_name(f".{folder.name}.lock")):
        if temporary.exists():
            shutil.rmtree(temporary)
        if folder.exists():
            return
        temporary.mkdir()
        try:
            fill(temporary)
            for path in (*temporary.iterdir(), temporary):
                sync(path)
            temporary.rename(folder)
            sync(folder.parent)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Wait until no other process holds this lock, then hold it; it goes with the process, even if that is killed."""
    handle = os.open(path, os.O_CREAT | os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
