"""Views: what is shown and judged, with batch-norm statistics that are those of the view itself."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from ..data.order import indices
from ..errors import RunError
from ..recipe.language import Call, Expression
from ..recipe.tables import Statistics
from .bound import BoundStage
from .check import view_expressions
from .flow import Flow
from .game import Game
from .graph import Graph, Node
from .networks import Buffers, call_with, fresh_buffers, normalisers
from .plan import Mode, ViewPlan
from .randomness import Part

CALIBRATION_BATCHES = 8
Key = tuple[Part, ...]
COLUMNS = 8
"""How many steps a moving draw takes from one value to the next."""


@dataclass(frozen=True)
class Shown:
    """What a view shows: `of` [n, …], `beside` [n, …] where it has one, and how many make a row, where it says so."""

    of: Tensor
    beside: Tensor | None = None
    columns: int | None = None


@dataclass
class Gallery:
    """The views of a game, and the batch-norm statistics by which it is shown and judged.

    `statistics` holds recalibrated statistics by call, such as `g(e(x))`.
    """

    game: Game
    statistics: dict[str, Buffers] = field(default_factory=dict)
    taken_at: int = -1
    """The step after which the statistics were taken."""

    def recalibrate(self) -> None:
        """Take new statistics for every call that asks for them, unless the game has not moved since."""
        if self.taken_at != self.game.steps_done:
            self.statistics = calibrate(self.game, _recalibrated(self.game.stage))
            self.taken_at = self.game.steps_done

    def show(
        self, name: str, *, count: int | None = None, seed: int | None = None, given: Mapping[str, Tensor] | None = None
    ) -> Shown:
        """Evaluate a view: `count` samples, or as many as the fields that are `given`; `seed` chooses other draws.

        Raises `RunError` where the view shows data and there is none.
        """
        plan = self.game.views[name]
        statistics = self.buffers(plan.view.statistics)
        count = _count(self.game, plan, count, given or {})
        key = self.game.recipe.run.seed if seed is None else seed
        leaves = {**_fields(self.game, plan, count, key, given or {}), **_draws(self.game, plan, count, key)}
        by_batch = plan.view.statistics == "batch"
        flow = evaluate(self.game, plan.nodes, leaves, statistics, ("view", key), by_batch=by_batch)
        beside = None if plan.beside is None else flow.sample(plan.beside)
        return Shown(flow.sample(plan.of), beside, plan.view.times if plan.view.times > 1 else None)

    def buffers(self, statistics: Statistics) -> Mapping[str, Buffers]:
        """The batch-norm statistics by call, up to date, where they are the recalibrated ones; else none."""
        if statistics != "recalibrated":
            return {}
        self.recalibrate()
        return self.statistics


def _count(game: Game, plan: ViewPlan, wanted: int | None, given: Mapping[str, Tensor]) -> int:
    """As many as are given; else as are wanted, and no more than there are where data is shown."""
    if given:
        return len(next(iter(given.values()))) * plan.view.times
    count = wanted or plan.view.count
    return min(count, game.judged_data().length * plan.view.times) if _field_names(plan) else count


def _field_names(plan: ViewPlan) -> list[str]:
    return [node.name for node in plan.nodes if node.op == "field"]


def _fields(game: Game, plan: ViewPlan, count: int, seed: int, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    times = plan.view.times
    repeated = {name: value.repeat_interleave(times, 0) for name, value in given.items()}
    missing = [name for name in _field_names(plan) if name not in given]
    if not missing:
        return repeated
    data = game.judged_data()
    chosen = indices(data.length, -(-count // times), seed=seed, stream="view", step=0).repeat(times)[:count]
    return {**data.take(chosen, missing), **repeated}


def _draws(game: Game, plan: ViewPlan, count: int, seed: int) -> dict[str, Tensor]:
    names = [node.name for node in plan.nodes if node.op == "draw"]
    drawn = {name: game.draw(count, seed, "view", name) for name in names}
    if plan.view.along is not None:
        drawn[plan.view.along] = _moving(game, plan.view.along, count, seed)
    return drawn


def _moving(game: Game, name: str, count: int, seed: int) -> Tensor:
    """Rows of codes, each from one draw to another along the reference's own way."""
    reference = game.recipe.reference
    if reference is None:
        raise RunError("nothing to move along: the recipe has no [latent]")
    rows = -(-count // COLUMNS)
    a, b = (game.draw(rows, seed, "view", name, end).repeat_interleave(COLUMNS, 0) for end in ("from", "to"))
    t = torch.linspace(0, 1, COLUMNS, device=a.device, dtype=a.dtype).repeat(rows)[:, None]
    return reference.between(a, b, t)[:count]


def _recalibrated(stage: BoundStage) -> Iterator[Expression]:
    """The expressions of all views and metrics that ask for recalibrated statistics."""
    for view in stage.views.values():
        if view.statistics == "recalibrated":
            yield from view_expressions(view).values()
    for metric in stage.metrics.values():
        if metric.keys.statistics == "recalibrated":
            yield from metric.operands.values()


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

    with torch.no_grad(), _judged(game, by_batch):
        modes: list[Mode] = ["constant"] * len(nodes)
        return Flow(nodes, modes, game.scope, apply, game.device, key).run(leaves)
