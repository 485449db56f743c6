"""`agekit search`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
from agekit.errors import AgekitError, RecipeError
from agekit.errors import Problem as Wrong
from optuna.trial import FrozenTrial, TrialState
from rich.console import Console

from .space import axis, setting
from .study import REASON, Goal, Search, ended, open_study, play, shown, storage_of

FLAGS = {"steps": "run.stop_after", "seed": "run.seed", "device": "compute.device"}


def search(given: argparse.Namespace) -> int:
    """Search; the status is 1 where a trial failed."""
    if given.trials < 1:
        raise AgekitError(f"--trials {given.trials}: one at least fits")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    wanted = Search(
        given.recipe, tuple(_settings(given)), tuple(map(axis, given.over)), Goal.of(given.lowest, given.highest)
    )
    keys = [one.key for one in wanted.axes]
    if again := [key for index, key in enumerate(keys) if key in keys[:index]]:
        raise RecipeError([Wrong("--over", f"{again[0]} is said twice")])
    wanted.check()
    name = given.name or f"{Path(given.recipe).stem}-search"
    folder = given.out / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AgekitError(f"{folder} cannot be written: {error.strerror}") from error
    study = _opened(wanted, name, folder, given)
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    if ended(study) < given.trials:
        play(study, wanted, folder, given.trials, Teller(console, given.trials), trust=given.trust)
    _table(study, wanted, console)
    return 1 if any(one.state == TrialState.FAIL for one in shown(study.trials)) else 0


def _settings(given: argparse.Namespace) -> list[str]:
    flags = {key: getattr(given, name) for name, key in FLAGS.items()}
    return [*given.set, *(setting(key, value) for key, value in flags.items() if value is not None)]


def _opened(wanted: Search, name: str, folder: Path, given: argparse.Namespace) -> optuna.Study:
    """The study. Raises `AgekitError` where its storage cannot be used."""
    try:
        storage = storage_of(given.storage, folder)
        return open_study(wanted, name, storage, pruner=given.pruner, sampler=given.sampler, seed=given.seed or 0)
    except AgekitError:
        raise
    except Exception as error:  # each kind of database raises its own
        raise AgekitError(f"--storage {given.storage or folder}: {str(error).splitlines()[0]}") from error


class Teller:
    """Tells a person how a search goes: a line as a trial begins, and one as it ends."""

    def __init__(self, console: Console, trials: int) -> None:
        self.console, self.trials = console, trials

    def begins(self, number: int, values: Mapping[str, Any], folder: Path) -> None:
        said = ", ".join(setting(key, value) for key, value in values.items())
        self.console.print(f"trial {number}: {said}  ({folder})")

    def ended(self, trial: FrozenTrial) -> None:
        self.console.print(f"  {_outcome(trial)}")


def _outcome(trial: FrozenTrial) -> str:
    if trial.state == TrialState.COMPLETE:
        return f"{trial.value:.4g}"
    if trial.state == TrialState.PRUNED:
        return f"pruned at step {max(trial.intermediate_values, default=0)}"
    return f"failed: {trial.user_attrs.get(REASON, '')}".replace("\n", "; ")


def _table(study: optuna.Study, wanted: Search, console: Console) -> None:
    """All trials, the best first, and how the best is trained again."""
    trials = [one for one in shown(study.trials) if one.state.is_finished()]
    sign = 1 if wanted.goal.lowest else -1
    complete = sorted(
        (one for one in trials if one.state == TrialState.COMPLETE), key=lambda one: sign * (one.value or 0)
    )
    keys = [one.key for one in wanted.axes]
    rows = [["trial", *keys, f"{wanted.goal.metric}{f'.{wanted.goal.key}' if wanted.goal.key else ''}"]]
    for one in [*complete, *(one for one in trials if one.state != TrialState.COMPLETE)]:
        rows.append([str(one.number), *(str(one.params.get(key, "-")) for key in keys), _outcome(one)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    console.print()
    for row in rows:
        console.print("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
    if complete:
        settings = " ".join(f"--set '{setting(key, value)}'" for key, value in complete[0].params.items())
        console.print(f"\nbest  {settings}\nrun   {complete[0].user_attrs['folder']}")
