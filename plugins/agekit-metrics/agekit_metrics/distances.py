"""FID and KID: how far apart two sets are, by the features of their samples."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import agekit
import torch
from torch import Tensor

TILE = 1024
"""Rows of which all kernel values are had at once."""


class FID(agekit.Comparison):
    """The Fréchet distance of the Gaussians that are fitted to two sets of features.

    FID = |m_p − m_q|² + tr(C_p + C_q − 2 (C_p C_q)^{1/2}), with means m and covariances C (of n − 1), in float64.
    With C = RᵀR, where R is the triangle of the centred features' QR decomposition, tr (C_p C_q)^{1/2} is the sum of
    the singular values of R_p R_qᵀ: no root of a rounded zero is taken, and a set is at 0 from itself.

    It is biased, upwards, the more so the fewer the samples are; compare at equal numbers. 10,000 and more are usual;
    with fewer than there are features, covariances are singular, and the value is right but says little.

    Source: Heusel et al. 2017, equation 6; Dowson and Landau 1982.
    Shapes: features [n, d] and [m, d]. Raises ValueError where one set has fewer than two samples.
    """

    operands = {"of": agekit.Operand(vectors=True), "to": agekit.Operand(vectors=True, like="of")}

    def __call__(self, of: Tensor, to: Tensor) -> Mapping[str, float]:
        p, q = checked(of, to)
        if not (p.isfinite().all() and q.isfinite().all()):
            return {"fid": math.nan}
        apart = (p.mean(0) - q.mean(0)).square().sum()
        p, q = root(p), root(q)
        shared = torch.linalg.svdvals(p @ q.T).sum()
        return {"fid": (apart + p.square().sum() + q.square().sum() - 2 * shared).item()}


class KID(agekit.Comparison):
    """The squared maximum mean discrepancy of two sets of features, by a cubic kernel.

    KID = E k(p, p′) + E k(q, q′) − 2 E k(p, q),   k(a, b) = (a·b / d + 1)³, in float64

    over all pairs of different samples, so that it has no bias and may be negative. Published values are the mean over
    subsets of 1000 samples, of which this is the limit for many subsets; those that print ×10³ say so. The cost is
    (n + m)² d.

    Source: Bińkowski et al. 2018, section 4; Gretton et al. 2012, equation 3.
    Shapes: features [n, d] and [m, d]. Raises ValueError where one set has fewer than two samples.
    """

    operands = {"of": agekit.Operand(vectors=True), "to": agekit.Operand(vectors=True, like="of")}

    def __call__(self, of: Tensor, to: Tensor) -> Mapping[str, float]:
        p, q = checked(of, to)
        within = sum((total(one, one) - own(one)) / (len(one) * (len(one) - 1)) for one in (p, q))
        return {"kid": within - 2 * total(p, q) / (len(p) * len(q))}


def root(p: Tensor) -> Tensor:
    """A matrix R with RᵀR the covariance of features: [at most d, d]."""
    centred = (p - p.mean(0)) / math.sqrt(len(p) - 1)
    return torch.linalg.qr(centred, mode="r").R if len(p) > p.shape[1] else centred


def checked(of: Tensor, to: Tensor) -> tuple[Tensor, Tensor]:
    """Two sets of features in float64. Raises ValueError where they are none of one dimension, or too few."""
    if of.ndim != 2 or to.ndim != 2 or of.shape[1] != to.shape[1]:
        raise ValueError(f"features [n, d] and [m, d] fit, found {[*of.shape]} and {[*to.shape]}")
    if min(len(of), len(to)) < 2:
        raise ValueError(f"{min(len(of), len(to))} samples have no covariance: two or more fit")
    return of.double(), to.double()


def total(p: Tensor, q: Tensor) -> float:
    """The sum of the kernel over all pairs."""
    return math.fsum(tile.sum().item() for tile in _tiles(p, q))


def own(p: Tensor) -> float:
    """The sum of the kernel of each sample with itself."""
    return (p.square().sum(1) / p.shape[1] + 1).pow(3).sum().item()


def _tiles(p: Tensor, q: Tensor) -> Iterator[Tensor]:
    for rows in torch.split(p, TILE):
        for columns in torch.split(q, TILE):
            yield (rows @ columns.T / p.shape[1] + 1).pow(3)
