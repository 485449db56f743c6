"""The trials of a search: which there are, which process is at which, and what becomes of each."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import agekit
import optuna
from agekit.errors import AgekitError, RunError
from agekit.files import LOCKED_ALONE, alone, try_lock, write_text
from optuna.pruners import MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, TrialState
from rich.console import Console

from .search import Metrics, NoSuchNumber, Search

FOLDER, PLACE, REASON, SEARCH = "folder", "place", "reason", "search"
"""What a trial is marked with: its run's folder, in which search's folder that lies, why it failed; and a study."""

TRIAL = re.compile(r"trial-\d{4,}\Z")
"""What a trial's folder is called."""

PRUNERS = {"none": NopPruner, "median": MedianPruner, "halving": SuccessiveHalvingPruner}
SAMPLERS: dict[str, Callable[[int], BaseSampler]] = {
    "tpe": lambda seed: TPESampler(seed=seed, constant_liar=True),
    "random": RandomSampler,
}
SEEDS = 2**32


class Told(Protocol):
    """Whoever wants to hear how a search goes."""

    @property
    def run_console(self) -> Console: ...

    def begins(self, number: int, values: Mapping[str, Any]) -> None: ...

    def ended(self, trial: FrozenTrial, folder: Path) -> None: ...


def storage_of(url: str | None, folder: Path) -> BaseStorage | str:
    """A database by its URL, or else a journal in the folder, which several processes of one machine may share."""
    return url or JournalStorage(JournalFileBackend(str(folder / "search.journal"), _Lock(folder / ".journal.lock")))


