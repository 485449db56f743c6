"""How a case is judged: accepted, or refused with a message that says where, in bounded time and memory."""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import io
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

from agekit.cli import common, recipes
from agekit.errors import RecipeError
from agekit.plugins import Loaded, load

from .recipes import Case

Verdict = Literal["accepted", "refused"]

SECONDS = 2.0
"""Of processor time, at most, a case."""

PATIENCE = 120.0
"""Seconds after which this process ends: a loop of C hears no signal. What it was about is left where it lies."""

MEGABYTES = 200
"""At most, above what was there before, a case."""

LONGEST = 4000
"""Characters of one problem's text, at most."""


class Slow(BaseException):
    """A case took too long; no `except Exception` holds it up."""


@contextlib.contextmanager
def bounded(seconds: float = SECONDS, megabytes: float = MEGABYTES) -> Iterator[None]:
    """Meanwhile no more than so much processor time and memory is used. Raises `Slow`, or `AssertionError`."""

    def ring(*_: object) -> None:
        raise Slow(f"more than {seconds:g} s of processor time")

    before = signal.signal(signal.SIGPROF, ring)
    resident = _resident(anew=True)
    faulthandler.dump_traceback_later(PATIENCE, exit=True)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    began = time.process_time()
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGPROF, before)
    took, grown = time.process_time() - began, _resident() - resident
    assert took <= seconds, f"took {took:.1f} s of processor time"
    assert grown <= megabytes, f"needed {grown:.0f} MB"


def _resident(*, anew: bool = False) -> float:
    """The most memory that this process had in use, in MB; `anew` counts from now on."""
    if anew:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024  # type: ignore[index]


class Judge:
    """Puts cases into a folder and plans them as `agekit plan` does, all plugins loaded once."""

    def __init__(self, folder: Path, loaded: Loaded | None = None) -> None:
        self.folder = folder
        self.loaded = loaded or load()
        with _plugins(self.loaded), contextlib.redirect_stdout(io.StringIO()):
            recipes.plan(argparse.Namespace(recipe="quickstart", set=[], ranks=1))  # imports what a first plan imports

    def __call__(self, case: Case) -> Verdict:
        """What becomes of a case. Raises whatever is not to happen."""
        return "accepted" if self.refusal(case) is None else "refused"

    def refusal(self, case: Case) -> str | None:
        """What is said of a case that is refused; None where it is planned."""
        for name, blob in case.files.items():
            (self.folder / name).write_bytes(blob)
        path = self.folder / next(iter(case.files))
        with bounded(), _plugins(self.loaded), contextlib.redirect_stdout(io.StringIO()) as printed:
            try:
                recipes.plan(argparse.Namespace(recipe=str(path), set=list(case.settings), ranks=1))
            except RecipeError as error:
                check_refusal(error, case.files)
                return str(error)
        assert printed.getvalue().startswith("recipe    "), "accepted, and not planned"
        return None


@contextlib.contextmanager
def _plugins(loaded: Loaded) -> Iterator[None]:
    original: Callable[[], Any] = common.plugins
    common.plugins = lambda: loaded
    try:
        yield
    finally:
        common.plugins = original


def check_refusal(error: RecipeError, files: dict[str, bytes]) -> None:
    """Each problem says where it is, and is short and printable."""
    assert error.problems, "refused without a problem"
    for problem in error.problems:
        assert problem.where or problem.key in ("--set", "") or problem.key.startswith("--"), f"nowhere: {problem}"
        assert problem.message.strip(), f"says nothing: {problem}"
        assert str(problem).isprintable(), f"more than a line, or what cannot be printed: {problem!r}"
        assert len(str(problem)) <= LONGEST, f"{len(str(problem))} characters: {str(problem)[:200]}"
        found = re.match(r"(\d+\.toml):(\d+)\Z", problem.where)
        assert found is None or int(found[2]) <= files[found[1]].count(b"\n") + 1, f"no such line: {problem}"
