"""`agekit runs` and `agekit compare`. No torch in here."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ..compare.marks import Marks, mixed
from ..compare.numbers import Name, Number, first_values, numbers_of
from ..compare.reading import Told, runs_in
from ..printable import json_line, one_line
from ..report.console import RunConsole, age, make_console
from ..report.metrics import plain
from .components import print_table

COLUMNS = 3
"""So many metrics have a column of their own in the table of runs; `--json` has all."""


def runs(given: argparse.Namespace) -> int:
    """List the runs in a folder, with what they are and how they do."""
    found = runs_in(given.runs)
    numbers = [{} if run.broken else numbers_of(run) for run in found]
    if given.json:
        print("\n".join(json_line(_as_json(run, own)) for run, own in zip(found, numbers, strict=True)))
        return 0
    if not found:
        print(f"there are no runs in {one_line(str(given.runs))}")
        return 0
    columns, marks = first_values(numbers, COLUMNS), Marks()
    titles = ["run", "recipe", "seed", "age", "steps", "state", *(".".join(name) for name in columns)]
    cells = [_cells([own.get(name, []) for own in numbers], marks) for name in columns]
    rows = [(*_facts(run), *(column[index] for column in cells)) for index, run in enumerate(found)]
    print_table(titles, rows, names=1)
    notes = [*marks.said(), *((run.name, run.broken) for run in found if run.broken)]
    if notes:
        print()
        RunConsole(make_console()).facts(notes)
    return 0


def _facts(run: Told) -> tuple[str, ...]:
    """The first cells of a run's row."""
    since = age((datetime.now(UTC) - run.started).total_seconds()) if run.started else "-"
    steps = f"{run.step:,}" if run.steps is None or run.step == run.steps else f"{run.step:,} of {run.steps:,}"
    seed = "-" if run.seed is None else str(run.seed)
    return run.name, run.recipe or "-", seed, since, "-" if run.broken else steps, run.state


def _cells(column: Sequence[Sequence[Number]], marks: Marks) -> list[str]:
    """The cells of a metric: its first number of each run, with a letter where not all are of one protocol."""
    marked = mixed(own[0] for own in column if own)
    return [f"{own[0].value:.4g}{f' {marks.of(own[0])}' if marked else ''}" if own else "-" for own in column]


def _as_json(run: Told, numbers: Mapping[Name, Sequence[Number]]) -> dict[str, Any]:
    metrics: dict[str, dict[str, Any]] = {}
    for (metric, key), own in numbers.items():
        metrics.setdefault(metric, {})[key] = [{"value": plain(one.value), "taken": one.said} for one in own]
    return {
        "run": str(run.folder.path),
        "name": run.name,
        "recipe": run.recipe,
        "seed": run.seed,
        "started": run.started.isoformat() if run.started else None,
        "step": run.step,
        "steps": run.steps if not run.broken else None,
        "state": run.state,
        "broken": run.broken,
        "metrics": metrics,
    }
