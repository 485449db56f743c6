"""A lock that says who holds it."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from .errors import RunError
from .files import LOCKED_TOGETHER, WholeFile, try_lock

ATTEMPTS, PAUSE_SECONDS = 20, 0.05
"""How often a lock is asked for: whoever only looks whether it is held has it for an instant."""


class Lock:
    """A file that one process at a time holds, until it lets go or ends, however it does; in it stands who holds it.

    Raises `RunError`, with the process, its machine, and for how long, where another holds it.
    """

    def __init__(self, path: Path, what: str) -> None:
        self._path, self._stream = path, WholeFile(path, "a+")
        for again in range(ATTEMPTS):
            if self._taken():
                break
            if again + 1 == ATTEMPTS:
                said = _said(path)
                self._stream.close()
                raise RunError(f"{what} by {said}; {path} is its lock")
            time.sleep(PAUSE_SECONDS)
        holder = {"process": os.getpid(), "host": socket.gethostname(), "since": datetime.now(UTC).isoformat()}
        self._stream.truncate(0)
        self._stream.write(json.dumps(holder).encode())

    def _taken(self) -> bool:
        """Take it, where nobody has it; where the file system knows no locks, it is asked whether its holder lives."""
        try:
            fcntl.flock(self._stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return not _alive(_holder(self._path))
        return True

    def release(self) -> None:
        """Let go of it."""
        if not self._stream.closed:
            self._stream.truncate(0)
            self._stream.close()


def held(path: Path) -> bool:
    """Whether some process holds this lock just now."""
    try:
        with path.open("rb") as stream:
            return not try_lock(stream.fileno(), LOCKED_TOGETHER)
    except OSError:
        return False


def _holder(path: Path) -> dict[str, Any]:
    """What stands in a lock: nothing where nobody holds it, or where it is just being taken."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _alive(holder: dict[str, Any]) -> bool:
    """Whether a holder may still be at it: a process of this machine is looked for, another machine's is believed."""
    if holder.get("host") != socket.gethostname():
        return bool(holder)
    try:
        os.kill(int(holder["process"]), 0)
    except (ProcessLookupError, KeyError, ValueError):
        return False
    except PermissionError:
        return True
    return int(holder["process"]) != os.getpid()


def _said(path: Path) -> str:
    """Who holds a lock, and for how long, in words."""
    holder = _holder(path)
    try:
        passed = datetime.now(UTC) - datetime.fromisoformat(holder["since"])
        since = timedelta(seconds=max(0, round(passed.total_seconds())))
        return f"process {holder['process']} on {holder['host']}, for {since} (h:mm:ss)"
    except (KeyError, TypeError, ValueError):
        return "another process"
