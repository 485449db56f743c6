"""Entries: what was measured of a divergence at one batch size, and what that says."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from .clouds import NULL


@dataclass(frozen=True)
class Measurement:
    """A divergence on a cloud, over repetitions.

    values: one a repetition.
    gradient: the root mean square of the norm of its gradient by the codes, [n, d].
    signal: |E G| / √(tr Cov G), where G = Σ_i [∂D/∂x_i x_iᵀ, ∂D/∂x_i] is the gradient that a linear layer under the
        codes would get. |E G|² is estimated without bias, and taken to be 0 where the estimate is below.
    """

    values: tuple[float, ...]
    gradient: float
    signal: float

    @property
    def mean(self) -> float:
        """The mean of its values."""
        return _tensor(self.values).mean().item()

    @property
    def sd(self) -> float:
        """The standard deviation of its values."""
        return _tensor(self.values).std().item()


@dataclass(frozen=True)
class Entry:
    """A divergence at one batch size: under the null, and on other clouds by their names.

    known holds its values in the limit of many codes, by cloud, where they are known. `refused` says why there is
    nothing, where it does not take so few codes.
    """

    label: str
    batch: int
    measured: Mapping[str, Measurement] = field(default_factory=dict)
    known: Mapping[str, float] = field(default_factory=dict)
    refused: str = ""

    def power(self, cloud: str) -> float | None:
        """How far the mean is from that of the null, in standard deviations of the null."""
        pair = self._with_null(cloud)
        return None if pair is None else _power(*pair).item()

    def power_standard_error(self, cloud: str) -> float | None:
        """The standard error of the power, by leaving out each repetition in turn; nan of fewer than three.

        √((R − 1)/R Σ_r (p_r − mean p)²), with p_r the power of all R repetitions but r (Tukey's jackknife). Clouds and
        null are made of the same draws, so that what both have in common cancels.
        """
        pair = self._with_null(cloud)
        if pair is None:
            return None
        count = len(pair[0])
        if count < 3:
            return math.nan
        powers = _power(*map(_but_each, pair))
        return math.sqrt((count - 1) ** 2 / count) * powers.std(correction=1).item()

    def _with_null(self, cloud: str) -> tuple[Tensor, Tensor] | None:
        base, there = self.measured.get(NULL), self.measured.get(cloud)
        if base is None or there is None or cloud == NULL:
            return None
        return _tensor(base.values), _tensor(there.values)

    def error(self, cloud: str) -> float | None:
        """How far the mean is from the known value: under the null, the bias."""
        there = self.measured.get(cloud)
        return there.mean - self.known[cloud] if there and cloud in self.known else None


def _tensor(values: Sequence[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def _power(null: Tensor, there: Tensor) -> Tensor:
    """Of the values of repetitions: […, R], […, R] -> […]; nan where the null has no spread."""
    spread = null.std(dim=-1)
    return torch.where(spread > 0, (there.mean(dim=-1) - null.mean(dim=-1)) / spread, torch.nan)


def _but_each(values: Tensor) -> Tensor:
    """All values but the first, all but the second, …: [R] -> [R, R − 1]."""
    count = len(values)
    return values.expand(count, count)[~torch.eye(count, dtype=torch.bool)].reshape(count, count - 1)
