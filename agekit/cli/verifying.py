"""`agekit verify`."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

from ..data.places import cache_home
from ..report.console import make_console, shorten
from ..sweep.study import is_study, opened
from ..train.folder import RunFolder
from ..train.verify import Finding, verify
from .components import print_table


def verify_runs(given: argparse.Namespace) -> int:
    """Look after runs' folders; 1 where anything in them is damaged."""
    damaged = False
    for path in (path for given_path in given.runs for path in _runs(given_path)):
        found = _findings(path)
        damaged |= any(one.state == "damaged" for one in found)
        if given.json:
            print(json.dumps({"run": str(path), "findings": [asdict(one) for one in found]}, ensure_ascii=False))
        else:
            _show(path, found)
    return int(damaged)


def _findings(path: Path) -> list[Finding]:
    """What is found in a run's folder; on a terminal it is said meanwhile how far that is."""
    console = make_console(stderr=True)
    found: list[Finding] = []
    with console.status(f"verifying {shorten(path)}") if console.is_terminal else nullcontext() as status:
        for one in verify(RunFolder(path), cache_home()):
            found.append(one)
            if status:
                status.update(f"verifying {shorten(path)}: {one.part} is {one.state}")
    return found


def _runs(path: Path) -> Iterator[Path]:
    """A run's folder, or those of a study's runs that were begun."""
    if is_study(path):
        yield from (path / one.folder for one in opened(path).plan.trials if (path / one.folder).is_dir())
    else:
        yield path


def _show(path: Path, found: list[Finding]) -> None:
    print_table(["part", "state", ""], [(one.part, one.state, one.said) for one in found])
    counts = Counter(one.state for one in found)
    said = ", ".join(f"{count} {state}" for state, count in counts.items())
    make_console().print(f"\n{shorten(path)}: {said}")
