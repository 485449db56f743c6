"""What is compared: sides, each a run or several runs of one recipe that differ in their seeds alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import RunError, nearest
from ..train.folder import RunFolder
from .reading import Told, runs_in, told

WILD = frozenset("*?[")


@dataclass(frozen=True)
class Side:
    """Runs of one recipe, by their seeds; `left_out` says which do not stand where the others do."""

    name: str
    runs: Mapping[int, Told]
    left_out: tuple[str, ...] = ()

    @property
    def first(self) -> Told:
        """The run of the first seed."""
        return next(iter(self.runs.values()))


def sides_of(given: Sequence[str]) -> list[Side]:
    """The sides that are meant: one by each argument; but single runs of one recipe, of several seeds, are one side.

    An argument is a run's folder, a folder with runs of one recipe, a pattern, or how the names of such runs begin.
    Raises `RunError` where there is nothing of that kind, or runs do not belong together.
    """
    groups: list[tuple[str, list[Told]]] = []
    for text in given:
        found = _meant(text)
        if broken := [run for run in found if run.broken]:
            raise RunError(broken[0].broken)
        same = [group for group in groups if len(found) == 1 and _belongs(found[0], group[1])]
        if same:
            same[0][1].extend(found)
        else:
            groups.append((text, found))
    sides = [_side(name, runs) for name, runs in groups]
    if len(sides) < 2:
        raise RunError(f"{', '.join(given)}: all of one recipe, which leaves nothing to compare; name another run, too")
    return sides


def _meant(text: str) -> list[Told]:
    """The runs that an argument means."""
    path = Path(text)
    if RunFolder(path).mark.is_file():
        return [told(path)]
    if path.is_dir():
        found = runs_in(path)
    else:
        pattern = path.name if WILD & {*text} else f"{path.name}*"
        folders = sorted(one for one in path.parent.glob(pattern) if one.is_dir()) if path.parent.is_dir() else []
        found = [run for one in folders for run in ([told(one)] if RunFolder(one).mark.is_file() else runs_in(one))]
    if not found:
        there = [str(path.parent / run.name) for run in runs_in(path.parent)] if path.parent.is_dir() else []
        raise RunError(f"{text} is no run, no folder of runs, and no name of one begins so; {nearest(text, there)}")
    return found


def _belongs(run: Told, others: Iterable[Told]) -> bool:
    """Whether a run is of the recipe of others, and of another seed."""
    return all(values_of(run) == values_of(other) and run.seed != other.seed for other in others)


def _side(name: str, runs: Sequence[Told]) -> Side:
    """A side of runs, without those that stand at another step than the farthest."""
    for run in runs[1:]:
        if keys := differing([values_of(runs[0]), values_of(run)]):
            first, other = runs[0].folder.path, run.folder.path
            raise RunError(
                f"{name} has runs of several recipes: {first} and {other} differ in {keys[0]}; name them apart"
            )
    by_seed: dict[int, Told] = {}
    step, left_out = max(run.step for run in runs), []
    for run in sorted(runs, key=lambda run: run.seed or 0):
        if run.step < step:
            left_out.append(f"{run.folder.path} stands at step {run.step:,}, and others at {step:,}")
        elif run.seed in by_seed:
            first = by_seed[run.seed].folder.path
            raise RunError(f"{name} has two runs of seed {run.seed}: {first} and {run.folder.path}; name one of them")
        else:
            by_seed[run.seed or 0] = run
    return Side(name, by_seed, tuple(left_out))


def values_of(run: Told) -> dict[str, Any]:
    """Every value of a run's recipe, by its dotted key; what it is for people, and its seed, apart."""
    tree = {key: value for key, value in run.tree.items() if key != "about"}
    values = dict(_flat(tree, ""))
    values.pop("run.seed", None)
    return values


def _flat(value: Any, key: str) -> Iterable[tuple[str, Any]]:
    inner: Any = value.items() if isinstance(value, dict) else ()
    if isinstance(value, list) and any(isinstance(one, dict) for one in value):
        inner = ((str(position), one) for position, one in enumerate(value))
    if not inner and not (isinstance(value, dict) and not key):
        yield key, value
    for name, one in inner:
        yield from _flat(one, f"{key}.{name}" if key else name)


def differing(each: Sequence[Mapping[str, Any]]) -> list[str]:
    """The keys at which values are not all the same, in the order in which they are written."""
    missing = object()
    keys = dict.fromkeys(key for values in each for key in values)
    return [key for key in keys if any(values.get(key, missing) != each[0].get(key, missing) for values in each[1:])]
