"""Codes of a trained run: what its networks make, by expression."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..errors import AgekitError, RunError
from ..game.check import view_expressions
from ..game.game import Game
from ..game.plan import plan_view
from ..game.views import Gallery
from ..recipe.tables import View
from .clouds import Cloud

LEAST = 1024
"""Codes that are made of each expression, of which batches are drawn."""

BATCHES = 8
"""At least so many of the largest batches are made, where the data has as many."""


def code_expressions(game: Game) -> list[str]:
    """The calls in the game's terms that make codes. Raises `RunError` where there is none."""
    nodes = [node for seat in game.seats for node in seat.plan.nodes]
    found = list(dict.fromkeys(n.text for n in nodes if n.op == "network" and n.space == game.scope.code))
    if not found:
        raise RunError(f"{game.recipe.name} has no term in which a network makes codes")
    return found


def run_clouds(game: Game, batches: Sequence[int]) -> list[Cloud]:
    """A cloud for each expression of codes: batches of them, each drawn at random without repeating a code.

    Codes are evaluated as views are, with recalibrated batch-norm statistics, on held-out samples where there are
    some. The game shows these from now on, in the place of its views. Raises `AgekitError` where a batch is larger
    than what there is.
    """
    views = {text: View(of=text) for text in code_expressions(game)}
    game.stage = replace(game.stage, views=views)
    game.views = {name: plan_view(name, view, view_expressions(view), game.scope) for name, view in views.items()}
    gallery, largest = Gallery(game), max(batches)
    clouds = []
    for name in views:
        codes = gallery.show(name, count=max(LEAST, BATCHES * largest)).of.float().cpu()
        if len(codes) < largest:
            raise AgekitError(f"a batch of {largest}: the run's data makes {len(codes)} codes {name}")
        clouds.append(Cloud(name, some_of(codes)))
    return clouds


def some_of(codes: Tensor) -> Callable[[int, torch.Generator], Tensor]:
    """Draw rows of a tensor, none twice."""
    return lambda n, generator: codes[torch.randperm(len(codes), generator=generator)[:n]]
