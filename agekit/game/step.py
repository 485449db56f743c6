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


class Coming:
    """Numbers on their way from the device: they are those of the moment they were asked for, whatever it does next."""

    def __init__(self, values: Sequence[Tensor], device: torch.device) -> None:
        self._shapes = [value.shape for value in values]
        flat = [value.detach().to(device).flatten() for value in values]
        asked = torch.cat(flat).double() if flat else torch.empty(0)
        self._numbers = asked.to("cpu", non_blocking=True)
        self._there = torch.cuda.Event() if asked.is_cuda else None  # type: ignore[no-untyped-call]
        if self._there is not None:
            self._there.record(torch.cuda.current_stream(asked.device))

    def read(self) -> list[float]:
        """All of them, one after another; waits until they are there."""
        numbers: list[float] = self._waited().tolist()
        return numbers

    def tensors(self) -> list[Tensor]:
        """Each of the values, in float64 on the host; waits until they are there."""
        sizes = [shape.numel() for shape in self._shapes]
        parts: Sequence[Tensor] = self._waited().split(sizes)  # type: ignore[no-untyped-call]
        return [part.view(shape) for part, shape in zip(parts, self._shapes, strict=True)]

    def _waited(self) -> Tensor:
        if self._there is not None:
            self._there.synchronize()
        return self._numbers


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

    def ask(self, device: torch.device) -> Coming:
        """Ask the device for its terms and weights: those that lie there, in their order."""
        told = (one for by_player in (self.terms, self.weights) for one in by_player.values())
        every: Iterator[float | Tensor] = (value for one in told for value in one.values())
        return Coming([value for value in every if isinstance(value, Tensor)], device)


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


class Finite:
    """Tensors of any shapes, and whether they are finite, which is asked at once and known later."""

    def __init__(self, values: Sequence[Tensor], device: torch.device) -> None:
        # in float64, or a sum may overflow where no entry does
        sums = [value.detach().sum(dtype=torch.float64) if value.ndim else value for value in values]
        self._sums = Coming(sums, device)

    def failures(self) -> list[int]:
        """The positions of those that are not; waits until that is known."""
        return [position for position, value in enumerate(self._sums.read()) if not math.isfinite(value)]


def shown(value: Tensor) -> str:
    """A number that is none, as it is said."""
    number = float(value)
    return "nan" if math.isnan(number) else "inf" if number > 0 else "-inf"
