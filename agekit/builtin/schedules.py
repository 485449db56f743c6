"""Schedules: numbers that follow the progress of a stage."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

from agekit.contracts import Known, Progress, Schedule, option

OVER = "steps it takes; by default the whole stage"


class Constant(Schedule):
    """One value throughout."""

    value: float = option(help="the value")

    @classmethod
    def known(cls) -> Iterator[Known]:
        yield Known(cls(value=0.25), (Progress(3, 10, 1),), 0.25)

    def __call__(self, progress: Progress) -> float:  # noqa: ARG002 - that it does not matter is the point
        return self.value


class Linear(Schedule):
    """A straight line from one value to another, which is kept from then on.

    start + (end − start) min(1, step / over): `start` at step 0, `end` from step `over` on.
    """

    start: float = option(help="the value at step 0")
    end: float = option(help="the value from step `over` on")
    over: int | None = option(None, help=OVER, unit="steps", ge=1)

    @classmethod
    def known(cls) -> Iterator[Known]:
        yield Known(cls(start=1.0, end=3.0), (Progress(5, 10, 1),), 2.0)

    def __call__(self, progress: Progress) -> float:
        return self.start + (self.end - self.start) * fraction(progress, self.over)


class Cosine(Schedule):
    """Half a cosine wave from one value to another, which is kept from then on.

    end + (start − end) (1 + cos(π min(1, step / over))) / 2.

    Source: Loshchilov and Hutter 2017, equation 5, without restarts.
    """

    start: float = option(help="the value at step 0")
    end: float = option(0.0, help="the value from step `over` on")
    over: int | None = option(None, help=OVER, unit="steps", ge=1)

    @classmethod
    def known(cls) -> Iterator[Known]:
        yield Known(cls(start=1.0, end=3.0), (Progress(5, 20, 1),), 2 - math.sqrt(0.5))

    def __call__(self, progress: Progress) -> float:
        wave = (1 + math.cos(math.pi * fraction(progress, self.over))) / 2
        return self.end + (self.start - self.end) * wave


class Steps(Schedule):
    """A value that is multiplied by a factor again and again.

    value · factor^k with k = 0 before `first`, then k = 1 + ⌊(now − first) / every⌋, counted in epochs or steps from 0.
    The released AGE code halves at epoch index every − 1: `value = 2e-4, factor = 0.5, every = 5, first = 4`.
    """

    value: float = option(help="the value at first")
    factor: float = option(0.5, help="what it is multiplied by")
    every: int = option(help="how long it stays the same", ge=1)
    first: int | None = option(None, help="when it is multiplied first, counted from 0; by default at `every`", ge=0)
    unit: Literal["epochs", "steps"] = option("epochs", help="what `every` and `first` count")

    @classmethod
    def known(cls) -> Iterator[Known]:
        yield Known(cls(value=8.0, every=5, first=4), (Progress(18, 40, 2),), 2.0)

    def __call__(self, progress: Progress) -> float:
        now = progress.epoch if self.unit == "epochs" else progress.step
        first = self.every if self.first is None else self.first
        times = 1 + (now - first) // self.every if now >= first else 0
        return float(self.value * self.factor**times)


def fraction(progress: Progress, over: int | None) -> float:
    """How much of the way is done: 0 at step 0, 1 from step `over`, or the stage's end, on."""
    return min(1.0, progress.step / (progress.steps if over is None else over))
