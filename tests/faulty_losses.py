"""Losses of every kind that break one promise each; what is right of them is in `Right…`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import numpy as np
import torch
import torch.distributed as dist
from pydantic import PrivateAttr
from torch import Tensor

import agekit
from agekit.contracts import Law, Operand

CODES = [[0.0, 1.0], [2.0, 3.0], [4.0, 8.0]]
"""Of mean (2, 4) and variances 8/3 and 26/3."""


class RightDistance(agekit.Divergence):
    """Squared distance of means, |m − m′|²/d. Source: nobody, 2020."""

    @classmethod
    def known(cls) -> Iterator[agekit.Known]:
        yield agekit.Known(cls(), (CODES, [[1.0, 1.0], [5.0, 3.0]]), (1 + 4) / 2)
        yield agekit.Known(cls(), (CODES, "gaussian"), (4 + 16) / 2)

    def __call__(self, codes: Tensor, other: agekit.Reference | Tensor) -> Tensor:
        dim = other.dim if isinstance(other, agekit.Reference) else other.shape[-1]
        if codes.ndim != 2 or codes.shape[1] != dim or (isinstance(other, Tensor) and other.ndim != 2):
            raise ValueError("clouds [n, d] and [m, d] fit")
        return (codes.mean(dim=0) - self.centre(other)).square().mean()

    def centre(self, other: agekit.Reference | Tensor) -> Tensor | float:
        return other.mean(dim=0) if isinstance(other, Tensor) else 0.0

    def limit(self, reference: agekit.Reference, law: Law) -> float:
        return law.mean.square().mean().item()


class OtherwiseFromReferences(RightDistance):
    """Squared distance of means, from references another one, |m − m′|²/d. Source: nobody, 2020."""

    def centre(self, other: agekit.Reference | Tensor) -> Tensor | float:
        return super().centre(other) if isinstance(other, Tensor) else 0.5


class WrongLimit(RightDistance):
    """Squared distance of means, of which a wrong limit is told, |m − m′|²/d. Source: nobody, 2020."""

    def limit(self, reference: agekit.Reference, law: Law) -> float:
        return law.mean.square().sum().item()


class OnTheCPU(RightDistance):
    """Squared distance of means, with zeros of its own, |m − m′|²/d. Source: nobody, 2020."""

    def centre(self, other: agekit.Reference | Tensor) -> Tensor | float:
        return other.mean(dim=0) if isinstance(other, Tensor) else torch.zeros(other.dim)


class RightFit(agekit.Divergence):
    """Squared mean and squared gap of the variance from 1, 1/d Σ m² + (v − 1)². Source: nobody, 2020."""

    values: ClassVar[tuple[float, ...]] = ((4 + 16) / 2 + ((5 / 3) ** 2 + (23 / 3) ** 2) / 2,)

    @classmethod
    def known(cls) -> Iterator[agekit.Known]:
        for value in cls.values:
            yield agekit.Known(cls(), (CODES,), value)

    def __call__(self, codes: Tensor) -> Tensor:
        if codes.ndim != 2 or len(codes) < 2:
            raise ValueError("a batch [n, d] of two and more fits")
        return self.of(codes.mean(dim=0), codes.var(dim=0, correction=0))

    def of(self, mean: Tensor, variance: Tensor) -> Tensor:
        return mean.square().mean() + (variance - 1).square().mean()

    def ideal(self, reference: agekit.Reference) -> float:
        if reference.variance != 1:
            raise ValueError("it is known of N(0, I) alone")
        return 0.0


class Unknown(RightFit):
    """Σ m², of which nothing is declared known. Source: nobody, 2020."""

    values = ()


class SumAtOneCoordinate(RightFit):
    """Sums in the place of means, known in one dimension, Σ m² + (v − 1)². Source: nobody, 2020."""

    @classmethod
    def known(cls) -> Iterator[agekit.Known]:
        yield agekit.Known(cls(), ([[-1.0], [3.0], [4.0]],), 4 + (26 / 3 - 5) ** 2)

    def of(self, mean: Tensor, variance: Tensor) -> Tensor:
        return mean.square().sum() + (variance - 1).square().sum()


class SumOfNothing(SumAtOneCoordinate):
    """A sum in the place of a mean, known where that is 0, Σ m² + (v − 1)². Source: nobody, 2020."""

    @classmethod
    def known(cls) -> Iterator[agekit.Known]:
        yield agekit.Known(cls(), ([[-3.0, 2.0], [3.0, 2.0], [0.0, -4.0]],), 25 + 49)


class DeviationOfOne(RightFit):
    """The deviation in the place of the variance, known where it is 1, Σ m² + (s − 1)². Source: nobody, 2020."""

    @classmethod
    def known(cls) -> Iterator[agekit.Known]:
        yield agekit.Known(cls(), ([[1.0, 2.0], [3.0, 4.0], [1.0, 4.0], [3.0, 2.0]],), (4 + 9) / 2)

    def of(self, mean: Tensor, variance: Tensor) -> Tensor:
        return super().of(mean, variance.sqrt())


class OneChoice(RightFit):
    """Σ m², known for one of two choices. Source: nobody, 2020."""

    how: Literal["well", "badly"] = agekit.option("well", help="how it is done")


class SetsItself(RightFit):
    """Σ m², and remembers it in an attribute. Source: nobody, 2020."""

    def of(self, mean: Tensor, variance: Tensor) -> Tensor:
        self.last = mean
        return super().of(mean, variance)


class CountsApart(RightFit):
    """Σ m², and counts its calls in a private attribute. Source: nobody, 2020."""

    _calls: list[int] = PrivateAttr(default_factory=list)

    def of(self, mean: Tensor, variance: Tensor) -> Tensor:
        self._calls.append(1)
        return super().of(mean, variance)


class CountsForAll(RightFit):
    """Σ m², and counts the calls of all instances. Source: nobody, 2020."""

    calls: ClassVar[int] = 0

    def of(self, mean: Tensor, variance: Tensor) -> Tensor:
        type(self).calls += 1
        return super().of(mean, variance)


class Seeds(RightFit):
    """Σ m², and seeds numpy. Source: nobody, 2020."""

    def of(self, mean: Tensor, variance: Tensor) -> Tensor:
        np.random.seed(0)
        return super().of(mean, variance)


class Halves(RightFit):
    """Σ m², in half precision where the codes are not in double. Source: nobody, 2020."""

    def of(self, mean: Tensor, variance: Tensor) -> Tensor:
        value = super().of(mean, variance)
        return value if mean.dtype == torch.float64 else value.half()


class GathersAlone(RightFit):
    """Σ m², of what it gathers from the ranks without a gradient. Source: nobody, 2020."""

    def __call__(self, codes: Tensor) -> Tensor:
        if not dist.is_initialized() or codes.ndim != 2:
            return super().__call__(codes)
        parts = [torch.empty_like(codes) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, codes.detach().contiguous())
        return super().__call__(torch.cat(parts) + 0 * codes.sum())


class RightError(agekit.Reciprocity):
    """Mean squared error, |x − y|²/D. Source: nobody, 2020."""

    @classmethod
    def known(cls) -> Iterator[agekit.Known]:
        yield agekit.Known(cls(), ([[3.0, 2.0]], [[0.0, 0.0]]), [6.5])

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        if output.shape != target.shape:
            raise ValueError("an output and a target of one shape fit")
        return self.of(output - target)

    def of(self, error: Tensor) -> Tensor:
        return error.square().flatten(1).mean(dim=1)


class Squeezes(RightError):
    """Mean squared error, of one sample a scalar, |x − y|²/D. Source: nobody, 2020."""

    def of(self, error: Tensor) -> Tensor:
        return super().of(error).squeeze()


class Views(RightError):
    """Mean squared error, of contiguous images alone, |x − y|²/D. Source: nobody, 2020."""

    def of(self, error: Tensor) -> Tensor:
        return super().of(error.view(len(error), -1))


class SquareOfOne(RightError):
    """Mean absolute error in the place of the squared, known where both are 1, |x − y|²/D. Source: nobody, 2020."""

    @classmethod
    def known(cls) -> Iterator[agekit.Known]:
        yield agekit.Known(cls(), ([[1.0, -1.0]], [[0.0, 0.0]]), [1.0])

    def of(self, error: Tensor) -> Tensor:
        return error.abs().flatten(1).mean(dim=1)


class Doubles(RightError):
    """Mean squared error, and doubles the target, |x − y|²/D. Source: nobody, 2020."""

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        value = super().__call__(output, target)
        target.data.mul_(2)
        return value


class Repeats(RightError):
    """Mean squared error, from one target for all samples too, |x − y|²/D. Source: nobody, 2020."""

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        return super().__call__(output, target.expand_as(output) if len(target) == 1 else target)


class HalfASlope(agekit.Loss):
    """Mean product, with half of a gradient by the second, x·y/D. Source: nobody, 2020."""

    operands = {"of": Operand(vectors=True), "to": Operand(vectors=True, like="of")}

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        return (x * (y + y.detach()) / 2).mean(dim=1)


class OneRole(agekit.Adversarial):
    """softplus(±s), known of one role. Source: nobody, 2020."""

    @classmethod
    def known(cls) -> Iterator[agekit.Known]:
        yield agekit.Known(cls(role="real"), ([0.0, 1.0],), [math.log(2), math.log1p(math.exp(-1))])

    def __call__(self, score: Tensor) -> Tensor:
        softplus: Any = torch.nn.functional.softplus
        made: Tensor = softplus(3 * score if self.role == "fake" else -score)
        return made
