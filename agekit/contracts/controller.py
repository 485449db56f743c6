"""The contract of controllers: weights that adapt to what the game does."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from .component import Component

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Reading:
    """What a controller learns of a term from the step before.

    value: the term, unweighted, [], on the device; the mean over its player's updates.
    ideal: what a divergence of codes comes to where they follow the reference exactly, None where that is not known; 0
        for any other loss.
    gradient: the norm, [], of the unweighted term's gradient with respect to all parameters that its player owns, in
        the player's last update; None where no controller asks for it.
    """

    value: Tensor
    ideal: float | None
    gradient: Tensor | None = None


class Controller(Component):
    """A weight that follows the terms of the step before.

    Its state is a few numbers, which the engine keeps: on the device, in float64, in checkpoints, and through the
    stages in which the term has an equal controller. One that sets `gradients` is told the norms of gradients too, at
    the price of a backward pass for each term it watches.
    """

    gradients: ClassVar[bool] = False

    @abstractmethod
    def watches(self) -> tuple[str, ...]:
        """The terms it looks at: `term` for one of the same player, or `player.term`."""

    @abstractmethod
    def begin(self) -> Mapping[str, float]:
        """The state before the first step; the entry `weight` is the weight."""

    @abstractmethod
    def __call__(
        self, state: Mapping[str, Tensor], readings: Mapping[str, Reading], rate: float
    ) -> Mapping[str, Tensor]:
        """The state after a step, of the same entries, each [].

        `readings` are those of the terms it watches, by the names it gives them; `rate` is the learning rate of the
        term's player as a share of its first in this stage. Pure, and without waiting for the device.
        """

    def check(self, own: str, ideals: Mapping[str, float | None]) -> None:
        """Raise `ValueError`, saying what would fit, where it cannot work.

        `own` is the term whose weight it is, as `player.term`; `ideals` are those of the terms it watches, by the names
        it gives them, as a `Reading` has them.
        """
