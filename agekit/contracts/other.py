"""The smaller contracts: operators, schedules, optimizers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from .component import Component, option
from .space import Space

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Operator(Component):
    """A function that never learns, written like a call in an expression: `stop(x)`, `mix(x, g(z))`.

    `stops` cuts the gradient: nothing is learnt through it. One that draws declares a keyword `generator`; all its uses
    in one update then share their draws.
    """

    stops: ClassVar[bool] = False

    @abstractmethod
    def space(self, *operands: Space) -> Space:
        """What it makes of these; raises `ValueError`, saying what would fit, where it takes others."""

    @abstractmethod
    def __call__(self, *operands: Any, **drawing: Any) -> Tensor:
        """Batches in, a batch out."""

    def provenance(self) -> Mapping[str, str]:
        """What its results depend on besides its operands, for protocols: how it resizes, the hash of fixed weights."""
        return {}


@dataclass(frozen=True)
class Progress:
    """Where a stage stands: the step about to be taken, counted from 0, and how many there are."""

    step: int
    steps: int
    steps_per_epoch: int

    @property
    def epoch(self) -> int:
        return self.step // self.steps_per_epoch


class Schedule(Component):
    """A number that depends on the progress of the stage, and on nothing else."""

    @abstractmethod
    def __call__(self, progress: Progress) -> float:
        """The value for the step about to be taken."""


class Optimizer(Component):
    """A rule that turns gradients into updates."""

    lr: Annotated[float, Field(ge=0)] | Schedule = option(2e-4, help="learning rate: a number or a schedule")

    @abstractmethod
    def build(self, parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
        """Make the optimizer; the engine writes the learning rate into it before each step."""
