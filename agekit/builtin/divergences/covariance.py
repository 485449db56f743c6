"""Full Gaussians fitted to clouds of codes: KL in both directions, and the Fréchet distance."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor

from agekit.contracts import Divergence, Known, Law, Reference, option

from ..precision import full_precision
from .by_hand import SHEARED
from .clouds import FLOOR, check, check_dim
from .diagonal import DIRECTION, Direction

Moments = tuple[Tensor, Tensor]
"""The mean [d] and the covariance [d, d], in float64."""


class FullGaussianKL(Divergence):
    """KL between the Gaussians of full covariance fitted to the codes and to what they are compared with, over d.

    KL(a ‖ b) = 1/(2d) [ tr(S_b⁻¹ S_a) − d − log det(S_b⁻¹ S_a) + (m_a − m_b)ᵀ S_b⁻¹ (m_a − m_b) ],

    with m and S the mean and the covariance (1/n) of each side; a reference stands with 0 and its variance times I. It
    is 1/d of the usual value, so that on uncorrelated codes it is `gaussian_kl`. It sees correlations, and nothing
    beyond the covariance. A finite batch raises it, by about (d + 3)/(4n) against a reference.

    A batch of n ≤ d spans no covariance, and is refused unless `shrinkage` α > 0 puts (1 − α) S + α tr(S)/d · I for S,
    on each fitted side. Every fitted covariance is raised by 1e-12 (1 + tr(S)/d) I besides, so that duplicated rows or
    coordinates cost much, and not infinitely. The cost is n d² + d³.

    Source: Kullback 1959, chapter 9; Ledoit and Wolf 2004 (shrinkage).
    Shapes: codes [n, d], and a reference or codes [m, d] -> []. Raises ValueError where n or m is below 2, or does not
    exceed d without shrinkage.
    """

    compares = "both"
    direction: Direction = option("qp", help=DIRECTION)
    shrinkage: float = option(0.0, help="α, the weight of the multiple of I of the same trace", ge=0, le=1)

    @classmethod
    def known(cls) -> Iterator[Known]:
        yield Known(cls(), (SHEARED, "gaussian"), (25 - math.log(36)) / 4)
        yield Known(cls(direction="pq"), (SHEARED, "gaussian"), (17 / 36 + 25 / 36 - 2 + math.log(36)) / 4)

    @full_precision
    def __call__(self, codes: Tensor, other: Reference | Tensor) -> Tensor:
        fit = self._fitted(codes)
        against = centred(codes, other) if isinstance(other, Reference) else self._fitted(other, like=codes)
        return self._directed(fit, against).to(codes.dtype)

    def limit(self, reference: Reference, law: Law) -> float:
        fit = law.mean, self._spread(law.covariance)
        return self._directed(fit, centred(law.mean.unsqueeze(0), reference)).item()

    def _directed(self, codes: Moments, reference: Moments) -> Tensor:
        return gaussian_kl(codes, reference) if self.direction == "qp" else gaussian_kl(reference, codes)

    def _spread(self, covariance: Tensor) -> Tensor:
        return floored((1 - self.shrinkage) * covariance + self.shrinkage * level(covariance))

    def _fitted(self, codes: Tensor, like: Tensor | None = None) -> Moments:
        mean, covariance = fitted(codes, like)
        n, d = codes.shape
        if n <= d and self.shrinkage == 0:
            raise ValueError(
                f"{n} codes span no covariance in dimension {d}; more than {d}, or shrinkage > 0, would do"
            )
        return mean, self._spread(covariance)


class Frechet(Divergence):
    """Fréchet distance, or squared 2-Wasserstein distance, of the Gaussians fitted to the codes and to the other side.

    full:      W² = |m_a − m_b|² + tr S_a + tr S_b − 2 tr (S_a^½ S_b S_a^½)^½
    diagonal:  W² = Σ_j (m_aj − m_bj)² + (s_aj − s_bj)²

    with m, S and s the mean, the covariance (1/n) and the standard deviations of each side; a reference stands with 0
    and its variance times I. It is finite for any n ≥ 2. It sees means and (full) covariances, the diagonal one not
    even correlations. A finite batch raises it: in full, and n ≤ d, by a fixed part of d. As published it is a sum over
    coordinates. Fitted variances are raised by 1e-12, relative and absolute. The cost is n d² + d³, or n d.

    Source: Fréchet 1957; Dowson and Landau 1982; Heusel et al. 2017 (as FID).
    Shapes: codes [n, d], and a reference or codes [m, d] -> []. Raises ValueError where n or m is below 2.
    """

    compares = "both"
    covariance: Literal["full", "diagonal"] = option("full", help="of the fitted Gaussians")

    @classmethod
    def known(cls) -> Iterator[Known]:
        yield Known(cls(), (SHEARED, "gaussian"), 29 - 2 * math.sqrt(29))
        yield Known(cls(covariance="diagonal"), (SHEARED, "gaussian"), 10 + 1 + (math.sqrt(13) - 1) ** 2)

    @full_precision
    def __call__(self, codes: Tensor, other: Reference | Tensor) -> Tensor:
        a = fitted(codes)
        b = centred(codes, other) if isinstance(other, Reference) else fitted(other, like=codes)
        return self._between(a, b).to(codes.dtype)

    def limit(self, reference: Reference, law: Law) -> float:
        return self._between((law.mean, law.covariance), centred(law.mean.unsqueeze(0), reference)).item()

    def _between(self, a: Moments, b: Moments) -> Tensor:
        apart = (a[0] - b[0]).square().sum()
        return apart + (diagonal_gap(a[1], b[1]) if self.covariance == "diagonal" else full_gap(a[1], b[1]))


def fitted(codes: Tensor, like: Tensor | None = None) -> Moments:
    """Mean and covariance (1/n), in float64: [n, d] -> [d] and [d, d]."""
    check(codes)
    check(codes, like)
    wide = codes.double()
    mean = wide.mean(dim=0)
    centred = wide - mean
    return mean, centred.T @ centred / len(codes)


def centred(codes: Tensor, reference: Reference) -> Moments:
    """The moments of a reference."""
    check_dim(codes, reference)
    one = torch.eye(reference.dim, dtype=torch.float64, device=codes.device)
    return torch.zeros_like(one[0]), reference.variance * one


def level(covariance: Tensor) -> Tensor:
    """The multiple of I of the same trace."""
    return covariance.diagonal().mean() * torch.eye(len(covariance), dtype=covariance.dtype, device=covariance.device)


def floored(covariance: Tensor) -> Tensor:
    """Raised so far that it has a Cholesky factor whatever its rank: [d, d] -> [d, d]."""
    one = torch.eye(len(covariance), dtype=covariance.dtype, device=covariance.device)
    return covariance + FLOOR * (one + level(covariance))


def gaussian_kl(a: Moments, b: Moments) -> Tensor:
    """KL(a ‖ b) over d."""
    root_a, root_b = root(a[1]), root(b[1])
    ratio = torch.linalg.solve_triangular(root_b, root_a, upper=False)
    apart = torch.linalg.solve_triangular(root_b, (a[0] - b[0]).unsqueeze(1), upper=False)
    logarithm: Tensor = 2 * ratio.diagonal().log().mean()
    total: Tensor = ratio.square().sum() + apart.square().sum()
    return (total / len(ratio) - 1 - logarithm) / 2


def diagonal_gap(a: Tensor, b: Tensor) -> Tensor:
    """Σ (s_a − s_b)²."""
    s_a, s_b = ((covariance.diagonal() + FLOOR).sqrt() for covariance in (a, b))
    return (s_a - s_b).square().sum()


def full_gap(a: Tensor, b: Tensor) -> Tensor:
    """tr a + tr b − 2 tr (a^½ b a^½)^½, from the eigenvalues of LᵀaL, where b = LLᵀ."""
    a, b = floored(a), floored(b)
    factor = root(b)
    squares = eigenvalues(factor.T @ a @ factor).clamp_min(FLOOR**4)
    return a.trace() + b.trace() - 2 * squares.sqrt().sum()


def root(covariance: Tensor) -> Tensor:
    """The Cholesky factor; of what is not finite it is not a number, where torch would raise an error of its own."""
    factor, failed = torch.linalg.cholesky_ex(covariance)
    return torch.where(failed == 0, factor, torch.nan)


def eigenvalues(symmetric: Tensor) -> Tensor:
    """The eigenvalues, with the same care."""
    finite = symmetric.isfinite().all()
    values: Tensor = torch.linalg.eigvalsh(torch.where(finite, symmetric, 0.0))
    return torch.where(finite, values, torch.nan)
