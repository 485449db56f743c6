"""`agekit run` and `agekit resume`, in one process or in several."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..errors import AgekitError
from ..game.bound import ELSEWHERE, Recipe
from ..game.load import load_recipe
from ..game.ranks import ALONE
from ..plugins import Loaded, load
from ..recipe.find import shipped
from ..report.console import RunConsole, command, make_console
from ..sweep.study import create, is_study, opened, planned
from ..train.folder import RunFolder, check_name, open_run
from ..train.following import follow
from ..train.launch import check_launch, launch
from ..train.meeting import Meeting
from ..train.place import launched
from ..train.play import play
from ..train.run import Run, start
from ..train.run import resume as take_up
from ..train.sources import check_sources
from ..train.telling import Teller
from ..train.together import INTERRUPTED, join, play_together
from ..train.upkeep import standing
from . import common
from .listening import print_json
from .sweeping import counted, play_study

ANEW = (*ELSEWHERE, "run.stop_after")
"""What `resume` may be told anew: none of it changes what is computed, though rounding may differ elsewhere."""


def run(given: argparse.Namespace) -> int:
    """Train a recipe."""
    return _played(given, _run)


def resume(given: argparse.Namespace) -> int:
    """Go on with a run; what may be said anew is where its data lies, where it is computed, and when it ends."""
    return _played(given, _resume)


def _played(given: argparse.Namespace, command_: Callable[[argparse.Namespace, Meeting | None], int]) -> int:
    """Follow a command, as one of the ranks of a launch where there is one."""
    for flag, least in (("nproc", 1), ("restarts", 0)):
        if (said := getattr(given, flag)) is not None and said < least:
            raise AgekitError(f"--{flag} {said}: {least} at least fits")
    if given.restarts is not None and given.nproc is None:
        raise AgekitError("--restarts is for --nproc; torchrun has --max-restarts")
    place = launched()
    if place is None:
        return command_(given, None)
    if given.nproc not in (None, place.local_count):
        raise AgekitError(f"--nproc {given.nproc}: {place.local_count} processes have been launched here already")
    return play_together(place, _again(given), lambda meeting: command_(given, meeting))


def _again(given: argparse.Namespace) -> str:
    """The command that goes on with a run, in as many processes, with {} for its folder."""
    if given.nproc is None:
        return "torchrun … -m agekit resume {}"
    return f"{command()} resume {{}} --nproc {given.nproc}"


def _run(given: argparse.Namespace, meeting: Meeting | None) -> int:
    seeds, loaded = counted(given.seeds), _plugins(meeting)
    recipe = common.recipe(given.recipe, given.set, loaded, common.said_by_flags(given))
    if given.seeds is not None:
        _check_alone(given, meeting, "--seeds")
        return play_study(create(given.out, given.name, recipe, planned(recipe, [], seeds)), loaded, given)
    if meeting is None and given.nproc is not None:
        check_name(given.out, given.name)
        check_sources(recipe, shipped(loaded.recipes))
        return _launched(given, recipe)
    if meeting and meeting.run:  # it was begun before some rank died
        return _go_on(RunFolder(Path(meeting.run)), given, meeting, loaded)
    ranks = join(meeting, recipe.compute) if meeting else ALONE
    if not ranks.first:
        return _status(follow(recipe, ranks, trust=given.trust).play())
    with _listening(given) as listener:
        begun = start(recipe, loaded, given.out, given.name, listener, trust=given.trust, ranks=ranks)
        return _play(begun, listener, meeting)


def _resume(given: argparse.Namespace, meeting: Meeting | None) -> int:
    if is_study(given.run):
        _check_alone(given, meeting, f"{given.run} is of several runs")
        return _resume_several(given)
    folder = open_run(given.run)
    for text in given.set:
        key = ".".join(part.strip() for part in text.partition("=")[0].split("."))
        if key not in ANEW:
            raise AgekitError(f"--set {key}: a run goes on as it began; only {', '.join(ANEW)} change")
    return _go_on(folder, given, meeting, _plugins(meeting), given.set, common.said_by_flags(given))


def _go_on(
    folder: RunFolder,
    given: argparse.Namespace,
    meeting: Meeting | None,
    loaded: Loaded,
    settings: Sequence[str] = (),
    flags: Mapping[str, str] | None = None,
) -> int:
    """Take a run up."""
    recipe = load_recipe(folder.recipe, loaded, settings, flags, folder.read_mark()["recipe"])
    if meeting is None and given.nproc is not None:
        return _launched(given, recipe)
    ranks = join(meeting, recipe.compute) if meeting else ALONE
    if not ranks.first:
        return _status(follow(recipe, ranks, trust=given.trust).play())
    with _listening(given) as listener:
        return _play(
            take_up(recipe, folder, listener, trust=given.trust, despite=given.despite, ranks=ranks), listener, meeting
        )


def _launched(given: argparse.Namespace, recipe: Recipe) -> int:
    """The status of this very command in several processes."""
    check_launch(recipe, given.nproc)
    return launch(given.words, given.nproc, given.restarts or 0)


def _plugins(meeting: Meeting | None) -> Loaded:
    """Everything installed; one of several ranks names what is broken."""
    return common.plugins() if meeting is None or meeting.place.rank == 0 else load()


def _check_alone(given: argparse.Namespace, meeting: Meeting | None, what: str) -> None:
    """Raise `AgekitError` where several processes would play several runs."""
    if given.nproc is not None or meeting is not None:
        raise AgekitError(f"{what}: several runs are played by one process; each by itself may have several ranks")


def _resume_several(given: argparse.Namespace) -> int:
    """Go on with the runs of a study, those that failed among them."""
    if given.set or given.steps is not None or given.despite:
        flag = "--steps" if given.steps is not None else "--set" if given.set else "--despite"
        raise AgekitError(f"{flag}: {given.run} is of several runs, and they go on as they began; resume one by itself")
    return play_study(opened(given.run), common.plugins(), given, retry=True)


@contextmanager
def _listening(given: argparse.Namespace) -> Iterator[Teller]:
    """A console that hears of a run."""
    told = print_json if given.json else None
    listener = Teller(RunConsole(make_console(stderr=given.json, enduring=True)), told, nproc=given.nproc)
    try:
        yield listener
    finally:
        listener.console.stop()


def _play(begun: Run, listener: Teller, meeting: Meeting | None) -> int:
    if meeting:
        meeting.began(str(begun.folder.path.resolve()))
    try:
        return _status(play(begun, listener))
    except KeyboardInterrupt:  # for the second time, or before the first step
        listener.console.stop()
        raise KeyboardInterrupt(f"{standing(begun.folder)}; to go on: {listener.way_on(begun)}") from None


def _status(finished: bool) -> int:
    return 0 if finished else INTERRUPTED
