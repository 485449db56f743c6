"""Moment matching."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from agekit.contracts import Divergence, Known, Law, Reference, option

from ..precision import full_precision
from ..references import Gaussian, Sphere, Uniform
from .by_hand import CORNERS, SHEARED
from .clouds import FLOOR, check, check_dim, unknown

FARTHEST = 1e4
"""Standard deviations at which codes are held for the third and fourth moment, whose squares would leave float32."""


class MomentMatching(Divergence):
    """Squared differences of the central moments up to an order, in units of the other side's standard deviation.

    M = 1/d |m − m′|² / σ² + 1/d² |C − C′|² / σ⁴ + Σ_{r=3}^{order} 1/d Σ_j (c_rj − c′_rj)² / σ^{2r}

    with m the mean, C the covariance (1/n), c_rj the r-th central moment of coordinate j, and σ² the mean variance of a
    coordinate on the other side, a constant for the gradient. It is blind to all higher moments, and from the third on
    to dependence between coordinates. A finite batch of N(0, I) raises it: by 1/n in the mean, (d + 1)/(d n) in the
    covariance, about 6/n in the third moment and 96/n in the fourth, for which codes farther than 10⁴ σ are held there.
    The cost is n d².

    Source: Zellinger et al. 2017 (moments a coordinate); Sun and Saenko 2016 (covariance).
    Shapes: codes [n, d], and a reference or codes [m, d] -> []. Raises ValueError where n or m is below 2, or from the
    third order on for a reference other than gaussian, sphere and uniform.
    """

    compares = "both"
    order: int = option(2, help="of the highest moment", ge=1, le=4)

    @classmethod
    def known(cls) -> Iterator[Known]:
        yield Known(cls(order=1), (SHEARED, "gaussian"), 10 / 2)
        yield Known(cls(order=1), (SHEARED, "sphere"), 2 * 10 / 2)  # σ² is 1/2
        yield Known(cls(), (SHEARED, "gaussian"), 10 / 2 + (9 + 2 * 16 + 144) / 4)
        yield Known(cls(), (SHEARED, [[-1.0, 1.0], [3.0, 1.0]]), 4 / 2 / 2 + (2 * 16 + 169) / 4 / 4)  # σ² is 2
        yield Known(cls(order=4), (CORNERS, "gaussian"), 5 / 2 + (9 + 64) / 4 + (13**2 + 78**2) / 2)

    @full_precision
    def __call__(self, codes: Tensor, other: Reference | Tensor) -> Tensor:
        check(codes)
        wide = codes.double()
        if isinstance(other, Reference):
            check_dim(codes, other)
            own = _of_cloud(wide / other.variance**0.5, self.order)
            return _apart(own, _of_reference(other, wide, self.order)).to(codes.dtype)
        check(other, like=codes)
        variance, centre = torch.var_mean(other.detach().double(), dim=0, correction=0)
        scale = (variance.mean() + FLOOR).sqrt()
        own, against = (_of_cloud((cloud - centre) / scale, self.order) for cloud in (wide, other))
        return _apart(own, against).to(codes.dtype)

    def limit(self, reference: Reference, law: Law) -> float | None:
        """Known up to the second order, and for normal codes in all."""
        if self.order > 2 and not law.normal:
            return None
        mean, covariance = law.mean / reference.variance**0.5, law.covariance / reference.variance
        own = [mean, covariance, torch.zeros_like(mean), 3 * covariance.diagonal().square()][: self.order]
        return _apart(own, _of_reference(reference, mean, self.order)).item()


def _apart(a: list[Tensor], b: list[Tensor]) -> Tensor:
    """The mean squares of the differences of moments, summed over orders."""
    return torch.stack([(x - y).square().mean() for x, y in zip(a, b, strict=True)]).sum()


def _of_cloud(codes: Tensor, order: int) -> list[Tensor]:
    """Mean [d], covariance [d, d] and further central moments [d]."""
    mean = codes.mean(dim=0)
    centred = codes - mean
    held = centred.clamp(-FARTHEST, FARTHEST)
    higher = [held.pow(r).mean(dim=0) for r in range(3, order + 1)]
    return [mean, centred.T @ centred / len(codes), *higher][:order]


def _of_reference(reference: Reference, like: Tensor, order: int) -> list[Tensor]:
    """The same of a reference, scaled to variance 1."""
    one = torch.eye(reference.dim, dtype=like.dtype, device=like.device)
    zero = torch.zeros_like(one[0])
    fourth = _fourth(reference) if order > 2 else 0.0
    return [zero, one, zero, zero + fourth][:order]


def _fourth(reference: Reference) -> float:
    """E x⁴ of a coordinate of variance 1."""
    if isinstance(reference, Gaussian):
        return 3.0
    if isinstance(reference, Sphere):
        return 3 * reference.dim / (reference.dim + 2)
    if isinstance(reference, Uniform):
        return 9 / 5
    raise unknown("moments of third order and above", reference, "gaussian, sphere and uniform")
