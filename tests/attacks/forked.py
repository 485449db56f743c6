"""Cases in children of a process that has imported everything: each takes a fraction of a second."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass

PATIENCE_SECONDS = 300.0
"""A child that takes longer hangs."""


@dataclass(frozen=True)
class Ended:
    """How a child ended: its exit status, or minus the signal that killed it, and what it printed."""

    status: int
    said: str

    @property
    def killed(self) -> bool:
        return self.status == -signal.SIGKILL

    @property
    def clear(self) -> bool:
        """Whether it failed as a user may be told: by one message, and no traceback."""
        told = [line for line in self.said.splitlines() if line.startswith("error: ")]
        return self.status == 1 and len(told) == 1 and "Traceback" not in self.said


def forked(
    work: Callable[[], object],
    meanwhile: Callable[[int], None] | None = None,
    patience_seconds: float = PATIENCE_SECONDS,
) -> Ended:
    """Do some work in a child of its own; `meanwhile` is told its id. What the work returns is the child's status."""
    with tempfile.TemporaryFile() as said:
        sys.stdout.flush()
        sys.stderr.flush()
        child = os.fork()
        if not child:
            _be_child(work, said.fileno())
        if meanwhile:
            meanwhile(child)
        status = _waited(child, patience_seconds)
        said.seek(0)
        return Ended(status, said.read().decode(errors="replace"))


def _be_child(work: Callable[[], object], said: int) -> None:
    """Work, and never come back."""
    status = 99
    try:
        os.dup2(said, 1)
        os.dup2(said, 2)
        result = work()
        status = result if isinstance(result, int) else 0
    except BaseException:  # noqa: BLE001 - whatever it is, it is told
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _waited(child: int, patience_seconds: float) -> int:
    until = time.monotonic() + patience_seconds
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise TimeoutError(f"a child hung for {patience_seconds:.0f} s")
