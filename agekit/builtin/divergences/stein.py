"""Kernel Stein discrepancy against the standard normal."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from agekit.contracts import Divergence, Known, Reference, option

from ..precision import full_precision
from ..references import Gaussian, Sphere
from . import quadrature
from .clouds import check, unknown
from .estimators import mean_within


class KernelStein(Divergence):
    """Squared kernel Stein discrepancy from N(0, I), with an inverse multiquadric base kernel.

    KSD² = mean u(x, x′),   u = k s(x)·s(x′) + s(x)·∇_{x′}k + s(x′)·∇_x k + tr ∇_x∇_{x′}k,   s(x) = −x,
    k = (1 + r²/c)^β,   c = scale · 2d,   r = |x − x′|

    which for k = f(r²) is u = f x·x′ + 2 f′ r² − 2d f′ − 4 f″ r². Only codes are sampled. The unbiased estimate leaves
    out the pairs of a code and itself and is 0 on average at N(0, I), thus at times negative; the biased one keeps
    them. With −1 < β < 0 it detects every departure, distant modes but faintly. The cost is n², the memory n.

    Source: Liu, Lee and Jordan 2016; Gorham and Mackey 2017 (the kernel).
    Shapes: codes [n, d] -> []. Raises ValueError where n is below 2.
    """

    scale: float = option(1.0, help="c, as a multiple of 2d, the mean squared distance of two normal draws", gt=0)
    exponent: float = option(-0.5, help="β", gt=-1, lt=0)
    estimator: Literal["unbiased", "biased"] = option("unbiased", help="without or with the pairs of a code and itself")

    @classmethod
    def known(cls) -> Iterator[Known]:
        codes = [[1.0, 1.0], [1.0, 1.0], [1.0, 1 + math.sqrt(12)]]  # 1 + r²/c is 1 for the first two, 4 for the others
        equal, apart, far = 2 + 1 / 2, 1 + math.sqrt(3) - 49 / 128, 29 / 2 + 4 * math.sqrt(3)
        yield Known(cls(), (codes,), (equal + 2 * apart) / 3)
        yield Known(cls(estimator="biased"), (codes,), (4 * equal + 4 * apart + far) / 9)

    @full_precision
    def __call__(self, codes: Tensor) -> Tensor:
        check(codes)
        return mean_within(codes.double(), self._profile(codes.shape[1]), self.estimator).to(codes.dtype)

    def ideal(self, reference: Reference) -> float:
        """0 for gaussian, and E u of two uniform points for sphere."""
        if isinstance(reference, Gaussian):
            return 0.0
        if not isinstance(reference, Sphere):
            raise unknown("ksd", reference, "gaussian and sphere", samples=False)
        gaps, weights = quadrature.on_sphere(reference.dim, torch.empty(0))
        one = torch.ones((), dtype=torch.float64)
        value, *_ = self._profile(reference.dim)(2 * gaps, one, one)
        return (value @ weights).item()

    def _profile(self, dim: int) -> SteinKernel:
        return SteinKernel(self.scale * 2 * dim, self.exponent, dim)


@dataclass(frozen=True)
class SteinKernel:
    """u of squared distances s and squared lengths: x·x′ is half of |x|² + |x′|² − s."""

    c: float
    exponent: float
    dim: int

    def __call__(self, squared: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        base, lengths = 1 + squared / self.c, a + b
        f = base.pow(self.exponent)
        f1 = f / base * (self.exponent / self.c)
        f2 = f1 / base * ((self.exponent - 1) / self.c)
        f3 = f2 / base * ((self.exponent - 2) / self.c)
        inner, d = (lengths - squared) / 2, self.dim
        value = f * inner + 2 * f1 * (squared - d) - 4 * f2 * squared
        slope = f1 * inner - f / 2 + 2 * f2 * (squared - d) + 2 * f1 - 4 * f3 * squared - 4 * f2
        return value, slope, f / 2
