"""Divergences of nearest-neighbour entropies."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from agekit.contracts import Divergence, Known, Law, Reference, option

from ..precision import full_precision, uncompiled
from ..references import Gaussian, Sphere
from . import pairwise, quadrature
from .clouds import FLOOR, check, check_dim, unknown


class NeighbourKL(Divergence):
    """KL from the codes to a reference, with the codes' entropy from distances to k-th nearest neighbours, in nats.

    gaussian:  KL = ψ(k) − ψ(n) − log V_d − d · mean log r_i + d/2 · log 2π + mean |x_i|²/2
    sphere:    KL = ψ(k) − ψ(n) − mean log P(θ_i),   u = x/|x|

    with r_i the distance of code i to its k-th nearest other code, V_d the volume of the unit ball, θ_i the angle and
    P(θ) the uniform law's mass of a cap of that angle, of the order of θ^{d−1}: on the sphere a law has d − 1
    dimensions. With whole caps in the place of flat balls the estimate is unbiased, for all n and d, where codes are
    uniform. In R^d it is right for many codes in few dimensions alone: at N(0, I) in d = 64 it is about −11 for 64
    codes and −9 for 1024. Squared distances are raised by 1e-12, so that coincident codes cost much, and not
    infinitely. The cost is n² d, the memory n.

    Source: Kozachenko and Leonenko 1987; Kraskov et al. 2004, for the k-th; Ulyanov, Vedaldi and Lempitsky
    2018, whose released code has it and never ran it.
    Shapes: codes [n, d] and a reference -> []. Raises ValueError where n is not above k, or for another reference.
    """

    compares = "reference"
    k: int = option(1, help="which nearest neighbour", ge=1)

    @classmethod
    def known(cls) -> Iterator[Known]:
        codes = [[2.0, 5.0], [2.0, 2.0], [3.0, 2.0]]  # 3, 1 and 1 from their nearest; ψ(1) − ψ(3) is −3/2
        yield Known(cls(), (codes, "gaussian"), 25 / 3 - 3 / 2 + math.log(2) - 2 / 3 * math.log(3))
        codes = [[2.0, 0.0], [0.5, math.sqrt(0.75)], [-3.0, 0.0]]  # 1/3, 1/3 and 2/3 of π from their nearest
        yield Known(cls(), (codes, "sphere"), math.log(3) - 3 / 2 - math.log(2) / 3)

    @full_precision
    def __call__(self, codes: Tensor, reference: Reference) -> Tensor:
        check(codes, least=self.k + 1)
        check_dim(codes, reference)
        wide = codes.double()
        start = digamma(self.k) - digamma(len(codes))
        if isinstance(reference, Gaussian):
            return (start + _flat(wide, self.k)).to(codes.dtype)
        if not isinstance(reference, Sphere) or reference.dim < 2:
            raise unknown("kl_neighbours", reference, "gaussian, and sphere from dimension 2 on", samples=False)
        return (start - log_cap(nearest(reference.project(wide), self.k), reference.dim).mean()).to(codes.dtype)

    def limit(self, reference: Reference, law: Law) -> float | None:
        """KL(N(m, S) ‖ N(0, I)) of normal codes, where it is finite."""
        dim = len(law.mean)
        if not law.normal or not isinstance(reference, Gaussian) or torch.linalg.matrix_rank(law.covariance) < dim:
            return None
        moments = law.covariance.trace() + law.mean.square().sum() - torch.logdet(law.covariance)
        return (moments.item() - dim) / 2


def _flat(codes: Tensor, k: int) -> Tensor:
    """− log V_d − d mean log r + d/2 log 2π + mean |x|²/2."""
    d = codes.shape[1]
    ball = d / 2 * math.log(math.pi) - math.lgamma(d / 2 + 1)
    entropy = ball + d / 2 * (nearest(codes, k) + FLOOR).log().mean()
    return d / 2 * math.log(2 * math.pi) + codes.square().sum(dim=1).mean() / 2 - entropy


@uncompiled
def nearest(codes: Tensor, k: int) -> Tensor:
    """The squared distance of each code to its k-th nearest other: [n, d] -> [n]."""
    found = []
    for rows, squared in pairwise.squared_distances(codes.detach(), codes.detach()):
        itself = torch.arange(rows.start, rows.stop, device=codes.device).unsqueeze(1)
        others = squared.scatter(1, itself, torch.inf)
        found.append(others.topk(k, dim=1, largest=False).indices[:, -1])
    return (codes - codes[torch.cat(found)]).square().sum(dim=1)


def log_cap(squared: Tensor, dim: int) -> Tensor:
    """The logarithm of the mass of a cap of S^{d−1}, of its squared chord: [n] -> [n].

    With t = tanh v for the cosine of the angle, the mass is ∫_v^∞ sech^{d−1} / B, here for v ≥ 0, of which −v is the
    complement.
    """
    squared = squared.clamp_max(4)
    v = ((4 - squared + FLOOR) / (squared + FLOOR)).log() / 2
    steepness = dim - 1
    width = 1 / (steepness * v.detach().abs().tanh() + math.sqrt(steepness))
    nodes, weights = quadrature.legendre(96, squared)
    reach = 50 * width.unsqueeze(1)
    at = v.abs().unsqueeze(1) + reach * nodes
    inside = -steepness * (at + (-2 * at).exp().log1p() - math.log(2)) + (reach * weights).log()
    beta = math.lgamma(steepness / 2) + math.lgamma(0.5) - math.lgamma(dim / 2)
    small = inside.logsumexp(dim=1) - beta
    return torch.where(v > 0, small, torch.log1p(-small.exp()))


def digamma(n: int) -> float:
    """ψ(n) of a whole number."""
    return torch.digamma(torch.tensor(float(n), dtype=torch.float64)).item()
