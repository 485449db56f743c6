"""`agekit search`."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
from agekit.errors import AgekitError
from optuna.trial import TrialState
from rich.console import Console

from .search import Goal, Search
from .space import axes, setting
from .study import Trials, open_study, shown, storage_of
from .telling import Teller, show_space, show_trials

FLAGS = {"steps": "run.stop_after", "seed": "run.seed", "device": "compute.device"}
NAME = re.compile(r"\w[\w.+-]*\Z")
PASSWORD = re.compile(r"(://[^:/@\s]+):[^@\s]*@")


def search(given: argparse.Namespace) -> int:
    """Search; the status is 1 where a trial failed, and 130 after an interrupt."""
    if given.trials < 1:
        raise AgekitError(f"--trials {given.trials}: one at least fits")
    if given.name is not None and not NAME.match(given.name):
        raise AgekitError(f"--name {given.name!r}: a name is letters, digits, dots, dashes and underscores")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    wanted = Search(given.recipe, tuple(_settings(given)), axes(given.over), Goal.of(given.lowest, given.highest))
    wanted.check()
    console = Console(stderr=given.json, highlight=False, markup=False, emoji=False, soft_wrap=True)
    if given.dry_run:
        show_space(wanted, given.trials, console)
        return 0
    name = given.name or f"{wanted.base.name}-search-{wanted.identity[:8]}"
    folder = given.out / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AgekitError(f"{folder} cannot be written: {error.strerror}") from error
    with _explained(given.storage, folder, Exception):  # each kind of database raises its own
        study = open_study(wanted, name, storage_of(given.storage, folder), given.pruner)
    with _explained(given.storage, folder, optuna.exceptions.OptunaError, OSError, json.JSONDecodeError):
        trials = Trials(study, wanted, folder, given.sampler)
        try:
            told = Teller(console, given.trials, json=given.json)
            trials.play(given.trials, told, trust=given.trust, retry=given.retry)
        except KeyboardInterrupt:
            console.print("search  stopped; the same command goes on")
            return 130
        show_trials(trials, console)
        return 1 if any(one.state == TrialState.FAIL for one in shown(study)) else 0


def _settings(given: argparse.Namespace) -> list[str]:
    flags = {key: getattr(given, name) for name, key in FLAGS.items()}
    return [*given.set, *(setting(key, value) for key, value in flags.items() if value is not None)]


@contextmanager
def _explained(url: str | None, folder: Path, *kinds: type[Exception]) -> Iterator[None]:
    """Meanwhile, what the storage refuses is an `AgekitError` that says so, without the password in its URL."""
    try:
        yield
    except AgekitError:
        raise
    except kinds as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise AgekitError(PASSWORD.sub(r"\1:…@", f"--storage {url or folder}: {said}")) from error
