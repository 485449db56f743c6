"""Maximum mean discrepancy, and the energy distance."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Literal

import torch
from torch import Tensor

from agekit.contracts import Divergence, Known, Law, Reference, option

from ..precision import full_precision
from ..references import Gaussian, Sphere
from . import by_hand, estimators, kernels
from .clouds import FLOOR, check, unknown
from .kernels import Kernel
from .means import sphere_means

ESTIMATOR = "without or with the pairs of a point and itself, or from ⌊n/2⌋ disjoint pairs"


class MMD(Divergence):
    """Squared maximum mean discrepancy, with a kernel averaged over several bandwidths.

    MMD² = mean k(x, x′) + mean k(y, y′) − 2 mean k(x, y),   k = (1/S) Σ_s k_s,   c_s = scale_s · 2dσ²
    imq:  k_s(x, y) = c_s / (c_s + |x − y|²)          rbf:  k_s(x, y) = exp(−|x − y|² / c_s)
    laplace:  k_s(x, y) = exp(−|x − y| / √c_s)        linear:  k(x, y) = x·y        energy:  k(x, y) = −|x − y|

    σ² is the variance of one coordinate, so that 2dσ² is the mean squared distance of two draws; `bandwidth = "median"`
    puts the median squared distance in its place. Against the references sphere and gaussian the means over y are exact
    (closed forms, or one-dimensional integrals to 1e-10), so that only the codes are sampled; against draws, such as
    z2, both sides are, and a test of 64 against 64 sees half as much. linear sees only the mean.

    The unbiased estimate leaves out the pairs x = x′ and y = y′ and is 0 on average, thus at times negative, where the
    laws are equal. The biased one keeps them: never negative, and there about (k(0) − E k(y, y′))(1/n + 1/m). The
    linear one averages over the disjoint pairs (1, 2), (3, 4), …: unbiased, cost n, and the order of codes matters. The
    others cost n(n + m) kernel values and memory n + m. WAE's code sums over its seven scales, beside 0.05 of the
    summed squared error: its weight λ is 7λ here beside the same, and 140λ beside the whole.

    Source: Gretton et al. 2012 (linear time); Tolstikhin et al. 2018 (imq, c = 2dσ²); Sejdinovic et al. 2013 (energy).
    Shapes: codes [n, d], and a reference, codes or draws [m, d] -> []. Raises ValueError where n or m is below 2.
    """

    compares = "both"
    kernel: Kernel = option("imq", help="inverse multiquadric, Gaussian, Laplace, inner product, or minus the distance")
    scales: tuple[Annotated[float, option(help="a multiple", gt=0)], ...] = option(
        (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0), help="bandwidths, as multiples of the base", min_length=1
    )
    bandwidth: Literal["variance", "median"] = option(
        "variance", help="the base: 2dσ², or the median squared distance between two draws of the second side"
    )
    variance: float | None = option(None, help="σ²; by default that of the second side, a constant there", gt=0)
    estimator: Literal["unbiased", "biased", "linear"] = option("unbiased", help=ESTIMATOR)

    @classmethod
    def known(cls) -> Iterator[Known]:
        return (Known(cls(**options), operands, value) for options, operands, value in by_hand.mmd())

    @full_precision
    def __call__(self, p: Tensor, q: Reference | Tensor) -> Tensor:
        check(p)
        if isinstance(q, Tensor):
            check(q, like=p)
        if self.kernel == "linear":
            return estimators.linear(p, q, self.estimator)
        if self.kernel == "energy":
            return estimators.energy(p, q, 1.0, self.estimator, "mmd")
        base = self._base(q, p.shape[1])
        if isinstance(q, Reference):
            return estimators.from_reference(p, q, self._mixed(base), self.estimator, "mmd")
        return estimators.from_cloud(p, q, base**0.5, self._mixed(1.0), self.estimator).to(p.dtype)

    def limit(self, reference: Reference, law: Law) -> float | None:
        """|mean|² with the linear kernel; with the others, known of normal codes against gaussian."""
        if self.kernel == "linear":
            return law.mean.square().sum().item()
        if not law.normal or not isinstance(reference, Gaussian):
            return None
        power = self.kernel == "energy"
        return estimators.limit(law, kernels.Power(1.0) if power else self._mixed(self._base(reference, reference.dim)))

    def _mixed(self, base: Tensor | float) -> kernels.Mixed:
        return kernels.Mixed(self.kernel, tuple(scale * base for scale in self.scales))

    def _base(self, q: Reference | Tensor, dim: int) -> Tensor | float:
        if self.bandwidth == "median":
            return estimators.median(q)
        if self.variance is not None:
            return 2 * dim * self.variance
        if isinstance(q, Reference):
            return 2 * dim * q.variance
        return 2 * (q.detach().double().var(dim=0).sum() + FLOOR)


class EnergyDistance(Divergence):
    """Energy distance with an exponent: twice the mean distance across, less the mean distances within.

    D = 2 E|x − y|^β − E|x − x′|^β − E|y − y′|^β,   0 < β < 2

    It is MMD² with the kernel −|x − y|^β: it has no bandwidth, and scales as |x|^β. It sees every difference of two
    laws, the slower in dimension the nearer β is to 2, where only means would count. The unbiased estimate leaves out
    pairs of a point and itself; the biased one (V-statistic, never negative) keeps them, and at equality is about
    E|y − y′|^β (1/n + 1/m). Against the references sphere and gaussian the means over y are exact to 1e-10.

    Source: Székely and Rizzo 2013.
    Shapes: codes [n, d], and a reference, codes or draws [m, d] -> []. Raises ValueError where n or m is below 2.
    """

    compares = "both"
    exponent: float = option(1.0, help="β, of the distance", ge=0.1, le=1.9)
    estimator: Literal["unbiased", "biased", "linear"] = option("unbiased", help=ESTIMATOR)

    @classmethod
    def known(cls) -> Iterator[Known]:
        return (Known(cls(**options), operands, value) for options, operands, value in by_hand.energy())

    @full_precision
    def __call__(self, p: Tensor, q: Reference | Tensor) -> Tensor:
        check(p)
        if isinstance(q, Tensor):
            check(q, like=p)
        return estimators.energy(p, q, self.exponent, self.estimator, "energy")

    def limit(self, reference: Reference, law: Law) -> float | None:
        """Known of normal codes against gaussian."""
        known = law.normal and isinstance(reference, Gaussian)
        return estimators.limit(law, kernels.Power(self.exponent)) if known else None


class Uniformity(Divergence):
    """Uniformity on the unit sphere: the logarithm of the mean Gaussian potential of two codes.

    L = log [ 1/(n(n − 1)) Σ_{i≠j} exp(−t |u_i − u_j|²) ],   u = x/|x|

    It is least, over all laws on the sphere, at the uniform one, where it is log E e^{−2t(1 − cos)}: `ideal`. Codes are
    normalised first, so that lengths escape it. The cost is n² and the memory n.

    Source: Wang and Isola 2020.
    Shapes: codes [n, d] -> []. Raises ValueError where n is below 2.
    """

    t: float = option(2.0, help="sharpness of the potential", gt=0, le=20)

    @classmethod
    def known(cls) -> Iterator[Known]:
        codes = [[3.0, 4.0], [-3.0, -4.0], [8.0, -6.0]]  # whose directions are 4, 2 and 2 apart, squared
        yield Known(cls(), (codes,), math.log((math.exp(-8) + 2 * math.exp(-4)) / 3))

    @full_precision
    def __call__(self, codes: Tensor) -> Tensor:
        check(codes)
        unit = Sphere(dim=codes.shape[1]).project(codes.double()).to(codes.dtype)
        return estimators.mean_within(unit, self._potential).log().to(codes.dtype)

    def ideal(self, reference: Reference) -> float:
        if not isinstance(reference, Sphere | Gaussian):
            raise unknown("uniformity", reference, "sphere and gaussian", samples=False)
        one = torch.ones(1, dtype=torch.float64)
        return sphere_means(one, self._potential, reference.dim).log().item()

    @property
    def _potential(self) -> kernels.Mixed:
        return kernels.Mixed("rbf", (1 / self.t,))
