"""Playing the runs of a study, one after the other: what is finished is left, all else is begun or gone on with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from ..compare.reading import told
from ..errors import AgekitError, RunEnded
from ..game.bound import Recipe
from ..game.load import load_recipe
from ..lock import Lock
from ..plugins import Loaded
from ..train.folder import RunFolder, open_run
from ..train.play import play
from ..train.run import Listener, Run, begin_or_resume
from .study import Study, Trial


class Audience(Listener, Protocol):
    """Whoever wants to hear how a study goes, and each of its runs."""

    def turns_to(self, trial: Trial, number: int, total: int) -> None: ...

    def failed(self, trial: Trial, reason: str) -> None: ...


def recipe_of(study: Study, trial: Trial, loaded: Loaded) -> Recipe:
    """The recipe of a trial. Raises `RecipeError` where its settings do not fit."""
    flags = {"--seeds": f"run.seed={trial.seed}"}
    return load_recipe(study.recipe, loaded, trial.settings, flags, study.plan.recipe)


def play_all(study: Study, loaded: Loaded, audience: Audience, *, trust: bool = False, retry: bool = False) -> bool:
    """Play every run that is not finished; whether none was interrupted.

    One that fails is noted with its reason, and is not tried again unless `retry` says so. Raises `RunError` where
    another process is at the study.
    """
    with _alone(study):
        before = study.failures()
        for number, trial in enumerate(study.plan.trials, 1):
            if trial.folder in before and not retry:
                continue
            reason = ""
            try:
                if _finished(study, trial):
                    continue
                audience.turns_to(trial, number, len(study.plan.trials))
                if not play(_begun(study, trial, loaded, audience, trust=trust), audience):
                    return False
            except RunEnded:  # it was killed when all had been written, and its last checkpoint had no name yet
                pass
            except AgekitError as error:
                reason = str(error)
            except Exception as error:  # noqa: BLE001 - a component may raise anything, and the others go on
                reason = f"{type(error).__name__}: {error}"
            if reason:
                audience.failed(trial, reason)
            if reason or trial.folder in before:
                study.note(trial, reason)
    return True


def _finished(study: Study, trial: Trial) -> bool:
    path = study.path / trial.folder
    return RunFolder(path).mark.is_file() and told(path).state == "finished"


def _begun(study: Study, trial: Trial, loaded: Loaded, listener: Listener, *, trust: bool) -> Run:
    """A trial's run, begun, or taken up where it stopped."""
    folder = RunFolder(study.path / trial.folder)
    if folder.mark.is_file():
        recipe = load_recipe(folder.recipe, loaded, name=open_run(folder.path).read_mark()["recipe"])
    else:
        recipe = recipe_of(study, trial, loaded)
    return begin_or_resume(recipe, loaded, folder.path, listener, trust=trust)


@contextmanager
def _alone(study: Study) -> Iterator[None]:
    """Meanwhile, no other process plays the study."""
    lock = Lock(study.path / "lock", f"{study.path} is being played")
    try:
        yield
    finally:
        lock.release()
