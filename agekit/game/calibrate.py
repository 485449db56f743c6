"""Batch-norm statistics that are those of a view itself, and computing without autograd by them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from ..data.order import indices
from ..recipe.language import Call, Expression
from .compiling import as_written
from .flow import Flow
from .game import Game
from .graph import Graph, Node
from .networks import Buffers, call_with, fresh_buffers, normalisers
from .plan import Mode
from .randomness import Draws, Part

CALIBRATION_BATCHES = 8
Key = tuple[Part, ...]


def calibrate(game: Game, expressions: Iterable[Expression]) -> dict[str, Buffers]:
    """Batch-norm statistics of each call: the mean over batches of draws and training data passed along expressions.

    A call with the same text sees the same law in every expression, so that all are passed along as one graph.
    """
    graph, layers = Graph(game.scope), _layers(game)
    for call in (call for expression in expressions for call in _calls(expression, layers)):
        graph.add(call)
    calls = [n for n in graph.nodes if n.op == "network" and n.name in layers]
    taken = {node.text: fresh_buffers(game.networks[node.name]) for node in calls}
    if not taken:
        return {}
    fields, draws = ([node.name for node in graph.nodes if node.op == op] for op in ("field", "draw"))
    seed = game.recipe.run.seed
    with _cumulative([layer for inside in layers.values() for layer in inside]):
        for step in range(CALIBRATION_BATCHES):
            key: Key = (seed, "calibrate", step)
            leaves = {name: game.draw(game.stage.batch, *key, name) for name in draws}
            if fields:
                data = game.data()
                chosen = indices(data.length, game.stage.batch, seed=seed, stream="calibrate", step=step)
                leaves |= data.take(chosen, fields)
            evaluate(game, graph.nodes, leaves, taken, key, by_batch=True)
    return taken


def _calls(expression: Expression, names: Collection[str]) -> Iterator[Expression]:
    """The calls of these networks inside an expression: what is above them need not be computed."""
    if isinstance(expression, Call):
        for argument in expression.arguments:
            yield from _calls(argument, names)
        if expression.name in names:
            yield expression


def _layers(game: Game) -> dict[str, list[_BatchNorm]]:
    """The batch-norm layers, by network, of those that go by the batch in training.

    A running average is as its original; a network that is frozen with its statistics keeps to these in views as well.
    """
    found: dict[str, list[_BatchNorm]] = {}
    for name, network in game.networks.items():
        original = game.networks[game.stage.networks[name].keys.average_of or name]
        if any(layer.training for layer in normalisers(original)):
            found[name] = normalisers(network)
    return found


@contextmanager
def _cumulative(layers: list[_BatchNorm]) -> Iterator[None]:
    """Meanwhile, batch-norm keeps the plain mean of what it sees."""
    before = [layer.momentum for layer in layers]
    try:
        for layer in layers:
            layer.momentum = None
        yield
    finally:
        for layer, momentum in zip(layers, before, strict=True):
            layer.momentum = momentum


@contextmanager
def _judged(game: Game, by_batch: bool) -> Iterator[None]:
    """Meanwhile, networks are in evaluation mode; batch-norm normalises by the batch only where that is asked for."""
    before = {module: module.training for network in game.networks.values() for module in network.modules()}
    by_the_batch = [layer for inside in _layers(game).values() for layer in inside] if by_batch else []
    try:
        for network in game.networks.values():
            network.eval()
        for layer in by_the_batch:
            layer.train()
        yield
    finally:
        for module, training in before.items():
            module.training = training


def evaluate(
    game: Game,
    nodes: Sequence[Node],
    leaves: Mapping[str, Any],
    statistics: Mapping[str, Buffers],
    key: Key,
    *,
    by_batch: bool,
) -> Flow:
    """Compute nodes without autograd, and without moving any statistics but those given."""

    def apply(_: int, node: Node, inputs: tuple[Any, ...]) -> Any:
        network = game.networks[node.name]
        buffers = statistics.get(node.text)
        if buffers is None:
            buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}
        with game.precision():
            return call_with(network, buffers, inputs)

    with torch.no_grad(), _judged(game, by_batch), as_written(game.compiled):
        modes: list[Mode] = ["constant"] * len(nodes)
        return Flow(nodes, modes, game.scope, apply, Draws(game.device, *key)).run(leaves)
