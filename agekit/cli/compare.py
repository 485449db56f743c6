"""`agekit compare`. No torch in here, but for pictures."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from string import ascii_uppercase
from typing import Any

from ..compare.contrast import ABSENT, EQUAL, Row, recipes, rows, spent
from ..compare.interval import CONFIDENCE, Interval
from ..compare.marks import Marks
from ..compare.sides import Side, sides_of
from ..errors import AgekitError, nearest
from ..printable import json_line
from ..recipe.compose import written
from ..report.console import RunConsole, clock, make_console
from ..report.metrics import plain
from .components import print_table

LONGEST = 40
"""So many characters of a value are shown."""


def compare(given: argparse.Namespace) -> int:
    """Show how runs, or groups of seeds, differ: recipes, compute, numbers, and pictures where a file is named."""
    sides = sides_of(given.runs)
    if len(sides) > len(ascii_uppercase):
        raise AgekitError(f"{len(sides)} sides: {len(ascii_uppercase)} are compared at once, at most")
    found = list(rows(sides, given.metrics or ()))
    if given.metrics:
        _check(given.metrics, found, sides)
    if given.json:
        print(json_line(_as_json(sides, found)))
    else:
        _print(sides, found)
    if given.pictures is not None:
        from .contrasted import compare_pictures

        compare_pictures(sides, given)
    return 0


def _check(metrics: Sequence[str], found: Sequence[Row], sides: Sequence[Side]) -> None:
    known = {row.name[0] for row in rows(sides)}
    for metric in metrics:
        if metric not in {row.name[0] for row in found}:
            raise AgekitError(f"--metrics {metric}: no run has it at its last step; {nearest(metric, known)}")


def _print(sides: Sequence[Side], found: Sequence[Row]) -> None:
    letters = list(ascii_uppercase[: len(sides)])
    facts = [
        (letter, side.first.recipe, ", ".join(map(str, side.runs)), _states(side), side.name)
        for letter, side in zip(letters, sides, strict=True)
    ]
    print_table(["", "recipe", "seeds", "state", "runs"], facts)
    print()
    different = [(key, *map(_value, values)) for key, values in recipes(sides).items()]
    print_table(["recipe", *letters], different or [("no value differs", *("" for _ in sides))])
    print()
    print_table(["compute", *letters, ""], _compute(sides))
    print()
    marks = Marks()
    gaps = [f"{letter} - {letters[0]}" for letter in letters[1:]]
    table = [(*row.name, *_cells(row, marks)) for row in found]
    if table:
        print_table(["metric", "value", *letters, *gaps], table, names=2)
    else:
        print("no metrics were taken at the last step; agekit eval takes some")
    notes = [*_explained(sides, found), *marks.said(), *(("left out", why) for side in sides for why in side.left_out)]
    if notes:
        print()
        RunConsole(make_console()).facts(notes)


def _states(side: Side) -> str:
    return ", ".join(dict.fromkeys(run.state for run in side.runs.values()))


def _value(value: Any) -> str:
    text = "-" if value is ABSENT else written(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _compute(sides: Sequence[Side]) -> list[tuple[str, ...]]:
    """What a run of each side took; what is to be equal is marked where it is not."""
    each = [spent(side.first) for side in sides]
    table = []
    for name, taken in EQUAL.items():
        values = [taken(one) for one in each]
        equal = "" if None in values else "equal" if len({*values}) == 1 else "UNEQUAL"
        table.append((name, *(_count(value) for value in values), equal))
    table.append(("time", *(clock(one.seconds) if one.seconds is not None else "-" for one in each), ""))
    table.append(("device", *(one.device or "-" for one in each), ""))
    return table


def _count(value: int | None) -> str:
    """A number of anything, in units of a thousand.

    >>> _count(640), _count(1_234_567_890_000)
    ('640', '1.235 T')
    """
    if value is None or value < 1_000_000:
        return "-" if value is None else f"{value:,}"
    power, unit = next((p, u) for p, u in ((18, "E"), (15, "P"), (12, "T"), (9, "G"), (6, "M")) if value >= 10**p)
    return f"{value / 10**power:.4g} {unit}"


def _cells(row: Row, marks: Marks) -> list[str]:
    """A row's means, each with its letter where protocols differ, and its differences, marked where 0 is outside."""
    cells = []
    for own, mean in zip(row.numbers, row.means, strict=True):
        letters = " ".join(dict.fromkeys(marks.of(number) for number in own.values())) if row.mixed else ""
        cells.append(f"{mean.said} {letters}".rstrip() if mean else "-")
    return [*cells, *(f"{gap.signed}{' *' if gap.shows else ''}" if gap else "-" for gap in row.gaps)]


def _explained(sides: Sequence[Side], found: Sequence[Row]) -> list[tuple[str, str]]:
    """What the signs in the table of metrics mean, as far as there are some."""
    notes = []
    if any(mean and mean.half is not None for row in found for mean in row.means):
        notes.append(
            ("±", f"half of a {CONFIDENCE:.0%} interval over seeds, by Student's t; differences are paired by seed")
        )
    if any(gap and gap.shows for row in found for gap in row.gaps):
        notes.append(("*", f"0 is outside; of many intervals, {1 - CONFIDENCE:.0%} are so by chance"))
    if found and not any(gap for row in found for gap in row.gaps):
        shared = all({*sides[0].runs} & {*side.runs} for side in sides[1:])
        notes.append(("-", "different protocols are not subtracted" if shared else "no seed is on both sides"))
    return notes


def _as_json(sides: Sequence[Side], found: Sequence[Row]) -> dict[str, Any]:
    letters = ascii_uppercase
    return {
        "sides": [
            {
                "name": side.name,
                "recipe": side.first.recipe,
                "runs": {seed: str(run.folder.path) for seed, run in side.runs.items()},
                "left_out": side.left_out,
                "compute": asdict(spent(side.first)),
            }
            for side in sides
        ],
        "recipe": {
            key: {letters[i]: value for i, value in enumerate(values) if value is not ABSENT}
            for key, values in recipes(sides).items()
        },
        "metrics": [
            {
                "metric": row.name[0],
                "value": row.name[1],
                "one_protocol": not row.mixed,
                "sides": [_side(own, mean) for own, mean in zip(row.numbers, row.means, strict=True)],
                "differences": [_interval(gap) for gap in row.gaps],
            }
            for row in found
        ],
    }


def _side(own: Mapping[int, Any], mean: Interval | None) -> dict[str, Any]:
    taken = list(dict.fromkeys(number.said for number in own.values()))
    return {**_interval(mean), "each": {seed: plain(number.value) for seed, number in own.items()}, "taken": taken}


def _interval(one: Interval | None) -> dict[str, Any]:
    return {"mean": plain(one.mean), "half": one.half, "count": one.count} if one else {}
