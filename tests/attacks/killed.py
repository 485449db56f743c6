"""Runs that are killed at every operation on files, at lines and at moments that are drawn, and go on as before."""

from __future__ import annotations

import ast
import hashlib
import itertools
import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import trained
from .forked import Ended, forked
from .points import FileOperations, Lines
from .tally import Attack, Tally


@dataclass
class Ground:
    """Where cases are tried, a folder for each with a cache of its own, and what is to come of each."""

    scratch: Path
    wanted: Mapping[str, Any] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @classmethod
    def prepared(cls, scratch: Path) -> Ground:
        """A ground on which the run has been played once to its end, with nothing in its way."""
        ground = cls(scratch)
        folder = ground.fresh()
        ground.sure(folder)
        ground.wanted = trained.snapshot(folder)
        return ground

    def fresh(self) -> Path:
        """A folder for a case."""
        return self.scratch / f"case-{next(self._numbers):05d}"

    def go(
        self,
        folder: Path,
        watch: Callable[[], None] | None = None,
        meanwhile: Callable[[int], None] | None = None,
        more: Sequence[str] = (),
    ) -> Ended:
        """Begin the run there, or go on with it, in a child that may be watched, and killed."""

        def work() -> int:
            trained.settle(folder, folder / "cache")
            if watch:
                watch()
            return trained.train(*more)

        return forked(work, meanwhile)

    def sure(self, folder: Path, watch: Callable[[], None] | None = None) -> None:
        """Play the run, which has to come to its end."""
        ended = self.go(folder, watch)
        if ended.status:
            raise RuntimeError(f"the run does not come to its end by itself:\n{ended.said}")

    def problem(self, folder: Path, ended: Ended) -> str:
        """What is wrong with a run that should have come to its end; empty where nothing is."""
        over = f"step {trained.STEPS}, where it is to end, is reached" in ended.said
        if ended.status and not over:
            return ended.said
        return trained.difference(trained.snapshot(folder), self.wanted)

    def judge(self, attack: Attack, folder: Path, about: str, count: int = 1) -> None:
        """Go on with a run that was killed so many times, and count what came of it."""
        ended = self.go(folder)
        problem = self.problem(folder, ended)
        for _ in range(count):
            attack.count(recovered=not problem, about=f"{about} ({folder}): {problem}")
        if not problem:
            shutil.rmtree(folder)


def at_file_operations(tally: Tally, ground: Ground, every: int = 1) -> None:
    """Go on from what is on the disk before each operation on files, or before every so manieth, of one run.

    That is what would be found had the process been killed there: a copy is as good, and comes to the same for less.
    """
    states = _states(ground)[::every]
    with tally.attack("a run killed at each operation on files, and amid each append") as attack:
        for number, (folder, event) in enumerate(states):
            ground.judge(attack, folder, f"state {number}, before {event}")


def _states(ground: Ground) -> list[tuple[Path, str]]:
    """All that is ever on the disk while the run is played, each state once, with what was about to be done."""
    states = ground.fresh()
    folder, kept, seen = ground.fresh(), states / "kept.txt", set[bytes]()
    states.mkdir()
    copies: list[tuple[str, str]] = []

    def meet(event: str) -> None:
        if (found := _hash(folder)) not in seen:
            seen.add(found)
            copy = states / f"{len(copies):05d}"
            shutil.copytree(folder, copy)
            copies.append((str(copy), event))
            kept.write_text(repr(copies), encoding="utf-8")

    ground.sure(folder, FileOperations(meet).watch)
    shutil.rmtree(folder)
    return [(Path(copy), event) for copy, event in ast.literal_eval(kept.read_text(encoding="utf-8"))]


def _hash(folder: Path) -> bytes:
    """A hash of all that is in a folder."""
    whole = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        whole.update(f"{path.relative_to(folder)}\0{path.is_dir()}\0".encode())
        whole.update(path.read_bytes() if path.is_file() else b"")
    return whole.digest()


def at_lines(tally: Tally, ground: Ground, kills: int, chain: int = 5, seed: int = 0) -> None:
    """Kill the run before lines of its code that are drawn, as many in each phase, and what goes on with it, too."""
    lines = _lines(ground)
    phases = sorted(phase for phase in lines if phase != "elsewhere")
    draw, turns = random.Random(seed), itertools.cycle(phases)
    with tally.attack(f"a run killed by SIGKILL at random lines, in {len(phases)} phases, again and again") as attack:
        while attack.tried < kills:
            folder, points = ground.fresh(), list[str]()
            for _ in range(chain):
                phase = next(turns)
                line = draw.randrange(lines[phase])
                if not ground.go(folder, Lines((phase, line)).watch).killed:
                    break  # there are fewer lines to go through the second time
                points.append(f"line {line} of {lines[phase]} {phase}")
            if points:
                ground.judge(attack, folder, f"before {', then '.join(points)}", count=len(points))


def _lines(ground: Ground) -> Mapping[str, int]:
    """How many lines of agekit's code the run goes through, by phase."""
    folder, lines = ground.fresh(), Lines()
    told = folder.with_suffix(".txt")

    def work() -> int:
        trained.settle(folder, folder / "cache")
        lines.watch()
        status = trained.train()
        told.write_text(repr(dict(lines.seen)), encoding="utf-8")
        return status

    if (ended := forked(work)).status:
        raise RuntimeError(ended.said)
    found: Mapping[str, int] = ast.literal_eval(told.read_text(encoding="utf-8"))
    return found


def at_moments(tally: Tally, ground: Ground, cases: int, seed: int = 0) -> None:
    """Kill the run at moments that are drawn, and what goes on with it, too: once, twice, three times."""
    began = time.monotonic()
    ground.sure(ground.fresh())
    whole, draw = time.monotonic() - began, random.Random(seed)

    def after(seconds: float) -> Callable[[int], None]:
        def wait_and_kill(child: int) -> None:
            time.sleep(seconds)
            os.kill(child, signal.SIGKILL)

        return wait_and_kill

    with tally.attack("a run killed by SIGKILL at random moments, up to three times") as attack:
        for number in range(cases):
            folder, times = ground.fresh(), 1 + number % 3
            for _ in range(times):
                ground.go(folder, meanwhile=after(draw.random() * whole))
            ground.judge(attack, folder, f"{times} times")
