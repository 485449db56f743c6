"""Views: what is shown and judged, with batch-norm statistics that are those of the view itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ..data.order import indices
from ..recipe.language import Expression
from ..recipe.tables import Statistics
from .bound import BoundStage
from .calibrate import Key, calibrate, evaluate
from .check import view_expressions
from .drawing import LARGEST, Drawn, evenly
from .flow import Flow
from .game import Game
from .graph import Node
from .networks import Buffers
from .plan import ViewPlan

PART = 256
"""Samples of a view that are computed at once, unless its batch-norm goes by the batch that is shown."""


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

        Raises `ComputeError` where the view shows data and there is none.
        """
        plan = self.game.views[name]
        size = part_size(plan)
        parts = None if given is None else list(_parted(given, size))
        shown = list(self.stream(plan, count=_given_count(given) if given else count, seed=seed, given=parts))
        beside = [one.beside for one in shown if one.beside is not None]
        return Shown(torch.cat([one.of for one in shown]), torch.cat(beside) if beside else None, shown[0].columns)

    def stream(
        self,
        plan: ViewPlan,
        *,
        count: int | None = None,
        seed: int | None = None,
        given: Iterable[Mapping[str, Tensor]] | None = None,
    ) -> Iterator[Shown]:
        """Evaluate a view part by part, so that any number of samples fits in memory.

        Fields may be `given` in parts; `count` then is how many samples there are of them, at most. Raises
        `ComputeError` where the view shows data and there is none.
        """
        key = self.game.recipe.run.seed if seed is None else seed
        rows = _rows(self.game, plan, count) if given is None else (count or 0) * plan.view.times
        parts = _own_parts(self.game, plan, rows, key) if given is None else map(_sized, given)
        drawn, first = Drawn(self.game, plan, rows, key), 0
        for size, fields in parts:
            repeated = {name: value.repeat_interleave(plan.view.times, 0) for name, value in fields.items()}
            size = min(size * plan.view.times, rows - first)
            leaves = {**{name: value[:size] for name, value in repeated.items()}, **drawn.take(size)}
            flow = self.evaluate(plan, plan.nodes, leaves, ("view", key, *([first] if first else [])))
            beside = None if plan.beside is None else flow.sample(plan.beside)
            yield Shown(flow.sample(plan.of), beside, plan.view.times if plan.view.times > 1 else None)
            first += size

    def evaluate(self, plan: ViewPlan, nodes: Iterable[Node], leaves: Mapping[str, Any], key: Key) -> Flow:
        """Compute nodes of a view, by the batch-norm statistics that it asks for."""
        by_batch, statistics = plan.view.statistics == "batch", self.buffers(plan.view.statistics)
        return evaluate(self.game, tuple(nodes), leaves, statistics, key, by_batch=by_batch)

    def buffers(self, statistics: Statistics) -> Mapping[str, Buffers]:
        """The batch-norm statistics by call, up to date, where they are the recalibrated ones; else none."""
        if statistics != "recalibrated":
            return {}
        self.recalibrate()
        return self.statistics


def part_size(plan: ViewPlan) -> int:
    """How many samples of the data, or of draws, are computed at once."""
    return max(1, (LARGEST if plan.view.statistics == "batch" else PART) // plan.view.times)


def fields_of(plan: ViewPlan) -> list[str]:
    """The fields of the data that a view uses."""
    return [node.name for node in plan.nodes if node.op == "field"]


def _rows(game: Game, plan: ViewPlan, wanted: int | None) -> int:
    """As many as are wanted, and no more than there are where data is shown."""
    count = wanted or plan.view.count
    return min(count, game.judged_data().length * plan.view.times) if fields_of(plan) else count


def _own_parts(game: Game, plan: ViewPlan, rows: int, seed: int) -> Iterator[tuple[int, dict[str, Tensor]]]:
    """The samples of the run's own data that a view shows, in parts; sizes alone where it shows none."""
    names, samples = fields_of(plan), -(-rows // plan.view.times)
    sizes = evenly(samples, part_size(plan))
    if not names:
        yield from ((size, {}) for size in sizes)
        return
    data, first = game.judged_data(), 0
    chosen = indices(data.length, samples, seed=seed, stream="view", step=0)
    for size in sizes:
        yield size, data.take(chosen[first : first + size], names)
        first += size


def _given_count(given: Mapping[str, Tensor]) -> int:
    return len(next(iter(given.values())))


def _sized(given: Mapping[str, Tensor]) -> tuple[int, Mapping[str, Tensor]]:
    return _given_count(given), given


def _parted(given: Mapping[str, Tensor], most: int) -> Iterator[Mapping[str, Tensor]]:
    first = 0
    for size in evenly(_given_count(given), most):
        yield {name: value[first : first + size] for name, value in given.items()}
        first += size


def _recalibrated(stage: BoundStage) -> Iterator[Expression]:
    """The expressions of all views and metrics that ask for recalibrated statistics."""
    for view in stage.views.values():
        if view.statistics == "recalibrated":
            yield from view_expressions(view).values()
    for metric in stage.metrics.values():
        if metric.keys.statistics == "recalibrated":
            yield from metric.operands.values()
