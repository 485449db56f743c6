"""Evaluating a run: every metric, of every checkpoint that is asked for, with every seed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from .. import __version__
from ..data.places import cache_home
from ..errors import RunError
from ..game.game import Game
from ..game.judge import Judge, Judgement
from ..game.views import Gallery
from ..plugins import Loaded
from ..train import checkpoint as saved
from ..train.compute import describe, explained
from ..train.data import Report as Preparing
from ..train.folder import RunFolder
from .evaluation import Evaluation, Measured, Value
from .opening import Opened, Wanted, open_for
from .taken import protocol_of

Progress = Callable[[str, int, int], None]
"""What is told while metrics are taken: of which checkpoint, how many samples are done, of how many."""


def evaluate(
    folder: RunFolder,
    wanted: Wanted,
    loaded: Loaded,
    *,
    cache: Path | None = None,
    trust: bool = False,
    preparing: Preparing | None = None,
    progress: Progress | None = None,
) -> Iterator[tuple[Evaluation, Path]]:
    """Judge a run's last checkpoint, and its best where one is kept; each evaluation, and the file it was written to.

    Raises `AgekitError` where what is asked does not fit the run, or something that it needs is not there.
    """
    chosen = checkpoints_of(folder, wanted.which)
    opened = open_for(folder, wanted, loaded, cache or cache_home(), trust=trust, preparing=preparing)
    for name, checkpoint in chosen.items():
        began = time.monotonic()
        game = opened.at(checkpoint, wanted.weights)
        with explained(game.recipe.compute):
            taken = _judged(opened, game, wanted.seeds, name, progress)
        evaluation = Evaluation(
            checkpoint=name,
            chosen_by=checkpoint.state().get("best", {}).get("by", ""),
            step=game.steps_done,
            metrics=_measured(opened, game, taken, wanted),
            left_out=opened.left_out,
            seconds=round(time.monotonic() - began, 3),
            device=describe(game.device, game.recipe.compute),
            agekit=__version__,
        )
        yield evaluation, evaluation.write(folder.path)


def checkpoints_of(folder: RunFolder, which: str | None) -> dict[str, saved.Checkpoint]:
    """The checkpoints that are judged, by name: `last` and, where one is kept, `best`.

    Raises `RunError` where the one that is asked for is not there.
    """
    there = {"last": saved.checkpoints(folder.checkpoints)[-1:], "best": saved.checkpoints(folder.best)[-1:]}
    found = {name: one[0] for name, one in there.items() if one and which in (None, name)}
    if not found:
        hint = '; run.best = "lowest METRIC.VALUE" in a recipe keeps one' if which == "best" else ""
        raise RunError(f"{folder.path} has no {f'{which} ' if which else ''}checkpoint{hint or ' yet'}")
    return found


def _judged(opened: Opened, game: Game, seeds: int, name: str, progress: Progress | None) -> list[dict[str, Judgement]]:
    """All metrics, once with each seed."""
    gallery, memory = Gallery(game), opened.data.features
    if not game.metrics:
        raise RunError("nothing is judged: the run has no metrics, and no view from which some follow")
    Judge(gallery).rehearse()

    def told(seed: int, done: int, total: int) -> None:
        if progress:
            progress(name, seed * total + done, seeds * total)

    return [
        Judge(gallery, seed=seed, memory=memory).judge(lambda done, total, seed=seed: told(seed, done, total))  # type: ignore[misc]
        for seed in range(seeds)
    ]


def _measured(opened: Opened, game: Game, taken: list[dict[str, Judgement]], wanted: Wanted) -> dict[str, Measured]:
    """The numbers of all seeds, by metric, with their protocol."""
    measured = {}
    for name, first in taken[0].items():
        spec, seeds = game.stage.metrics[name], range(len(taken))
        protocol = protocol_of(game, spec, first.protocol, opened.fingerprints, seeds, wanted.weights or "")
        keys = [key for key in first.values if all(key in one[name].values for one in taken)]
        values = {key: Value.of([one[name].values[key] for one in taken]) for key in keys}
        measured[name] = Measured(values=values, protocol=protocol)
    return measured
