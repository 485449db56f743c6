"""`agekit sweep`, and what it shares with `agekit run --seeds`: the runs of a study, and their table."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

from ..compare.interval import CONFIDENCE, Interval
from ..compare.marks import Marks, mixed
from ..compare.numbers import Name, Number, first_values, numbers_of
from ..compare.reading import told
from ..errors import AgekitError, Problem, RecipeError
from ..plugins import Loaded
from ..report.console import RunConsole, make_console, shorten
from ..sweep.axes import axis
from ..sweep.playing import play_all
from ..sweep.study import Study, Trial, check, planned, taken_up
from . import common
from .components import print_table
from .listening import StudyTeller, print_json

COLUMNS = 4
"""So many metrics are in the table."""


def sweep(given: argparse.Namespace) -> int:
    """Train a recipe with every combination of values, each with several seeds."""
    seeds = counted(given.seeds)
    loaded = common.plugins()
    recipe = common.recipe(given.recipe, given.set, loaded, common.said_by_flags(given))
    axes = [axis(text) for text in given.over]
    if again := [one.key for index, one in enumerate(axes) if one.key in [other.key for other in axes[:index]]]:
        raise RecipeError([Problem("--over", f"{again[0]} is said twice")])
    plan = planned(recipe, axes, seeds)
    check(recipe, plan, loaded)
    if given.dry_run:
        rows = [(one.folder, str(one.seed), ", ".join(one.settings)) for one in plan.trials]
        print_table(["run", "seed", "settings"], rows)
        return 0
    return play_study(taken_up(given.out, given.name, recipe, plan), loaded, given, retry=given.retry)


def counted(seeds: int | None) -> int:
    """The number of seeds, 1 where it is not said. Raises `AgekitError` where it is none."""
    if seeds is not None and seeds < 1:
        raise AgekitError(f"--seeds {seeds}: one at least fits")
    return seeds or 1


def play_study(study: Study, loaded: Loaded, given: argparse.Namespace, *, retry: bool = False) -> int:
    """Play what is left of a study, and show its table; the status is 130 when interrupted, 1 where a run failed."""
    console = make_console(stderr=given.json, enduring=True)
    listener = StudyTeller(RunConsole(console), print_json if given.json else None, study.path)
    try:
        ended = play_all(study, loaded, listener, trust=given.trust, retry=retry)
    finally:
        listener.console.stop()
    if not ended:
        return 130
    failures = study.failures()
    _print_table(study, failures, RunConsole(console))
    return 1 if failures else 0


def _print_table(study: Study, failures: Mapping[str, str], console: RunConsole) -> None:
    """The table of a study: for each combination of values its metrics, with the interval over its seeds."""
    groups: dict[tuple[str, ...], list[Trial]] = {}
    for trial in study.plan.trials:
        groups.setdefault(trial.settings, []).append(trial)
    runs = {trial: told(study.path / trial.folder) for trial in study.plan.trials if trial.folder not in failures}
    numbers = {trial: numbers_of(run) for trial, run in runs.items() if not run.broken}
    columns = first_values(list(numbers.values()), COLUMNS)
    keys = [setting.partition("=")[0] for setting in next(iter(groups))]
    rows, marks = [], Marks()
    there = [[numbers[one] for one in group if one in numbers] for group in groups.values()]
    cells = [_cells(name, there, marks) for name in columns]
    for index, (settings, group) in enumerate(groups.items()):
        values = [setting.partition("=")[2] for setting in settings]
        done = f"{len(there[index])}" + (f" of {len(group)}" if len(there[index]) < len(group) else "")
        rows.append((*values, done, *(column[index] for column in cells)))
    console.console.print()
    print_table([*keys, "seeds", *(".".join(name) for name in columns)], rows, console.console, names=len(keys) + 1)
    notes = [*marks.said(), *failures.items(), ("folder", shorten(study.path))]
    if any(len(group) > 1 for group in there):
        notes.insert(0, ("±", f"half of a {CONFIDENCE:.0%} interval over the seeds, by Student's t"))
    console.console.print()
    console.facts([(word, text.replace("\n", "; ")) for word, text in notes])


def _cells(name: Name, groups: Sequence[Sequence[Mapping[Name, list[Number]]]], marks: Marks) -> list[str]:
    """A column: the mean over each group's seeds, with a letter where not all are of one protocol."""
    own = [[one[name][0] for one in group if name in one] for group in groups]
    marked = mixed(number for group in own for number in group)
    return [_cell(group, marks if marked else None) for group in own]


def _cell(numbers: Sequence[Number], marks: Marks | None) -> str:
    if not numbers:
        return "-"
    letters = " ".join(dict.fromkeys(marks.of(number) for number in numbers)) if marks else ""
    return f"{Interval.of([number.value for number in numbers]).said} {letters}".rstrip()
