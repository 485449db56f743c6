"""A step looked at closely: in which term, at which node, for which samples a number is none first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from .flow import Flow
from .game import Game
from .networks import clones
from .plan import plan_player
from .portions import Portion
from .update import Seat, Weights


@dataclass(frozen=True)
class Finding:
    """What a term of an update came to: its value, the norm of its weighted gradient, and what was no number first.

    `samples` are those of the data for which it was, where it is of samples; `first` is empty where all are numbers.
    """

    player: str
    update: int
    term: str
    value: float
    gradient: float
    first: str
    samples: tuple[int, ...]


@dataclass
class Look:
    """What is seen of a flow as it runs: the first layer, the first node and its rows, the last gradient."""

    layer: str = ""
    node: int | None = None
    rows: set[int] = field(default_factory=set)
    slope: int | None = None
    slope_rows: set[int] = field(default_factory=set)

    def seen(self, portion: Portion, flow: Flow) -> None:
        """Look at the values of a portion, and at the gradients as they come back."""
        for index, value in enumerate(flow.values):
            shown = value.mean if isinstance(value, Distribution) else value
            if shown is None:
                continue
            if rows := _rows(shown, portion):
                self.node = index if self.node is None else min(self.node, index)
                if index == self.node:
                    self.rows |= rows
            if isinstance(value, Tensor) and value.requires_grad:
                value.register_hook(  # type: ignore[no-untyped-call]
                    lambda slope, index=index: self._came_back(index, slope, portion)
                )

    def _came_back(self, index: int, slope: Tensor, portion: Portion) -> None:
        """Gradients come to later nodes first."""
        if rows := _rows(slope, portion):
            self.slope = index if self.slope is None else max(self.slope, index)
            if index == self.slope:
                self.slope_rows |= rows


def _rows(value: Tensor, portion: Portion) -> set[int]:
    """The samples of the batch in whose rows not all are numbers."""
    none = ~value.detach().flatten(1).isfinite().all(1) if value.ndim > 1 else ~value.detach().isfinite()
    return {portion.start + int(row) for row in none.nonzero().flatten()} if none.ndim else set()


def examine_step(game: Game) -> list[Finding]:
    """Play a step, and look closely at each term of each update before it is made, alone."""
    found: list[Finding] = []
    game.step(lambda seat, update, weights: found.extend(_examined(game, seat, update, weights)))
    return found


def _examined(game: Game, seat: Seat, update: int, weights: Weights) -> Iterator[Finding]:
    """The terms of an update; all is as it was afterwards."""
    kept = {name: clones(network) for name, network in game.networks.items()}
    spoiled = next((name for name, tensor in game.named_tensors() if not bool(tensor.isfinite().all())), None)
    for term in seat.player.terms:
        player = replace(seat.player, terms=(term,))
        alone = replace(seat, player=player, plan=plan_player(player, game.scope), measured=frozenset())
        look = Look()
        with _layers(game, look):
            values, _ = game.gradients(alone, update, weights, look.seen)
        value, slopes = values[term.name], [p.grad for p in seat.parameters if p.grad is not None]
        norm = nn.utils.get_total_norm(slopes)
        first, rows = _first(alone, look, value, norm, spoiled)
        game.put_back(kept)
        samples: tuple[int, ...] = ()
        if alone.plan.fields:
            chosen = game.batch_of(player.name, update, game.position, game.stage_step)
            samples = tuple(chosen[sorted(rows)].tolist())
        yield Finding(player.name, update, term.name, float(value), float(norm), first, samples)


def _first(seat: Seat, look: Look, value: Tensor, norm: Tensor, spoiled: str | None) -> tuple[str, set[int]]:
    """What is no number first, in words, and the rows it is none in: going forward, and then back."""
    nodes = seat.plan.nodes
    if look.node is not None:
        node = nodes[look.node]
        if spoiled and spoiled.partition(".")[0] == node.name:
            return f"the tensor {spoiled}, before the update", set()
        return f"{node.text}{f', in {look.layer}' if node.op == 'network' and look.layer else ''}", look.rows
    if not bool(value.isfinite()):
        return f"{seat.plan.terms[0].term.label}, of numbers", set()
    if look.slope is not None:
        return f"the gradient at {nodes[look.slope].text}", look.slope_rows
    return ("" if bool(norm.isfinite()) else "the gradient in the weights"), set()


@contextmanager
def _layers(game: Game, look: Look) -> Iterator[None]:
    """Meanwhile, note the first layer that makes of numbers what is none."""

    def hook(name: str) -> Any:
        def after(module: nn.Module, inputs: Any, made: Any) -> None:
            if not look.layer and _spoils(inputs, made):
                look.layer = f"{name} ({type(module).__name__})"

        return after

    layers = [
        (f"{name}.{path}", module)
        for name, network in game.networks.items()
        for path, module in network.named_modules()
        if not any(module.children())
    ]
    handles = [module.register_forward_hook(hook(path)) for path, module in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _spoils(inputs: Any, made: Any) -> bool:
    given = [one for one in inputs if isinstance(one, Tensor)]
    return (
        isinstance(made, Tensor)
        and not bool(torch.isfinite(made).all())
        and all(bool(torch.isfinite(one).all()) for one in given)
    )
