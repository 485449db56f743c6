"""Divergences that are wrong in one thing each, beside the right one: what the conformance kit is there to catch."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
import torch.distributed as dist
from torch import Tensor

import agekit

PAST: dict[int, Tensor] = {}
"""Where one of these remembers."""


class Right(agekit.Divergence):
    """KL of the fitted diagonal Gaussian to N(0, I), mean over coordinates: ½ mean (s² + m² − 1 − log s²).

    Source: Ulyanov, Vedaldi and Lempitsky 2018, equation 7. Shapes: codes [n, d] -> [].
    """

    @classmethod
    def known(cls) -> Iterator[agekit.Known]:
        yield agekit.Known(cls(), ([[-1.0, -1.0], [-1.0, 5.0], [3.0, -1.0], [3.0, 5.0]],), 4 - math.log(6) / 2)

    def __call__(self, codes: Tensor) -> Tensor:
        if codes.ndim != 2 or len(codes) < 2:
            raise ValueError(f"codes of shape {[*codes.shape]}: a batch [n, d] of two and more fits")
        mean, variance = self.moments(codes.float() if codes.dtype == torch.bfloat16 else codes)
        return (variance + mean.square() - 1 - (variance + 1e-12).log()).mean() / 2

    def ideal(self, reference: agekit.Reference) -> float:
        if reference.variance != 1:
            raise ValueError("it is known of N(0, I) alone")
        return 0.0

    def moments(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        return codes.mean(dim=0), codes.var(dim=0, correction=0)


class VarianceForDeviation(Right):
    """Of Right, with the variance in the place of the deviation: ½ mean (s⁴ + m² − 1 − log s⁴). Made in 2018."""

    def moments(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        mean, variance = super().moments(codes)
        return mean, variance.square()


class MeanSquareForgotten(Right):
    """Of Right, without the square of the mean: ½ mean (s² − 1 − log s²). Made in 2018."""

    def moments(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        mean, variance = super().moments(codes)
        return 0 * mean, variance


class AverageForgotten(agekit.Divergence):
    """The squared length of the codes' sum, where that of their mean is meant: |Σ x|². Made in 2018."""

    @classmethod
    def known(cls) -> Iterator[agekit.Known]:
        yield agekit.Known(cls(), ([[0.0, 1.0], [2.0, 3.0], [4.0, 8.0]],), 36.0 + 144.0)

    def __call__(self, codes: Tensor) -> Tensor:
        if codes.ndim != 2:
            raise ValueError("a batch [n, d] fits")
        return codes.sum(dim=0).square().sum()


class PartDetached(Right):
    """Of Right, with the gradient through the mean s² alone: ½ mean (s² + m² − 1 − log s²). Made in 2018."""

    def moments(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        mean, variance = super().moments(codes)
        return mean.detach(), variance


class Detached(Right):
    """Of Right, without any gradient: ½ mean (s² + m² − 1 − log s²). Made in 2018."""

    def moments(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        return super().moments(codes.detach())


class Remembering(Right):
    """Of Right, with a running mean that is kept between calls: ½ mean (s² + m² − 1 − log s²). Made in 2018."""

    def moments(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        mean, variance = super().moments(codes)
        before = PAST.get(codes.shape[1], mean.detach())
        PAST[codes.shape[1]] = (0.9 * before + 0.1 * mean.detach()).to(torch.float64)
        return mean + (PAST[codes.shape[1]] - mean).detach(), variance


class PerRank(Right):
    """Of Right, with the statistics of this rank's part alone: ½ mean (s² + m² − 1 − log s²). Made in 2018."""

    def moments(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        if dist.is_initialized():
            codes = codes.chunk(dist.get_world_size())[dist.get_rank()]
        return super().moments(codes)
