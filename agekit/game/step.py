"""What a step, and each of its updates, came to; and which of it is no number."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from .controllers import Values


@dataclass(frozen=True)
class Made:
    """What an update came to, on the device: its terms, unweighted, the norms that are asked for, its gradient's norm.

    `skipped` tells that some of it is no number, and that the update was not applied for that.
    """

    terms: dict[str, Tensor]
    norms: dict[str, Tensor]
    gradient: Tensor
    skipped: bool = False

    def copied(self) -> Made:
        """The same, on its own: copied at once, where all is of one type."""
        every = [*self.terms.values(), *self.norms.values(), self.gradient]
        alike = len({value.dtype for value in every}) == 1
        copies = iter(torch.stack(every).unbind() if alike else [value.clone() for value in every])
        terms, norms = ({name: next(copies) for name in told} for told in (self.terms, self.norms))
        return Made(terms, norms, next(copies), self.skipped)

    def finite(self) -> bool:
        """Whether all of it is numbers; waits for the device."""
        return bool(torch.stack([value.double() for value in (*self.terms.values(), self.gradient)]).isfinite().all())


@dataclass
class Step:
    """What a step left behind: for each player its terms, unweighted, on the device; the mean over its updates.

    Its number, stage and step of the stage are those it was played at. `norms` are those of the terms' gradients, in
    the last update, as far as controllers ask for them. `made` is what each update came to, applied or skipped.
    """

    number: int
    position: int = 0
    stage_step: int = 0
    terms: Values = field(default_factory=dict)
    norms: Values = field(default_factory=dict)
    weights: dict[str, dict[str, float | Tensor]] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    made: dict[str, list[Made]] = field(default_factory=dict)

    def take(self, player: str, made: list[Made]) -> None:
        """Note what a player's updates came to: of those that were applied, where any was."""
        self.made[player] = made
        applied = [update for update in made if not update.skipped] or made
        self.terms[player] = {term: _mean([update.terms[term] for update in applied]) for term in made[0].terms}
        self.norms[player] = made[-1].norms


def _mean(values: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(values)).mean() if len(values) > 1 else values[0]


@dataclass(frozen=True)
class Number:
    """A number of an update of a player: a term, or the norm of the gradient where `term` is None."""

    player: str
    update: int
    term: str | None
    value: Tensor

    @property
    def key(self) -> str:
        """What it is called: a term by its key in the recipe."""
        return f"players.{self.player}.terms.{self.term}" if self.term else f"the gradient of players.{self.player}"


def numbers(made: Mapping[str, Sequence[Made]], *, skipped: bool) -> list[Number]:
    """The numbers of a step's updates, in the order in which they arise; of those skipped, or of those applied."""
    return [
        number
        for player, updates in made.items()
        for position, update in enumerate(updates)
        if update.skipped == skipped
        for number in _of(player, position, update)
    ]


def _of(player: str, position: int, update: Made) -> Iterator[Number]:
    yield from (Number(player, position, term, value) for term, value in update.terms.items())
    yield Number(player, position, None, update.gradient)


def none_of(values: Sequence[Tensor], device: torch.device) -> list[int]:
    """The positions of those tensors that are not finite, of any shapes; waits for the device, once."""
    if not values:
        return []
    sums = torch.stack([value.detach().sum().double().to(device) for value in values]).isfinite().tolist()
    # a sum may overflow where no entry does: only then it is looked at closely
    return [i for i, fine in enumerate(sums) if not fine and not bool(values[i].isfinite().all())]


def shown(value: Tensor) -> str:
    """A number that is none, as it is said."""
    number = float(value)
    return "nan" if math.isnan(number) else "inf" if number > 0 else "-inf"
