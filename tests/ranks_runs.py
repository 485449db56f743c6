"""Runs that the processes of `ranks_pool` play together."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist

from agekit import plugins
from agekit.game.game import Game
from agekit.game.ranks import Ranks
from agekit.train.folder import open_run
from agekit.train.following import check_same, follow
from agekit.train.play import play
from agekit.train.run import resume, start

from .runs import STAGED, Quiet
from .tiny import game_of, recipe_of


def ran(
    ranks: Ranks,
    place: str,
    name: str,
    text: str = STAGED,
    settings: tuple[str, ...] = (),
    stop: tuple[int, int] = (0, 0),
) -> tuple[bool, int]:
    """Begin a run, or go on with it; `stop` is a rank, and the step after which it is signalled. Whether it is done."""
    os.chdir(place)
    deterministic = torch.are_deterministic_algorithms_enabled()
    begun, cache = Path("runs", name).exists(), Path("cache")
    try:
        recipe = recipe_of(*settings, text=text)
        if not ranks.first:
            follower = follow(recipe, ranks, cache)
            signalled(follower.game, ranks, *stop)
            return follower.play(), follower.game.steps_done
        if begun:
            run = resume(recipe, open_run(Path("runs", name)), Quiet(), cache, ranks=ranks)
        else:
            run = start(recipe, plugins.load(), Path("runs"), name, Quiet(), cache, ranks=ranks)
        signalled(run.game, ranks, *stop)
        return play(run, Quiet()), run.game.steps_done
    finally:
        torch.use_deterministic_algorithms(deterministic)


def signalled(game: Game, ranks: Ranks, rank: int, after: int) -> None:
    """Let SIGTERM come to one rank after a step."""
    step = game.step

    def stepped(*given: Any) -> Any:
        report = step(*given)
        if (ranks.rank, game.steps_done) == (rank, after):
            signal.raise_signal(signal.SIGTERM)
        return report

    game.step = stepped  # type: ignore[assignment, method-assign]


def alike(ranks: Ranks, *words: str) -> str:
    """What is said where the ranks do not have the same."""
    try:
        check_same(ranks, {"recipe": words[ranks.rank]})
    except Exception as error:  # noqa: BLE001 - told to the one who asks
        return f"{type(error).__name__}: {error}"
    return ""


def passed(ranks: Ranks, player: int, *settings: str) -> tuple[int, int, int]:
    """What an update passes: bytes that are added up, how often, and bytes that are gathered."""
    game = game_of(*settings, ranks=ranks)
    seat = game.seats[player]
    weights = game.controllers.weights(seat.player, game.progress)
    added: list[int] = []
    gathered: list[int] = []

    def add(tensor: torch.Tensor, **named: Any) -> Any:
        added.append(tensor.nbytes)
        return reduce(tensor, **named)

    def gather_(parts: list[torch.Tensor], tensor: torch.Tensor, **named: Any) -> Any:
        gathered.append(tensor.nbytes * len(parts))
        return gather(parts, tensor, **named)

    reduce, gather = dist.all_reduce, dist.all_gather
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dist, "all_reduce", add)
        patch.setattr(dist, "all_gather", gather_)
        game.gradients(seat, 0, weights)
    return sum(added), len(added), sum(gathered)
