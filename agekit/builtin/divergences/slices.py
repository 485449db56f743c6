"""Divergences of one-dimensional slices: random projections of the clouds."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from agekit.contracts import Divergence, Known, Law, Reference, option

from ..precision import full_precision, uncompiled
from ..references import Gaussian, Sphere, norm, normal
from . import quadrature
from .clouds import check, unknown

POINTS, LAST = 17, 5.0
"""The characteristic function is compared at so many points of [−LAST, LAST]."""

Weighted = list[tuple[float, float]]
"""Points and weights."""

BLOCK = 2**18
"""Projected codes that are in memory at once."""


class SlicedWasserstein(Divergence):
    """Sliced p-Wasserstein distance to the power p: the mean over random slices of the one-dimensional one.

    SW_p^p = E_θ ∫₀¹ |F⁻¹_θ·x(t) − F⁻¹_θ·y(t)|^p dt,   θ uniform on the unit sphere,

    where the quantile functions are those of the sorted projections; clouds of different sizes are compared step by
    step, exactly. It sees every difference of two laws, given enough slices, and is 0 for equal clouds. Two clouds of
    one law are above 0: for p = 2, variance 1 and some hundred codes by about 3(1/n + 1/m). The cost is L (n + m)(d +
    log n) for L slices.

    Source: Rabin et al. 2011; Bonneel et al. 2015; Kolouri et al. 2018 (in autoencoders).
    Shapes: codes [n, d] and codes or draws [m, d] -> []. Raises ValueError where n or m is below 1.
    """

    compares = "samples"
    slices: int = option(256, help="random directions, L, anew in each call", ge=1)
    p: float = option(2.0, help="the exponent", ge=1, le=8)

    @classmethod
    def known(cls) -> Iterator[Known]:
        yield Known(cls(), ([[0.0], [2.0]], [[1.0], [5.0]]), 5.0)
        cross = [[3.0, 0.0], [-3.0, 0.0], [0.0, 3.0], [0.0, -3.0]]  # of the same mean square along every slice
        yield Known(cls(), ([[0.0, 0.0]] * 4, cross), 9 / 2)

    @full_precision
    def __call__(self, codes: Tensor, other: Tensor, *, generator: torch.Generator) -> Tensor:
        check(codes, least=1)
        check(other, like=codes, least=1)
        ways = directions(codes, self.slices, generator)
        x, y = (codes @ ways).sort(dim=0).values, (other @ ways).sort(dim=0).values
        if len(x) == len(y):
            return (x - y).abs().pow(self.p).mean()
        at_x, at_y, widths = _steps(len(x), len(y), x.device)
        gaps = (x[at_x] - y[at_y]).abs().pow(self.p).mean(dim=1)
        return widths.to(x) @ gaps

    def limit(self, reference: Reference, law: Law) -> float | None:
        """|m|²/d + (s − 1)², of codes that are N(m, s²I), for p = 2 and the reference gaussian."""
        if self.p != 2 or not isinstance(reference, Gaussian) or not _isotropic(law):
            return None
        return (law.mean.square().mean() + (law.covariance[0, 0].sqrt() - 1).square()).item()


class SIGReg(Divergence):
    """Sketched isotropic Gaussian regularisation: Epps and Pulley's statistic of random slices, per code.

    SIGReg = mean_θ ∫ |1/n Σ_i e^{i t θ·x_i} − e^{−t²/2}|² e^{−t²/2} dt,   θ uniform on the unit sphere,

    by the trapezoidal rule at 17 points of [−5, 5]. It compares with N(0, I) and sees every difference, given enough
    slices, though of high-dimensional laws most slices are nearly normal. The published statistic is n times this, so
    that its weight w is n·w here; a finite batch of N(0, I) raises it by 1.06/n. The cost is n L (d + 17) for L
    slices.

    Source: Balestriero and LeCun 2025; Epps and Pulley 1983.
    Shapes: codes [n, d] -> []. Raises ValueError where n is below 1.
    """

    slices: int = option(256, help="random directions, L, anew in each call; 256 to 1024 published", ge=1)

    @classmethod
    def known(cls) -> Iterator[Known]:
        points = [
            (5 * k / 8, math.exp(-((5 * k / 8) ** 2) / 2) * (5 / 8 if abs(k) < 8 else 5 / 16)) for k in range(-8, 9)
        ]
        normal = {t: math.exp(-(t**2) / 2) for t, _ in points}
        yield Known(cls(), ([[0.0, 0.0]] * 3,), sum(weight * (1 - normal[t]) ** 2 for t, weight in points))
        squares = {t: ((1 + math.cos(2 * t)) / 2 - normal[t]) ** 2 + (math.sin(2 * t) / 2) ** 2 for t, _ in points}
        yield Known(cls(), ([[0.0], [2.0]],), sum(weight * squares[t] for t, weight in points))

    @full_precision
    def __call__(self, codes: Tensor, *, generator: torch.Generator) -> Tensor:
        check(codes, least=1)
        ways = directions(codes, self.slices, generator)
        parts = torch.split(ways, max(1, BLOCK // len(codes)), dim=1)
        if len(parts) == 1:
            return epps_pulley(codes, ways) / self.slices
        sums = [checkpoint(epps_pulley, codes, part, use_reentrant=False) for part in parts]
        return torch.stack(sums).sum() / self.slices

    def ideal(self, reference: Reference) -> float:
        """0 for gaussian, and for sphere what its slices, whose densities are (1 − u²)^{(d−3)/2}, come to."""
        if isinstance(reference, Gaussian):
            return 0.0
        if not isinstance(reference, Sphere):
            raise unknown("sigreg", reference, "gaussian and sphere", samples=False)
        gaps, masses = quadrature.on_sphere(reference.dim, torch.empty(0))
        gap = [(t, w, (t * (1 - gaps)).cos() @ masses - math.exp(-(t**2) / 2)) for t, w in _points()]
        return sum(weight * value.item() ** 2 for _, weight, value in gap)

    def limit(self, reference: Reference, law: Law) -> float | None:  # noqa: ARG002
        """Of codes that are N(m, s²I): the slice at a cosine u to m has the function e^{it|m|u − s²t²/2}."""
        if not _isotropic(law):
            return None
        variance, length = law.covariance[0, 0].item(), law.mean.norm().item()
        gaps, masses = quadrature.on_sphere(len(law.mean), law.mean)
        total = 0.0
        for t, weight in _points():
            turn = ((t * length * (1 - gaps)).cos() @ masses).item()
            own, normal = math.exp(-variance * t**2 / 2), math.exp(-(t**2) / 2)
            total += weight * (own**2 + normal**2 - 2 * own * normal * turn)
        return total


def directions(codes: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Random unit vectors, as columns: [d, count]."""
    draws = normal(count, codes.shape[1], generator).to(codes)
    return (draws / norm(draws).clamp_min(torch.finfo(draws.dtype).tiny)).T