class _Lock(JournalFileOpenLock):
    """A lock that goes with its process: those of Optuna are files, which killed processes leave in others' way."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._path, self._held = path, ExitStack()

    def acquire(self) -> bool:
        """Wait until no other process has it."""
        self._held.enter_context(alone(self._path))
        return True

    def release(self) -> None:
        """Let go of it."""
        self._held.close()


def open_study(search: Search, name: str, storage: BaseStorage | str, pruner: str) -> optuna.Study:
    """The study of this name: made, or gone on with. Raises `RunError` where it searches something else."""
    study = optuna.create_study(
        storage=storage,
        study_name=name,
        direction="minimize" if search.goal.lowest else "maximize",
        pruner=PRUNERS[pruner](),
        load_if_exists=True,
    )
    if study.user_attrs.setdefault(SEARCH, search.identity) != search.identity:
        raise RunError(f"{name} is another search: of another recipe, space or metric; choose another --name")
    study.set_user_attr(SEARCH, search.identity)
    return study


def shown(study: optuna.Study) -> list[FrozenTrial]:
    """The trials to be shown: of those that were at one folder, one after another, the last."""
    last = {(one.user_attrs.get(PLACE), folder_of(one)): one for one in study.trials}
    return [*last.values()]


def folder_of(trial: FrozenTrial | optuna.Trial) -> str:
    """What a trial's folder is called; a storage may be a stranger's, and names no other place."""
    said = str(trial.user_attrs.get(FOLDER, ""))
    return said if TRIAL.match(said) else f"trial-{trial.number:04d}"


class Trials:
    """The trials whose runs lie in one folder; several processes may try at once, each trial has one at it.

    Whoever asks for a trial, or looks which are abandoned, does so while the folder is locked, so that no two processes
    take up the same one. What another machine does, which shares the database alone, is left to it.
    """

    def __init__(self, study: optuna.Study, search: Search, out: Path, sampler: str) -> None:
        self.study, self.search, self.out = study, search, out
        self.sampler, self.seed = SAMPLERS[sampler], search.base.run.seed
        with self._turn():
            mark = out / ".place"
            if not mark.exists():
                write_text(mark, f"{uuid.uuid4().hex}\n")
            self.place = mark.read_text(encoding="utf-8").strip()

    def play(self, wanted: int, told: Told, *, trust: bool = False, retry: bool = False) -> None:
        """Play trials until so many are finished, pruned, failed, or being played, in all.

        Raises `KeyboardInterrupt` where it was interrupted, after a checkpoint; the next time goes on there.
        """
        if retry:
            with self._turn():
                self._enqueue(one for one in shown(self.study) if one.state == TrialState.FAIL)
        while True:
            with ExitStack() as held:
                with self._turn():
                    self._put_back()
                    if self._taken() >= wanted:
                        return
                    trial = self._asked()
                    folder = self.folder(trial)
                    held.enter_context(alone(_lock(folder)))
                    held.callback(_lock(folder).unlink, missing_ok=True)
                told.begins(trial.number, trial.params)
                told.ended(self._played(trial, folder, told.run_console, trust=trust), folder)

    def folder(self, trial: FrozenTrial | optuna.Trial) -> Path:
        """Where a trial's run lies, if it is one of these."""
        return self.out / folder_of(trial)

    def ours(self, trial: FrozenTrial) -> bool:
        """Whether a trial's run lies in the folder."""
        return trial.user_attrs.get(PLACE) == self.place

    def _turn(self) -> Any:
        return alone(self.out / ".turn.lock")

    def _taken(self) -> int:
        return sum(one.state != TrialState.WAITING for one in shown(self.study))

    def _put_back(self) -> None:
        """Take up what was stopped: its values, in its folder, are tried next, and what nobody is at runs no more."""
        running = [one for one in self.study.trials if one.state == TrialState.RUNNING and self.ours(one)]
        stopped = [one for one in running if not _held(self.folder(one))]
        last = {one.number for one in shown(self.study)}  # a kill in here leaves trials that are taken up already
        self._enqueue(one for one in stopped if one.number in last)
        for one in stopped:
            self.study.tell(one.number, state=TrialState.FAIL)

    def _enqueue(self, trials: Iterable[FrozenTrial]) -> None:
        for one in trials:
            if self.ours(one):
                marks = {FOLDER: folder_of(one), PLACE: self.place}
                self.study.enqueue_trial(one.params, user_attrs=marks)

    def _asked(self) -> optuna.Trial:
        """A new trial. Its values are a function of the seed, its number and the trials before: a stop changes none.

        It has its place from the first: what is killed before it has a folder would else be nobody's, and run for ever.
        """
        if not any(one.state == TrialState.WAITING and self.ours(one) for one in self.study.trials):
            self.study.enqueue_trial({}, user_attrs={PLACE: self.place})
        trial = self.study.ask()
        trial.set_user_attr(FOLDER, folder_of(trial))
        trial.set_user_attr(PLACE, self.place)  # where another machine's, put back, is taken up here
        self.study.sampler = self.sampler((self.seed + trial.number) % SEEDS)
        for one in self.search.axes:
            one.suggested(trial)
        return trial

    def _played(self, trial: optuna.Trial, folder: Path, console: Console, *, trust: bool) -> FrozenTrial:
        """Train one trial's recipe; a failure is noted, and stops no other."""
        reported: set[int] = set()
        goal = self.search.goal

        def heard(step: int, metrics: Metrics) -> None:
            if goal.metric in metrics and step not in reported:  # a stage may be without it
                reported.add(step)
                trial.report(goal.value(metrics), step)
                if trial.should_prune():
                    raise optuna.TrialPruned

        try:
            metrics = agekit.run(self.search.load(trial.params), folder, heard, console=console, trust=trust)
            return self.study.tell(trial, goal.value(metrics))
        except optuna.TrialPruned:
            return self.study.tell(trial, state=TrialState.PRUNED)
        except NoSuchNumber as error:
            self._failed(trial, str(error))
            raise
        except optuna.exceptions.OptunaError:
            raise
        except AgekitError as error:
            return self._failed(trial, str(error))
        except Exception as error:  # noqa: BLE001 - a component may raise anything, and the others go on
            return self._failed(trial, f"{type(error).__name__}: {error}")

    def _failed(self, trial: optuna.Trial, reason: str) -> FrozenTrial:
        trial.set_user_attr(REASON, reason)
        return self.study.tell(trial, state=TrialState.FAIL)


def _held(folder: Path) -> bool:
    """Whether a process is at a trial."""
    try:
        with _lock(folder).open("rb") as stream:
            return not try_lock(stream.fileno(), LOCKED_ALONE)
    except FileNotFoundError:
        return False


def _lock(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.lock")
