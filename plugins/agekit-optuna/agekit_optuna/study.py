"""A search: an Optuna study in a storage, and trials that are agekit's runs."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import agekit
import optuna
from agekit.errors import AgekitError, RunError, nearest
from agekit.files import LOCKED_ALONE, try_lock
from optuna.pruners import MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from .space import Axis, setting

FOLDER, REASON, PLACE, SEARCH = "folder", "reason", "place", "search"
"""What a trial is marked with: its run's folder, why it failed, on which machine it is; and what a study searches."""

PRUNERS = {"none": NopPruner, "median": MedianPruner, "halving": SuccessiveHalvingPruner}


@dataclass(frozen=True)
class Goal:
    """Which number is to become what: `lowest` or `highest`, a metric, and one of its values, the first by default."""

    lowest: bool
    metric: str
    key: str | None

    @classmethod
    def of(cls, lowest: str | None, highest: str | None) -> Goal:
        """What `--lowest METRIC.VALUE` or `--highest METRIC` says."""
        metric, _, key = str(lowest or highest).partition(".")
        return cls(lowest is not None, metric, key or None)

    def value(self, metrics: Mapping[str, Mapping[str, float]]) -> float:
        """The number among those of a run. Raises `RunError` where it is not there, or is none."""
        if self.metric not in metrics:
            raise RunError(f"the run has no metric {self.metric!r}; {nearest(self.metric, metrics)}")
        values = metrics[self.metric]
        key = self.key or next(iter(values))
        if key not in values:
            raise RunError(f"metric {self.metric} has no value {key!r}; {nearest(key, values)}")
        if not math.isfinite(values[key]):
            raise RunError(f"{self.metric}.{key} is {values[key]}")
        return values[key]


@dataclass(frozen=True)
class Search:
    """What is searched: a recipe with its settings, the axes, and the goal."""

    recipe: str
    settings: tuple[str, ...]
    axes: tuple[Axis, ...]
    goal: Goal

    def load(self, values: Mapping[str, Any]) -> Any:
        """The recipe with values. Raises `RecipeError` where they do not fit."""
        return agekit.load(self.recipe, *self.settings, *(setting(key, value) for key, value in values.items()))

    def check(self) -> None:
        """Load the recipe once with each end of each axis, and look for the metric. Raises `RecipeError`."""
        for one in self.axes:
            for end in one.ends:
                recipe = self.load({one.key: end})
                known = {name for stage in recipe.stages for name in stage.metrics}
                if self.goal.metric not in known:
                    raise AgekitError(
                        f"the recipe has no metric {self.goal.metric!r}; {nearest(self.goal.metric, known)}"
                    )

    @property
    def identity(self) -> str:
        """What tells two searches apart."""
        recipe = agekit.load(self.recipe, *self.settings).document.tree
        axes = [[one.key, repr(one.law)] for one in self.axes]
        said = json.dumps([recipe, axes, repr(self.goal)], sort_keys=True, default=str)
        return hashlib.sha256(said.encode()).hexdigest()


class Told(Protocol):
    """Whoever wants to hear how a search goes."""

    def begins(self, number: int, values: Mapping[str, Any], folder: Path) -> None: ...

    def ended(self, trial: FrozenTrial) -> None: ...


def storage_of(url: str | None, folder: Path) -> BaseStorage | str:
    """A database by its URL, or else a journal in the folder, which several processes of one machine may share."""
    return url or JournalStorage(JournalFileBackend(str(folder / "search.journal")))


def open_study(
    search: Search, name: str, storage: BaseStorage | str, *, pruner: str, sampler: str, seed: int
) -> optuna.Study:
    """The study of this name: made, or gone on with. Raises `RunError` where it searches something else."""
    study = optuna.create_study(
        storage=storage,
        study_name=name,
        direction="minimize" if search.goal.lowest else "maximize",
        load_if_exists=True,
    )
    if study.user_attrs.setdefault(SEARCH, search.identity) != search.identity:
        raise RunError(f"{name} is another search: of another recipe, space or metric; choose another --name")
    study.set_user_attr(SEARCH, search.identity)
    study.pruner, study.sampler = PRUNERS[pruner](), _sampler(sampler, seed + len(study.trials))
    return study


def _sampler(name: str, seed: int) -> BaseSampler:
    return RandomSampler(seed=seed) if name == "random" else TPESampler(seed=seed, constant_liar=True)


def put_back(study: optuna.Study) -> None:
    """Take up what was stopped on this machine: its values, and its folder, are tried next."""
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        folder = Path(trial.user_attrs.get(FOLDER, ""))
        if trial.user_attrs.get(PLACE) == socket.gethostname() and not _held(folder):
            study.tell(trial.number, state=TrialState.FAIL)
            study.enqueue_trial(trial.params, user_attrs={FOLDER: str(folder)})


def _held(folder: Path) -> bool:
    """Whether a process is at a trial."""
    try:
        with _lock(folder).open("rb") as stream:
            return not try_lock(stream.fileno(), LOCKED_ALONE)
    except FileNotFoundError:
        return False


def _lock(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.lock")


def play(study: optuna.Study, search: Search, out: Path, trials: int, told: Told, *, trust: bool = False) -> None:
    """Play trials until so many are finished or pruned in all, or have failed.

    Raises `KeyboardInterrupt` where it was interrupted, after a checkpoint; the next time goes on there.
    """
    laws = {one.key: one.law for one in search.axes}
    while ended(study) < trials:
        put_back(study)
        trial = study.ask(laws)
        folder = Path(trial.user_attrs.get(FOLDER) or out / f"trial-{trial.number:04d}")
        trial.set_user_attr(FOLDER, str(folder))
        trial.set_user_attr(PLACE, socket.gethostname())
        told.begins(trial.number, trial.params, folder)
        with _lock(folder).open("wb") as stream:
            try_lock(stream.fileno(), LOCKED_ALONE)
            told.ended(_one(study, trial, search, folder, trust=trust))


def ended(study: optuna.Study) -> int:
    """How many trials came to an end; those that were put back are counted where they end."""
    failed = [one for one in study.get_trials(states=(TrialState.FAIL,)) if REASON in one.user_attrs]
    return len(study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED))) + len(failed)


def _one(study: optuna.Study, trial: optuna.Trial, search: Search, folder: Path, *, trust: bool) -> FrozenTrial:
    """Train one trial's recipe; a failure is noted, and stops no other."""
    reported: set[int] = set()

    def heard(step: int, metrics: Mapping[str, Mapping[str, float]]) -> None:
        if step not in reported:
            reported.add(step)
            trial.report(search.goal.value(metrics), step)
            if trial.should_prune():
                raise optuna.TrialPruned

    if folder.is_dir() and not (folder / "run.json").is_file():  # its making was cut short, before any step
        shutil.rmtree(folder)
    try:
        metrics = agekit.run(search.load(trial.params), folder, heard, trust=trust)
        return study.tell(trial, search.goal.value(metrics))
    except optuna.TrialPruned:
        return study.tell(trial, state=TrialState.PRUNED)
    except AgekitError as error:
        trial.set_user_attr(REASON, str(error))
    except Exception as error:  # noqa: BLE001 - a component may raise anything, and the others go on
        trial.set_user_attr(REASON, f"{type(error).__name__}: {error}")
    return study.tell(trial, state=TrialState.FAIL)


def shown(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """The trials to be shown: all but those that were put back."""
    return [one for one in trials if one.state != TrialState.FAIL or REASON in one.user_attrs]
