"""Cramér–Wold distance."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from agekit.contracts import Divergence, Known, Reference, option

from ..precision import full_precision, uncompiled
from ..references import Gaussian
from .by_hand import PAIR
from .clouds import check, check_dim, unknown
from .estimators import mean_between, mean_within


class CramerWold(Divergence):
    """Squared Cramér–Wold distance: the mean over all slices of the squared L₂ distance of smoothed densities.

    D = 1/(2√(πγ)) [ mean φ(|x − x′|²/4γ) + mean φ(|y − y′|²/4γ) − 2 mean φ(|x − y|²/4γ) ]       between clouds
    D = 1/(2√π) [ γ^−½ mean φ(|x − x′|²/4γ) + (1 + γ)^−½ − 2 (γ + ½)^−½ mean φ(|x|²/(2 + 4γ)) ]    against N(0, I)

    φ(s) = ₁F₁(½; d/2; −s), the mean of e^{−s cos²} over directions, is found to 1e-10; CWAE has (1 + 4s/(2d − 3))^−½ in
    its place. γ, the variance of the smoothing, is by default Silverman's (4/3n)^{2/5}, with n the number of codes. It
    sees every difference of two laws, in closed form, and is never negative; means keep the pairs of a code and itself,
    so that a finite batch raises it, by about (φ(0) − E φ) / (2√(πγ) n) a side. The cost is n(n + m), the memory n + m.

    Source: Knop, Spurek, Tabor, Podolak, Mazur and Jastrzębski 2020 (first 2018).
    Shapes: codes [n, d], and gaussian, codes or draws [m, d] -> []. Raises ValueError where n or m is below 2, or for
    another reference.
    """

    compares = "both"
    gamma: float | None = option(None, help="γ; by default (4/3n)^{2/5}", gt=0)

    @classmethod
    def known(cls) -> Iterator[Known]:
        squares = torch.tensor([0, 4, 8, 16, 20, 16 / 6], dtype=torch.float64)
        at = dict(
            zip(squares.tolist(), torch.special.i0e(squares / 8).tolist(), strict=True)
        )  # φ(s) is I₀(s/2) e^{−s/2}
        x, y = (3 * at[0] + 4 * at[4] + 2 * at[8]) / 9, (at[0] + at[8]) / 2
        across = (3 * at[4] + at[8] + at[16] + at[20]) / 6
        yield Known(cls(gamma=1.0), PAIR, (x + y - 2 * across) / (2 * math.sqrt(math.pi)))
        normal = x + 1 / math.sqrt(2) - 2 * (at[0] + 2 * at[16 / 6]) / 3 / math.sqrt(1.5)
        yield Known(cls(gamma=1.0), (PAIR[0], "gaussian"), normal / (2 * math.sqrt(math.pi)))

    @full_precision
    def __call__(self, codes: Tensor, other: Reference | Tensor) -> Tensor:
        check(codes)
        gamma = self.gamma or (4 / (3 * len(codes))) ** 0.4
        profile = slice_mean(codes.shape[1], 4 * gamma)
        if isinstance(other, Reference):
            return self._from_normal(codes, other, gamma).to(codes.dtype)
        check(other, like=codes)
        centre = other.detach().mean(dim=0)
        x, y = codes - centre, other - centre
        sides = mean_within(x, profile, "biased") + mean_within(y, profile, "biased")
        return ((sides - 2 * mean_between(x, y, profile)) / (2 * math.sqrt(math.pi * gamma))).to(codes.dtype)

    def _from_normal(self, codes: Tensor, reference: Reference, gamma: float) -> Tensor:
        check_dim(codes, reference)
        if not isinstance(reference, Gaussian):
            raise unknown("cramer_wold", reference, "gaussian")
        own = mean_within(codes, slice_mean(codes.shape[1], 4 * gamma), "biased") / math.sqrt(gamma)
        squared = codes.double().square().sum(dim=1)
        across, *_ = slice_mean(codes.shape[1], 2 + 4 * gamma)(squared, squared, squared)
        total: Tensor = own + 1 / math.sqrt(1 + gamma) - 2 * across.mean() / math.sqrt(gamma + 0.5)
        return total / (2 * math.sqrt(math.pi))


@dataclass(frozen=True)
class SliceMean:
    """φ(s/c), as (1 + as)^−½ times a polynomial in s/(s + d/2), with its derivative."""

    c: float
    dim: int
    series: tuple[float, ...]
    slopes: tuple[float, ...]

    @uncompiled
    def __call__(self, squared: Tensor, *_: Tensor) -> tuple[Tensor, Tensor, None]:
        s, half, a = squared / self.c, self.dim / 2, steepness(self.dim)
        if self.dim == 1:
            return (-s).exp(), (-s).exp() / -self.c, None
        place = 1 - self.dim / (s + half)
        leading = (1 + a * s).rsqrt()
        correction = clenshaw(self.series, place)
        turn = clenshaw(self.slopes, place) * (2 * half / (s + half).square())
        slope = leading * (turn - correction * (a / 2) / (1 + a * s))
        return leading * correction, slope / self.c, None


def slice_mean(dim: int, c: float) -> SliceMean:
    """φ(s/c) in this dimension."""
    series = fit(dim)
    return SliceMean(c, dim, series, tuple(np.polynomial.chebyshev.chebder(series).tolist()))


def steepness(dim: int) -> float:
    """The factor of s in CWAE's approximation of φ(s)^−2."""
    return 4 / max(1, 2 * dim - 3)


def clenshaw(series: tuple[float, ...], place: Tensor) -> Tensor:
    """A Chebyshev series at places in [−1, 1]."""
    ahead, behind = place * 0, place * 0
    for coefficient in reversed(series[1:]):
        ahead, behind = coefficient + 2 * place * ahead - behind, ahead
    return series[0] + place * ahead - behind


@uncompiled
@functools.cache
def fit(dim: int) -> tuple[float, ...]:
    """Chebyshev coefficients of φ(s) √(1 + as), as far as they matter."""
    if dim == 1:
        return (1.0, 0.0)

    def corrected(place: Any) -> Any:
        s = dim / 2 * (1 + place) / (1 - place)
        return np.array([_phi(one, dim) * math.sqrt(1 + steepness(dim) * one) for one in s])

    series = np.polynomial.chebyshev.chebinterpolate(corrected, 60)
    kept = max(2, int(np.nonzero(np.abs(series) > 1e-13)[0][-1]) + 1)
    return tuple(series[:kept].tolist())


def _phi(s: float, dim: int) -> float:
    """E e^{−s cos²}, an integral of exp(−s tanh² v) sech^{d−1} v over the line, on a grid that suits any s."""
    width = 1 / math.sqrt(2 * s + dim - 1)
    u = np.linspace(-1, 1, 6001) * math.asinh(60 / width)
    v, step = width * np.sinh(u), u[1] - u[0]
    cosh = np.abs(v) + np.log1p(np.exp(-2 * np.abs(v))) - math.log(2)
    log_beta = math.lgamma((dim - 1) / 2) + math.lgamma(0.5) - math.lgamma(dim / 2)
    values = np.exp(-s * np.tanh(v) ** 2 - (dim - 1) * cosh - log_beta) * width * np.cosh(u)
    return float(values.sum() * step)
