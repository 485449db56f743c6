"""Judging: the metrics of a game, taken on all their samples in batches, without autograd."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from ..contracts import Comparison
from ..recipe.language import parse_expression
from ..recipe.tables import Statistics
from .bound import MetricSpec
from .game import Game, Samples
from .plan import MetricsPlan, plan_metrics
from .samples import Gathering, Memory, Sampler, Sampling, graph_of
from .taking import compared, taking_of
from .views import Gallery

BATCH = 64
"""Samples that are evaluated at once, whatever the batches of training."""

COUNT = 1024
"""Samples that a metric is taken on by default, where they are not held out."""

Report = Callable[[int, int], None]


@dataclass(frozen=True)
class Protocol:
    """How a metric was taken: on which samples, on how many, and with which batch-norm statistics.

    `generated` is how many samples made of draws alone a comparison set beside those.
    """

    data: Samples
    count: int
    statistics: Statistics
    generated: int = 0

    @property
    def said(self) -> str:
        """In words: `on 1,024 held-out samples, recalibrated statistics`."""
        samples = {"held out": "held-out samples", "training": "samples of training", "draws": "draws"}[self.data]
        beside = f" and {self.generated:,} draws" if self.generated else ""
        return f"on {self.count:,} {samples}{beside}, {self.statistics} statistics"


@dataclass(frozen=True)
class Judgement:
    """The numbers of a metric, by name, and how they were taken."""

    values: Mapping[str, float]
    protocol: Protocol


@dataclass
class Judge:
    """Takes the metrics of a game as it stands.

    Samples and draws are functions of the seed, which is the recipe's unless another is given, so that all metrics of a
    game see the same ones at every step, and the numbers do not depend on `batch`, rounding apart. (What draws does so
    batch by batch; losses that balance classes, and batch-norm with the batch's statistics, look at their batch.)
    Features of real samples are kept where there is a memory.
    """

    gallery: Gallery
    batch: int = BATCH
    seed: int | None = None
    memory: Memory | None = None

    @property
    def sampler(self) -> Sampler:
        """What evaluates expressions on samples."""
        return Sampler(self.gallery, self.batch, self.chosen_seed)

    @property
    def chosen_seed(self) -> int:
        """The seed of samples and draws."""
        return self.gallery.game.recipe.run.seed if self.seed is None else self.seed

    def judge(self, progress: Report | None = None) -> dict[str, Judgement]:
        """Take every metric; those on the same samples, with the same statistics, share their computations.

        `progress` is told how many samples are done, of how many. Raises `RecipeError` where a metric refuses what it
        is given.
        """
        game = self.gallery.game
        protocols = {name: protocol_of(game, plan) for name, plan in game.metrics.items()}
        groups: dict[Sampling, list[MetricSpec]] = {}
        sets: dict[str, dict[str, Gathering]] = {}
        for name, protocol in protocols.items():
            spec = game.stage.metrics[name]
            if isinstance(spec.component, Comparison):
                sets[name] = gatherings(game, spec, protocol)
            else:
                groups.setdefault(_sampling(protocol), []).append(spec)
        wanted = {one for each in sets.values() for one in each.values()}
        counter = _Counter(sum(one.count for one in groups) + sum(one.sampling.count for one in wanted), progress)
        values: dict[str, Mapping[str, float]] = {}
        for sampling, specs in groups.items():
            values |= self._paired(sampling, specs, counter.add)
        values |= self._compared(sets, counter.add)
        return {name: Judgement(values[name], protocol) for name, protocol in protocols.items()}

    def _paired(
        self, sampling: Sampling, specs: Iterable[MetricSpec], told: Callable[[int], None]
    ) -> dict[str, Mapping[str, float]]:
        """Take metrics whose operands belong together, sample by sample."""
        game = self.gallery.game
        plan = plan_metrics(specs, game.scope)
        takings = [taking_of(game, planned, self.chosen_seed) for planned in plan.metrics]
        for flow, size in self.sampler.flows(plan.nodes, sampling):
            for taking in takings:
                taking.add(flow, size)
            told(size)
        return {taking.planned.spec.name: taking.values() for taking in takings}

    def _compared(
        self, sets: Mapping[str, Mapping[str, Gathering]], told: Callable[[int], None]
    ) -> dict[str, Mapping[str, float]]:
        """Take comparisons, each set gathered once, and let go of when the last that needs it is done."""
        game, left = self.gallery.game, list(sets)
        gathered, values = {}, {}
        for name, wanted in sets.items():
            for one in wanted.values():
                if one not in gathered:
                    gathered[one] = self.sampler.gather(one, self.memory, told)
            values[name] = compared(
                game, game.stage.metrics[name], [gathered[one] for one in wanted.values()], self.chosen_seed
            )
            left.remove(name)
            needed = {one for other in left for one in sets[other].values()}
            gathered = {one: found for one, found in gathered.items() if one in needed}
        return values

    def rehearse(self) -> None:
        """Look at two samples for every metric of every stage: what cannot be taken is to be known before training.

        Raises `RecipeError` where a metric refuses what it is given.
        """
        game = self.gallery.game
        for spec in (spec for stage in game.recipe.stages for spec in stage.metrics.values()):
            plan = plan_metrics([spec], game.scope)
            protocol = protocol_of(game, plan)
            if isinstance(spec.component, Comparison):
                for one in gatherings(game, spec, protocol).values():
                    few = replace(one.sampling, count=min(2, one.sampling.count), statistics="running")
                    list(self.sampler.flows(graph_of(game, one.expression)[0], few))
                continue
            few = Sampling(protocol.data, min(2, protocol.count), "running")
            for flow, size in self.sampler.flows(plan.nodes, few):
                taking_of(game, plan.metrics[0], self.chosen_seed).add(flow, size)


@dataclass
class _Counter:
    """Counts what is done, and tells."""

    total: int
    progress: Report | None
    done: int = 0

    def add(self, size: int) -> None:
        self.done += size
        if self.progress:
            self.progress(self.done, self.total)


def protocol_of(game: Game, plan: MetricsPlan) -> Protocol:
    """How a metric is taken in a game."""
    spec = plan.metrics[0].spec
    keys, data = spec.keys, game.samples_of(plan.nodes, spec.keys.on)
    if data == "draws":
        return Protocol(data, keys.count or COUNT, keys.statistics)
    there = game.judged_data(data).length
    count = min(keys.count or (COUNT if data == "training" else there), there)
    expressions = spec.operands.values() if isinstance(spec.component, Comparison) else ()
    drawn = any(game.samples_of(graph_of(game, one)[0], keys.on) == "draws" for one in expressions)
    return Protocol(data, count, keys.statistics, (keys.generated or count) if drawn else 0)


def gatherings(game: Game, spec: MetricSpec, protocol: Protocol) -> dict[str, Gathering]:
    """The sets that a comparison is taken of, by operand."""
    found = {}
    for name, operand in spec.component.operands.items():
        expression = spec.operands.get(name) or parse_expression(str(operand.default))
        data = game.samples_of(graph_of(game, expression)[0], spec.keys.on)
        count = protocol.generated if data == "draws" and protocol.generated else protocol.count
        found[name] = Gathering(expression, Sampling(data, count, protocol.statistics))
    return found


def _sampling(protocol: Protocol) -> Sampling:
    return Sampling(protocol.data, protocol.count, protocol.statistics)
