"""How hard each term pulls at what its player trains, and which terms pull against one another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import torch
from torch import Tensor, nn

from ..data.order import indices
from .compiling import as_written
from .flow import Flow
from .game import Game
from .graph import Node
from .networks import call_with, clones
from .portions import portions
from .randomness import Draws, Part
from .update import Seat

TOTAL = "total"
"""The name of the sum of all terms among the norms."""


@dataclass(frozen=True)
class Pulls:
    """Of one player: the norm of each weighted term's gradient, and of their sum; the cosine of each pair of terms.

    A pair of which one has no gradient has no cosine.
    """

    norms: Mapping[str, float]
    cosines: Mapping[str, float]


def pulls(game: Game, weights: Mapping[str, Mapping[str, float | Tensor]]) -> dict[str, Pulls]:
    """The pulls of every player of the stage, on a batch and on draws that are the same whenever they are taken.

    Where batches come in portions the batch is one of these. Nothing moves: no weight, no gradient in store, no
    statistics of batch-norm.
    """
    with as_written(game.compiled):
        return {seat.player.name: _pulls(game, seat, weights[seat.player.name]) for seat in game.seats}


def _pulls(game: Game, seat: Seat, weights: Mapping[str, float | Tensor]) -> Pulls:
    gradients = _gradients(game, seat, weights)
    norms = {name: gradient.norm() for name, gradient in gradients.items()}
    together = torch.stack(list(gradients.values())).sum(0).norm()
    pairs = [(a, b) for a, b in combinations(gradients, 2) if norms[a] > 0 and norms[b] > 0]
    cosines = {f"{a} and {b}": gradients[a] @ gradients[b] / (norms[a] * norms[b]) for a, b in pairs}
    return Pulls(_numbers({**norms, TOTAL: together}), _numbers(cosines))


def _numbers(values: Mapping[str, Tensor]) -> dict[str, float]:
    return {name: value.item() for name, value in values.items()}


def _gradients(game: Game, seat: Seat, weights: Mapping[str, float | Tensor]) -> dict[str, Tensor]:
    """The gradient of each weighted term, all owned parameters in one vector."""
    for name, network in game.networks.items():
        network.requires_grad_(name in seat.player.owns)
    plan, key = seat.plan, (game.recipe.run.seed, "pulls", seat.player.name)
    draws = Draws(game.device, *key)
    flow = Flow(plan.nodes, plan.modes, game.scope, _apply(game), draws, plan.watched).run(_leaves(game, seat, key))
    found = {}
    for planned in plan.terms:
        value = weights[planned.term.name] * flow.term(planned, game.recipe.reference)
        found[planned.term.name] = _vector(value, seat.parameters)
    return found


def _leaves(game: Game, seat: Seat, key: tuple[Part, ...]) -> dict[str, Tensor]:
    count = portions(game.stage.batch, game.recipe.compute.micro_batch, game.ranks.count)[0].size
    leaves = {name: game.draw(count, *key, name) for name in seat.plan.draws}
    if seat.plan.fields:
        data, seed = game.data(), game.recipe.run.seed
        chosen = indices(data.length, count, seed=seed, stream="pulls", step=0)
        leaves |= data.take(chosen, seat.plan.fields)
    return leaves


def _apply(game: Game) -> Any:
    """Apply networks as in training, with copies of their buffers."""

    def apply(_: int, node: Node, inputs: tuple[Any, ...]) -> Any:
        network = game.networks[node.name]
        with game.precision():
            return call_with(network, clones(network), inputs)

    return apply


def _vector(value: Tensor, parameters: list[nn.Parameter]) -> Tensor:
    if not value.requires_grad:
        return torch.zeros(sum(p.numel() for p in parameters), device=value.device)
    found = torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True)
    pairs = zip(found, parameters, strict=True)
    return torch.cat([(torch.zeros_like(p) if g is None else g).flatten() for g, p in pairs]).float()
