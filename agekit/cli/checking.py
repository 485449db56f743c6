"""`agekit check`."""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from ..report.console import make_console
from ..testing import Outcome, Subject, checks_of, examine, subjects
from . import common, printable_lines
from .components import print_table

CELLS = {"pass": "pass", "fail": "FAIL", "not applicable": "-"}


def check(given: argparse.Namespace) -> int:
    """Check every component of a plugin, and print what came of it; the status is 1 where a check failed."""
    brought = subjects(common.plugins(), given.plugin)
    outcomes = _examined(brought)
    for shelf, group in _by_shelf(outcomes).items():
        print(shelf)
        _print_group(group)
        print()
    _print_reasons(outcomes, traceback=given.traceback)
    verdicts = Counter(outcome.verdict for outcome in outcomes)
    counted = f"{len(outcomes)} checks of {len(brought)} component{'' if len(brought) == 1 else 's'}"
    said = f"{verdicts['pass']} passed, {verdicts['fail']} failed, {verdicts['not applicable']} not applicable"
    print(f"{counted}: {said}")
    return 1 if verdicts["fail"] else 0


def _examined(brought: Sequence[Subject]) -> list[Outcome]:
    """The outcomes of all checks, with a bar on a terminal while they are under way."""
    console = make_console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    outcomes: list[Outcome] = []
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=sum(len(checks_of(subject)) for subject in brought))
        for subject in brought:
            bar.update(task, description=str(subject))
            for outcome in examine(subject):
                outcomes.append(outcome)
                bar.advance(task)
    return outcomes


def _by_shelf(outcomes: Sequence[Outcome]) -> dict[str, list[Outcome]]:
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        groups[outcome.subject.shelf.name].append(outcome)
    return groups


def _print_group(outcomes: Sequence[Outcome]) -> None:
    """The components of a shelf by their checks; on a narrow terminal, in several tables one below another."""
    cells: dict[str, dict[str, str]] = defaultdict(dict)
    for outcome in outcomes:
        cells[outcome.subject.name][outcome.check] = CELLS[outcome.verdict]
    names = list(dict.fromkeys(outcome.check for outcome in outcomes))
    for columns in _fitting(names, max(map(len, cells))):
        rows = [(f"  {name}", *(row[column] for column in columns)) for name, row in cells.items()]
        print_table(["", *columns], rows)


def _fitting(columns: Sequence[str], first: int) -> Iterator[list[str]]:
    """The columns in parts that fit the terminal; all at once where there is none."""
    console = make_console()
    room = console.width - first - 2 if console.is_terminal else float("inf")
    part: list[str] = []
    for column in columns:
        if part and sum(len(name) + 2 for name in (*part, column)) > room:
            yield part
            part = []
        part.append(column)
    yield part


def _print_reasons(outcomes: Sequence[Outcome], *, traceback: bool) -> None:
    """What failed and why, each by itself; what was not applicable, by its reason."""
    apart: dict[tuple[str, str], list[str]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.verdict == "fail":
            print("\n  ".join(printable_lines(f"FAIL  {outcome.subject}, {outcome.check}: {outcome.reason}")))
            if traceback:
                print(outcome.details)
        elif outcome.reason:
            apart[outcome.check, outcome.reason].append(outcome.subject.name)
    for (name, reason), whose in apart.items():
        print("\n  ".join(printable_lines(f"-     {name} of {', '.join(whose)}: {reason}")))
