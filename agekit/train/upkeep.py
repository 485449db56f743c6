"""A run's folder while it is written to: by one process at a time, and what the disk refuses is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import RunError
from ..lock import Lock
from . import checkpoint as saved
from .folder import RunFolder


@contextmanager
def alone(folder: RunFolder) -> Iterator[Lock]:
    """A run's lock, let go where the block raises. Raises `RunError` where another process has it."""
    lock = Lock(folder.lock, f"{folder.path} is being trained")
    try:
        yield lock
    except BaseException:
        lock.release()
        raise


@contextmanager
def writing(folder: RunFolder) -> Iterator[None]:
    """Meanwhile, what the disk refuses is a `RunError`, and so is that the folder has gone."""
    try:
        yield
    except (OSError, RunError) as error:
        if not folder.path.is_dir():
            raise RunError(f"{folder.path} is gone, while it was being trained") from error
        if isinstance(error, RunError):
            raise
        said = f"{error.filename or folder.path} cannot be written: {error.strerror or error}"
        raise RunError(f"{said}; {standing(folder)}") from error


def standing(folder: RunFolder) -> str:
    """What there is to go on from."""
    there = saved.checkpoints(folder.checkpoints)
    return f"the last checkpoint, {there[-1].path.name}, stands" if there else "no checkpoint was written before"
