"""What the console tells of a search."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agekit.printable import one_line
from optuna.trial import FrozenTrial, TrialState
from rich.console import Console

from .search import Search
from .space import setting
from .study import REASON, Trials, shown

WORDS = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}


class Teller:
    """Tells a person how a search goes, and under `json` a program: a line for each trial that ends."""

    def __init__(self, console: Console, wanted: int, *, json: bool) -> None:
        self.console, self.wanted, self.json = console, wanted, json

    @property
    def run_console(self) -> Console:
        """Where each trial's run is told of."""
        return self.console

    def begins(self, number: int, values: Mapping[str, Any]) -> None:
        """A trial begins, or is gone on with."""
        said = ", ".join(setting(key, value) for key, value in values.items())
        self.console.print(f"\ntrial {number}: {one_line(said)}")

    def ended(self, trial: FrozenTrial, folder: Path) -> None:
        """A trial came to an end."""
        self.console.print(f"trial {trial.number} {_outcome(trial)}{_reason(trial)}")
        if self.json:
            line = {"trial": trial.number, "values": trial.params, "state": WORDS[trial.state], "value": trial.value}
            reason = {REASON: trial.user_attrs[REASON]} if REASON in trial.user_attrs else {}
            sys.stdout.write(json.dumps({**line, "run": str(folder), **reason}) + "\n")
            sys.stdout.flush()


def _outcome(trial: FrozenTrial) -> str:
    if trial.state == TrialState.COMPLETE:
        return f"{trial.value:.4g}"
    if trial.state == TrialState.PRUNED:
        return f"pruned at step {max(trial.intermediate_values, default=0)}"
    return WORDS.get(trial.state, "running")


def _reason(trial: FrozenTrial) -> str:
    reason = trial.user_attrs.get(REASON, "")
    return one_line(f": {reason}".replace("\n", "; ")) if reason else ""


def show_space(search: Search, trials: int, console: Console) -> None:
    """What would be searched."""
    _print_rows([["key", "values"], *([one.key, one.said] for one in search.axes)], console)
    console.print(f"\n{'lowest' if search.goal.lowest else 'highest'} {search.goal.said}, {trials} trials")


def show_trials(trials: Trials, console: Console) -> None:
    """All trials, the best first; why some failed; and how the best is trained again."""
    search = trials.search
    sign = 1 if search.goal.lowest else -1
    found = [one for one in shown(trials.study) if one.state != TrialState.WAITING]
    complete = [one for one in found if one.state == TrialState.COMPLETE]
    complete.sort(key=lambda one: sign * (one.value or 0))
    keys = [one.key for one in search.axes]
    rows = [["trial", *keys, search.goal.said]]
    for one in [*complete, *(one for one in found if one.state != TrialState.COMPLETE)]:
        rows.append([str(one.number), *(_cell(one.params.get(key, "-")) for key in keys), _outcome(one)])
    console.print()
    _print_rows(rows, console)
    console.print()
    for one in found:
        if REASON in one.user_attrs:
            console.print(f"trial {one.number}{_reason(one)}")
    if complete:
        best = complete[0]
        settings = " ".join(f"--set '{setting(key, value)}'" for key, value in best.params.items())
        where = str(trials.folder(best)) if trials.ours(best) else f"{trials.folder(best).name}, on another machine"
        console.print(f"best    {one_line(settings)}\nrun     {where}")
    console.print(f"folder  {trials.out}")


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else one_line(str(value))


def _print_rows(rows: Sequence[Sequence[str]], console: Console) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        console.print("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
