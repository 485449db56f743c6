"""Instants at which a process can be killed: before each operation on files, and before each line of agekit's code."""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import agekit
from agekit.files import WholeFile

HOUSE = str(Path(agekit.__file__).parent)

PHASES = {
    "data/prepare.py:prepare": "preparing data",
    "train/folder.py:create": "making the folder",
    "train/run.py:_opened": "opening the folder",
    "game/game.py:step": "in a step",
    "game/game.py:enter": "between stages",
    "train/watch.py:judge": "evaluating",
    "train/watch.py:pull": "measuring gradients",
    "train/watch.py:log": "writing metrics",
    "train/watch.py:look": "writing pictures",
    "train/checkpoint.py:save": "writing a checkpoint",
    "train/best.py:keep_best": "keeping the best",
    "files.py:remove_folder": "rotating old checkpoints",
    "train/dashboard.py:summary": "at the end",
}
"""The functions in which a run is in a phase, the innermost counting."""
FIRST = "first batch"
"""The phase of the first step."""

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "os.symlink"}


def kill() -> None:
    """End this process as the machine's end would: at once."""
    os.kill(os.getpid(), signal.SIGKILL)


class FileOperations:
    """Meets every operation that changes a file before it is done, and every line that is appended half done.

    What is met is as it would be found had the process been killed there. A hook cannot be taken off again: this is for
    children.
    """

    def __init__(self, meet: Callable[[str], None]) -> None:
        self._meeting, self._hears = meet, True

    def watch(self) -> None:
        """Begin."""
        sys.addaudithook(self._hear)
        write = WholeFile.write

        def in_two(stream: WholeFile, blob: Any) -> int:
            half = len(blob) // 2
            write(stream, blob[:half])
            self._meet(f"half of a write to {Path(stream.name).name[:20]}")
            return half + write(stream, blob[half:])

        WholeFile.write = in_two  # type: ignore[method-assign, assignment]

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if not isinstance(path, str | bytes | os.PathLike) or not (isinstance(flags, int) and flags & WRITING):
                return
            if os.fsdecode(path).startswith(("/dev/null", "/proc/")) or os.fsdecode(path).endswith(".pyc"):
                return
        elif event not in CHANGES:
            return
        self._meet(event)

    def _meet(self, event: str) -> None:
        if self._hears:
            self._hears = False  # what is done about it changes files, too
            try:
                self._meeting(event)
            finally:
                self._hears = True


class Lines:
    """Counts the lines of agekit's code that are run, by phase; or kills this process before one of them."""

    def __init__(self, kill_before: tuple[str, int] | None = None) -> None:
        self.kill_before = kill_before
        self.seen: Counter[str] = Counter()
        self._phases = ["elsewhere"]
        self._known: dict[CodeType, str | None] = {}
        self._stepped = False

    def watch(self) -> None:
        """Begin."""
        sys.settrace(self._call)

    def _call(self, frame: FrameType, event: str, argument: Any) -> Callable[..., Any] | None:
        phase = self._phase(frame.f_code)
        if phase is None:
            return None
        if phase == "in a step" and not self._stepped:
            phase, self._stepped = FIRST, True
        if phase:
            self._phases.append(phase)
            return self._line_of_phase
        wanted = self.kill_before is None or self.kill_before[0] == self._phases[-1]
        return self._line if wanted else None  # tracing what does not count would only take time

    def _phase(self, code: CodeType) -> str | None:
        """The phase that a function begins; empty where it begins none, None where it is not agekit's."""
        if code not in self._known:
            inside = code.co_filename.startswith(HOUSE)
            name = f"{code.co_filename[len(HOUSE) + 1 :]}:{code.co_name}"
            self._known[code] = PHASES.get(name, "") if inside else None
        return self._known[code]

    def _line(self, frame: FrameType, event: str, argument: Any) -> Callable[..., Any]:
        if event == "line":
            phase = self._phases[-1]
            if self.kill_before == (phase, self.seen[phase]):
                kill()
            self.seen[phase] += 1
        return self._line

    def _line_of_phase(self, frame: FrameType, event: str, argument: Any) -> Callable[..., Any]:
        self._line(frame, event, argument)
        if event == "return":
            self._phases.pop()
        return self._line_of_phase


class Refusals:
    """From one operation on files on, refuses all that follow, as a disk does that is full, or has gone."""

    def __init__(self, begins: int, number: int) -> None:
        self._left, self._number = begins, number

    def watch(self) -> None:
        """Begin."""
        operations = FileOperations(self._meet)
        operations.watch()

    def _meet(self, event: str) -> None:
        self._left -= 1
        if self._left < 0:
            raise OSError(self._number, os.strerror(self._number))