def _isotropic(law: Law) -> bool:
    """Whether a law is normal, with a multiple of I as its covariance."""
    one = torch.eye(len(law.mean)).to(law.covariance)
    return law.normal and torch.allclose(law.covariance, law.covariance[0, 0] * one)


def epps_pulley(codes: Tensor, ways: Tensor) -> Tensor:
    """The sum of the statistic over slices: [n, d], [d, L] -> []."""
    projected = codes @ ways
    total = torch.zeros_like(projected[0])
    for t, weight in _points():
        real, imaginary = (t * projected).cos().mean(dim=0), (t * projected).sin().mean(dim=0)
        total = total + weight * ((real - math.exp(-(t**2) / 2)).square() + imaginary.square())
    return total.sum()


def _points() -> Weighted:
    """The points t ≥ 0, which stand for −t too, with trapezoidal weights times e^{−t²/2}."""
    half, step = POINTS // 2, 2 * LAST / (POINTS - 1)
    steps = [(index * step, step if index in (0, half) else 2 * step) for index in range(half + 1)]
    return [(t, weight * math.exp(-(t**2) / 2)) for t, weight in steps]


@uncompiled
@functools.cache
def _steps(n: int, m: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Where two quantile functions are constant together: indices into either, and the widths of the steps."""
    ends: Tensor = torch.cat([torch.arange(1, n + 1) * m, torch.arange(1, m + 1) * n])
    ends = ends.unique().to(device)  # type: ignore[no-untyped-call]
    starts = torch.cat([torch.zeros_like(ends[:1]), ends[:-1]])
    return starts // m, starts // n, (ends - starts).double() / (n * m)
