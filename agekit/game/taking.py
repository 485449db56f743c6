"""One metric on its way: what it keeps of each batch, and the numbers that come of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ..contracts import Comparison, Divergence, Loss, Metric, draws
from ..errors import Problem, RecipeError
from ..recipe.language import Name
from ..recipe.source import dotted
from .blame import blamed
from .bound import MetricSpec
from .flow import Flow
from .game import Game
from .graph import REFERENCE
from .plan import PlannedMetric
from .randomness import generator
from .watching import ideal_of


@dataclass
class Taking(ABC):
    """A metric, and what it has kept so far: a column for each thing that it keeps of a batch."""

    game: Game
    planned: PlannedMetric
    seed: int
    kept: list[Sequence[Any]] = field(default_factory=list)

    @torch.no_grad()
    def add(self, flow: Flow, size: int) -> None:
        """Keep what is needed of a batch. Raises `RecipeError` where the metric refuses it."""
        try:
            operands = flow.operands(self.planned.binds, self.game.recipe.reference)
            with named(self.planned.spec):
                self.kept.append(self._kept(flow, operands, size))
        except ValueError as error:
            raise refused(self.game, self.planned.spec, error) from error

    @torch.no_grad()
    def values(self) -> Mapping[str, float]:
        """The numbers of all that was kept. Raises `RecipeError` where the metric refuses it."""
        try:
            with named(self.planned.spec):
                return self._values([joined(column) for column in zip(*self.kept, strict=True)])
        except ValueError as error:
            raise refused(self.game, self.planned.spec, error) from error

    @abstractmethod
    def _kept(self, flow: Flow, operands: Sequence[Any], size: int) -> Sequence[Any]:
        """What is kept of a batch of this size."""

    @abstractmethod
    def _values(self, columns: Sequence[Any]) -> Mapping[str, float]:
        """The numbers of what was kept of all batches."""


@dataclass
class Rows(Taking):
    """A metric proper: it keeps rows, and makes numbers of all."""

    component: Metric = field(kw_only=True)

    def _kept(self, flow: Flow, operands: Sequence[Any], size: int) -> Sequence[Any]:  # noqa: ARG002 - contract
        rows = self.component.rows(*operands).cpu()
        if rows.shape[:1] != (size,):
            raise ValueError(f"makes {list(rows.shape)} of {size} samples, where one row each fits")
        return (rows,)

    def _values(self, columns: Sequence[Any]) -> Mapping[str, float]:
        return self.component.values(columns[0], self.planned.spaces)


@dataclass
class Mean(Taking):
    """A loss of each sample: its mean over all."""

    component: Loss = field(kw_only=True)

    def _kept(self, flow: Flow, operands: Sequence[Any], size: int) -> Sequence[Any]:
        value = self.component(*operands, **flow.chance(self.component, "metric", self.planned.spec.name))
        if value.shape != (size,):
            made = list(value.shape) if value.ndim else "one number"
            raise ValueError(f"makes {made} of {size} samples, where a loss that is judged makes one number each")
        return (value,)

    def _values(self, columns: Sequence[Any]) -> Mapping[str, float]:
        return {"value": columns[0].double().mean().item()}


@dataclass
class Whole(Taking):
    """A divergence: taken once, of the codes of all samples together."""

    component: Divergence = field(kw_only=True)

    def _kept(self, flow: Flow, operands: Sequence[Any], size: int) -> Sequence[Any]:  # noqa: ARG002 - contract
        return operands

    def _values(self, columns: Sequence[Any]) -> Mapping[str, float]:
        """The value; beside it, where the codes are compared with the reference, its ideal and the excess over it."""
        value = self.component(*columns, **self._chance()).item()
        spec, game = self.planned.spec, self.game
        ideal = ideal_of(self.component, spec.operands, game.scope, game.recipe.reference)
        if ideal is None or spec.operands.get("to", Name(REFERENCE)) != Name(REFERENCE):
            return {"value": value}
        return {"value": value, "ideal": ideal, "excess": value - ideal}

    def _chance(self) -> dict[str, torch.Generator]:
        if not draws(type(self.component).__call__):
            return {}
        return {"generator": generator(self.game.device, self.seed, "judge", "metric", self.planned.spec.name)}


def taking_of(game: Game, planned: PlannedMetric, seed: int) -> Taking:
    """The way in which a metric, or a loss that is taken as one, is taken on samples that belong together."""
    component = planned.spec.component
    if isinstance(component, Metric):
        return Rows(game, planned, seed, component=component)
    if isinstance(component, Divergence):
        return Whole(game, planned, seed, component=component)
    assert isinstance(component, Loss)  # noqa: S101 - a measure that is no comparison is a metric or a loss
    return Mean(game, planned, seed, component=component)


@torch.no_grad()
def compared(game: Game, spec: MetricSpec, sets: Sequence[Tensor], seed: int) -> Mapping[str, float]:
    """The numbers of a comparison of whole sets. Raises `RecipeError` where it refuses them."""
    component = spec.component
    assert isinstance(component, Comparison)  # noqa: S101 - whose sets were gathered
    chance = {"generator": generator(torch.device("cpu"), seed, "judge", "metric", spec.name)}
    try:
        with named(spec):
            return component(*sets, **(chance if draws(type(component).__call__) else {}))
    except ValueError as error:
        raise refused(game, spec, error) from error


def named(spec: MetricSpec) -> AbstractContextManager[None]:
    """Meanwhile, what a metric raises names it."""
    return blamed(f"metrics.{spec.name}: {spec.label}", spec.component)


def refused(game: Game, spec: MetricSpec, error: ValueError) -> RecipeError:
    """What a metric said against what it was given, with its place in the recipe."""
    key = ("metrics", spec.name)
    return RecipeError([Problem(dotted(key), f"{spec.label}: {error}", game.recipe.document.origin(key))])


def joined(column: Sequence[Any]) -> Any:
    """What all batches have kept of one thing: the tensors in one, or the reference, which is the same in each."""
    return torch.cat(list(column)) if isinstance(column[0], Tensor) else column[0]
