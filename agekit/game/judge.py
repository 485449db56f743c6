"""Judging: the metrics of a game, taken on all their samples in batches, without autograd."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..data.order import indices
from ..recipe.tables import Statistics
from .flow import Flow
from .game import Game, Samples
from .plan import MetricsPlan, plan_metrics
from .taking import taking_of
from .views import Gallery, evaluate

BATCH = 64
"""Samples that are evaluated at once, whatever the batches of training."""

COUNT = 1024
"""Samples that a metric is taken on by default, where they are not held out."""

Report = Callable[[int, int], None]


@dataclass(frozen=True)
class Protocol:
    """How a metric was taken: on which samples, on how many, and with which batch-norm statistics."""

    data: Samples
    count: int
    statistics: Statistics

    @property
    def said(self) -> str:
        """In words: `on 1,024 held-out samples, recalibrated statistics`."""
        samples = {"held out": "held-out samples", "training": "samples of training", "draws": "draws"}[self.data]
        return f"on {self.count:,} {samples}, {self.statistics} statistics"


@dataclass(frozen=True)
class Judgement:
    """The numbers of a metric, by name, and how they were taken."""

    values: Mapping[str, float]
    protocol: Protocol


@dataclass
class Judge:
    """Takes the metrics of a game as it stands.

    Samples and draws are functions of the seed, so that all metrics of a game see the same ones at every step, and the
    numbers do not depend on `batch`, rounding apart. (What draws does so batch by batch; losses that balance classes,
    and batch-norm with the batch's statistics, look at their batch.)
    """

    gallery: Gallery
    batch: int = BATCH

    def judge(self, progress: Report | None = None) -> dict[str, Judgement]:
        """Take every metric; those on as many samples, with the same statistics, share their computations.

        `progress` is told how many samples are done, of how many. Raises `RecipeError` where a metric refuses what it
        is given.
        """
        game = self.gallery.game
        protocols = {name: protocol_of(game, plan) for name, plan in game.metrics.items()}
        groups: dict[tuple[int, Statistics], list[str]] = {}
        for name, protocol in protocols.items():
            groups.setdefault((protocol.count, protocol.statistics), []).append(name)
        total, done = sum(count for count, _ in groups), 0
        values: dict[str, Mapping[str, float]] = {}
        for (count, statistics), names in groups.items():
            plan = plan_metrics([game.stage.metrics[name] for name in names], game.scope)
            takings = [taking_of(game, planned) for planned in plan.metrics]
            for flow, size in self._flows(plan, count, statistics):
                for taking in takings:
                    taking.add(flow, size)
                done += size
                if progress:
                    progress(done, total)
            values |= {taking.planned.spec.name: taking.values() for taking in takings}
        return {name: Judgement(values[name], protocol) for name, protocol in protocols.items()}

    def rehearse(self) -> None:
        """Look at two samples for every metric of every stage: what cannot be taken is to be known before training.

        Raises `RecipeError` where a metric refuses what it is given.
        """
        game = self.gallery.game
        for spec in (spec for stage in game.recipe.stages for spec in stage.metrics.values()):
            plan = plan_metrics([spec], game.scope)
            for flow, size in self._flows(plan, min(2, protocol_of(game, plan).count), "running"):
                taking_of(game, plan.metrics[0]).add(flow, size)

    def _flows(self, plan: MetricsPlan, count: int, statistics: Statistics) -> Iterator[tuple[Flow, int]]:
        """The values of all nodes, batch by batch, and the size of each batch; no two sizes differ by more than one."""
        game, seed = self.gallery.game, self.gallery.game.recipe.run.seed
        buffers = self.gallery.buffers(statistics)
        drawn = {n.name: game.draw(count, seed, "judge", n.name) for n in plan.nodes if n.op == "draw"}
        fields = _fields(plan)
        chosen = _chosen(game, count) if fields else np.arange(count)
        for part in np.array_split(np.arange(count), -(-count // self.batch)):
            rows = slice(part[0], part[-1] + 1)
            leaves = {name: codes[rows] for name, codes in drawn.items()}
            if fields:
                leaves |= game.judged_data().take(chosen[rows], fields)
            key = (seed, "judge", int(part[0]))
            yield evaluate(game, plan.nodes, leaves, buffers, key, by_batch=statistics == "batch"), len(part)


def protocol_of(game: Game, plan: MetricsPlan) -> Protocol:
    """How a metric is taken in a game."""
    keys, samples = plan.metrics[0].spec.keys, game.samples_of(plan.nodes)
    if samples == "draws":
        return Protocol(samples, keys.count or COUNT, keys.statistics)
    there = game.judged_data().length
    return Protocol(samples, min(keys.count or (COUNT if samples == "training" else there), there), keys.statistics)


def _fields(plan: MetricsPlan) -> list[str]:
    return [node.name for node in plan.nodes if node.op == "field"]


def _chosen(game: Game, count: int) -> NDArray[np.int64]:
    """Which samples are judged: the same for every metric of as many, in their order in the data."""
    chosen = indices(game.judged_data().length, count, seed=game.recipe.run.seed, stream="judge", step=0)
    return np.sort(chosen)
