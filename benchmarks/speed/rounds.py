"""Contenders that take their steps in turn, and what comes of it."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .worker import Meter, Setup

HOUSE = Path(__file__).parent.parent.parent
LEAST_ROUNDS = 5


class Worker:
    """A contender in its process."""

    def __init__(self, setup: Setup) -> None:
        command = [sys.executable, "-m", "benchmarks.speed.worker"]
        self.process = subprocess.Popen(  # noqa: S603 - this very code
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HOUSE
        )
        self._say(setup.line())

    def ready(self) -> None:
        """Wait until it is built."""
        self._answer()

    def take(self, steps: int) -> dict[str, float]:
        """Let it take steps: the seconds of each, as they pass and on the CPU."""
        self._say(json.dumps(steps))
        return self._answer()

    def memory(self) -> dict[str, float]:
        """The most memory it has had, in MB."""
        self._say(json.dumps("memory"))
        return self._answer()

    def end(self) -> None:
        """End its process."""
        self.process.kill()
        self.process.communicate()

    def _say(self, line: str) -> None:
        assert self.process.stdin  # noqa: S101 - a pipe, as asked for
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def _answer(self) -> dict[str, float]:
        assert self.process.stdout  # noqa: S101 - a pipe, as asked for
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"a contender ended with status {self.process.wait()}; what it said is above")
        answer: dict[str, float] = json.loads(line)
        return answer


@contextmanager
def workers(setups: Mapping[str, Setup], *, apart: bool = True) -> Iterator[dict[str, Worker | Meter]]:
    """The contenders, built one after another, in processes of their own or all in this one; ended when done with."""
    with ExitStack() as stack:
        found: dict[str, Worker | Meter] = {}
        for name, setup in setups.items():
            if apart:
                worker = found[name] = Worker(setup)
                stack.callback(worker.end)
                worker.ready()
            else:
                found[name] = Meter(setup)
        yield found


@dataclass(frozen=True)
class Series:
    """What was measured of one contender, round by round."""

    seconds: tuple[float, ...]
    cpu_seconds: tuple[float, ...]


def alternate(
    found: Mapping[str, Worker | Meter], *, steps: int, budget_seconds: float, warm_up: int
) -> dict[str, Series]:
    """Let everyone take steps in turn until the time is up, five rounds at least."""
    for worker in found.values():
        worker.take(warm_up)
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in found}
    end = time.monotonic() + budget_seconds
    done = 0
    while done < LEAST_ROUNDS or time.monotonic() < end:
        for name, worker in found.items():
            taken[name].append(worker.take(steps))
        done += 1
    return {
        name: Series(tuple(one["seconds"] for one in all_), tuple(one["cpu_seconds"] for one in all_))
        for name, all_ in taken.items()
    }


def ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """Round by round, so that what slows a whole round down is in both."""
    return [a / b for a, b in zip(above, below, strict=True)]


def median(numbers: Sequence[float], shown: str = ".3g") -> str:
    """The median, written."""
    return f"{statistics.median(numbers):{shown}}"


def as_json(series: Mapping[str, Series]) -> dict[str, Any]:
    """What was measured, for a file."""
    return {name: {"seconds": one.seconds, "cpu_seconds": one.cpu_seconds} for name, one in series.items()}
