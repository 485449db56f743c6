"""How sides differ: their recipes value by value, what they cost, and their numbers with intervals over seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .interval import Interval
from .marks import mixed
from .numbers import Name, Number, common, numbers_of
from .reading import Told
from .sides import Side, differing, values_of

ABSENT = object()
"""What stands for a value that a recipe does not have."""


def recipes(sides: Sequence[Side]) -> dict[str, list[Any]]:
    """The values that are not the same on all sides, by key, for each side."""
    each = [values_of(side.first) for side in sides]
    return {key: [values.get(key, ABSENT) for values in each] for key in differing(each)}


@dataclass(frozen=True)
class Spent:
    """What one run took: its steps, the samples of data it saw, its operations, and its time.

    Operations are counted by the plan, forwards and backwards, and are None where the run's mark does not tell.
    """

    steps: int
    images: int | None
    flops: int | None
    seconds: float | None
    device: str


def spent(run: Told) -> Spent:
    """What a run took so far."""
    images = flops = 0
    left = run.step
    for stage in run.mark.stages if run.mark else ():
        played = min(left, stage.steps)
        images, flops, left = images + played * stage.images, flops + played * stage.flops, left - played
    known = run.mark is not None and bool(run.mark.stages)
    seconds = run.lines[-1].get("clock", {}).get("elapsed_seconds") if run.lines else None
    device = run.mark.device_name if run.mark else ""
    return Spent(run.step, images if known else None, flops if known else None, seconds, device)


EQUAL: Mapping[str, Callable[[Spent], Any]] = {
    "steps": lambda one: one.steps,
    "images of data": lambda one: one.images,
    "operations": lambda one: one.flops,
}
"""What is to be equal where two sides are compared at equal compute."""


@dataclass(frozen=True)
class Row:
    """One number of a metric on all sides: of each its runs' by seed, and its interval; and the paired differences.

    `gaps` are those of the other sides from the first, over the seeds that both have; None where there is no such seed,
    or the two are of different protocols.
    """

    name: Name
    numbers: tuple[Mapping[int, Number], ...]
    means: tuple[Interval | None, ...]
    gaps: tuple[Interval | None, ...]

    @property
    def mixed(self) -> bool:
        """Whether its numbers are of several protocols."""
        return mixed(number for own in self.numbers for number in own.values())


def rows(sides: Sequence[Side], metrics: Sequence[str] = ()) -> Iterator[Row]:
    """Every number that was taken at the last step of all runs of some side, or those of the metrics that are named.

    Numbers that are one and the same everywhere, such as ideals, are left out, but for the first of each metric.
    """
    found = [{seed: numbers_of(run) for seed, run in side.runs.items()} for side in sides]
    names = dict.fromkeys(name for side in found for own in side.values() for name in own)
    seen: set[str] = set()
    for name in names:
        if metrics and name[0] not in metrics:
            continue
        row = _row(name, [{seed: own[name] for seed, own in side.items() if name in own} for side in found])
        values = {number.value for own in row.numbers for number in own.values()}
        if name[0] not in seen or len(values) > 1:
            yield row
        seen.add(name[0])


def _row(name: Name, there: Sequence[Mapping[int, list[Number]]]) -> Row:
    chosen = iter(common([own for side in there for own in side.values()]))
    numbers = tuple({seed: next(chosen) for seed in side} for side in there)
    means = tuple(Interval.of([one.value for one in own.values()]) if own else None for own in numbers)
    return Row(name, numbers, means, tuple(_gap(numbers[0], other) for other in numbers[1:]))


def _gap(first: Mapping[int, Number], other: Mapping[int, Number]) -> Interval | None:
    """The mean of the differences between runs of one seed."""
    shared = [seed for seed in first if seed in other]
    if not shared or mixed([*first.values(), *other.values()]):
        return None
    return Interval.of([other[seed].value - first[seed].value for seed in shared])
