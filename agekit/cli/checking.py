"""`agekit check`."""

from __future__ import annotations

import argparse
import textwrap
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from ..printable import printable
from ..report.console import make_console
from ..testing import Outcome, Subject, checks_of, examine, subjects
from . import common
from .components import print_table

MARKS = {"fail": "FAIL", "not applicable": "-"}


def check(given: argparse.Namespace) -> int:
    """Check every component of a plugin, and print what came of it; the status is 1 where a check failed."""
    brought, began = subjects(common.plugins(), given.plugin), time.monotonic()
    outcomes = _examined(brought)
    print_table(["component", "passed", "failed", "not applicable"], [*_rows(outcomes)])
    print()
    for line in _reasons(outcomes, traceback=given.traceback):
        print(line)
    verdicts = Counter(outcome.verdict for outcome in outcomes)
    counted = f"{len(outcomes)} checks of {len(brought)} component{'' if len(brought) == 1 else 's'}"
    said = f"{verdicts['pass']} passed, {verdicts['fail']} failed, {verdicts['not applicable']} not applicable"
    print(f"{counted} in {time.monotonic() - began:.0f} s: {said}")
    return 1 if verdicts["fail"] else 0


def _examined(brought: Sequence[Subject]) -> list[Outcome]:
    """The outcomes of all checks, with a bar on a terminal while they are under way."""
    console = make_console(stderr=True)
    columns = BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False)
    outcomes: list[Outcome] = []
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=sum(len(checks_of(subject)) for subject in brought))
        for subject in brought:
            bar.update(task, description=str(subject))
            for outcome in examine(subject):
                outcomes.append(outcome)
                bar.advance(task)
    return outcomes


def _rows(outcomes: Sequence[Outcome]) -> Iterator[tuple[str, str, str, str]]:
    """Of each component, how many checks passed, and which did not."""
    found: dict[Subject, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for outcome in outcomes:
        found[outcome.subject][outcome.verdict].append(outcome.check)
    for subject, checks in found.items():
        failed, apart = (", ".join(checks[verdict]) for verdict in MARKS)
        yield str(subject), f"{len(checks['pass']):>6}", failed, apart


def _reasons(outcomes: Sequence[Outcome], *, traceback: bool) -> Iterator[str]:
    """What failed and why, and what was not applicable, each reason once."""
    failed, apart = (_by_reason(outcomes, verdict) for verdict in MARKS)
    for (subject, reason), alike in failed.items():
        yield from _lines("fail", f"{subject}, {_checks(alike)}: {reason}")
        if traceback:
            yield alike[0].details
    told: dict[tuple[str, str], list[str]] = defaultdict(list)
    for (subject, reason), alike in apart.items():
        if (subject, reason) not in failed:
            told[_checks(alike), reason].append(subject.name)
    for (checks, reason), names in told.items():
        yield from _lines("not applicable", f"{checks} of {', '.join(names)}: {reason}")
    if failed or apart:
        yield ""


def _by_reason(outcomes: Sequence[Outcome], verdict: str) -> dict[tuple[Subject, str], list[Outcome]]:
    """The outcomes that ended so, by component and reason."""
    found: dict[tuple[Subject, str], list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.verdict == verdict:
            found[outcome.subject, outcome.reason].append(outcome)
    return found


def _checks(outcomes: Sequence[Outcome]) -> str:
    return ", ".join(outcome.check for outcome in outcomes)


def _lines(verdict: str, said: str) -> Iterator[str]:
    """A reason behind its mark; on a terminal its lines are broken between words."""
    console = make_console()
    room = max(console.width - 6, 20) if console.is_terminal else None
    lines = [part for line in printable(said).split("\n") for part in (textwrap.wrap(line, room) if room else [line])]
    yield f"{MARKS[verdict]:<6}" + "\n      ".join(lines)
