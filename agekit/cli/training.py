"""`agekit run` and `agekit resume`."""

from __future__ import annotations

import argparse

from ..errors import AgekitError
from ..game.bound import ELSEWHERE
from ..game.load import load_recipe
from ..report.console import RunConsole, make_console
from ..sweep.study import create, is_study, opened, planned
from ..train.folder import open_run
from ..train.run import Run, play, start
from ..train.run import resume as take_up
from ..train.telling import Teller
from . import common
from .listening import print_json, said_by_flags
from .sweeping import counted, play_study

ANEW = (*ELSEWHERE, "run.stop_after")
"""What `resume` may be told anew: none of it changes what is computed, though rounding may differ elsewhere."""


def run(given: argparse.Namespace) -> int:
    """Train a recipe."""
    seeds, loaded = counted(given.seeds), common.plugins()
    recipe = common.recipe(given.recipe, given.set, loaded, said_by_flags(given))
    if given.seeds is not None:
        return play_study(create(given.out, given.name, recipe, planned(recipe, [], seeds)), loaded, given)
    listener = _teller(given)
    try:
        return _play(start(recipe, loaded, given.out, given.name, listener, trust=given.trust), listener)
    finally:
        listener.console.stop()


def resume(given: argparse.Namespace) -> int:
    """Go on with a run; what may be said anew is where its data lies, where it is computed, and when it ends."""
    if is_study(given.run):
        return _resume_several(given)
    folder = open_run(given.run)
    for text in given.set:
        key = ".".join(part.strip() for part in text.partition("=")[0].split("."))
        if key not in ANEW:
            raise AgekitError(f"--set {key}: a run goes on as it began; only {', '.join(ANEW)} change")
    recipe = load_recipe(folder.recipe, common.plugins(), given.set, said_by_flags(given), folder.read_mark()["recipe"])
    listener = _teller(given)
    try:
        return _play(take_up(recipe, folder, listener, trust=given.trust), listener)
    finally:
        listener.console.stop()


def _resume_several(given: argparse.Namespace) -> int:
    """Go on with the runs of a study, those that failed among them."""
    if given.set or given.steps is not None:
        flag = "--steps" if given.steps is not None else "--set"
        raise AgekitError(f"{flag}: {given.run} is of several runs, and they go on as they began; resume one by itself")
    return play_study(opened(given.run), common.plugins(), given, retry=True)


def _play(started: Run, listener: Teller) -> int:
    return 0 if play(started, listener) else 130


def _teller(given: argparse.Namespace) -> Teller:
    return Teller(RunConsole(make_console(stderr=given.json)), print_json if given.json else None)
