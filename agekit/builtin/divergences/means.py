"""Kernel means: what a reference's own draws would contribute, in closed form or as a one-dimensional integral.

All kernels here are functions of the squared distance s. Against the uniform sphere the mean at x is an integral over
the cosine t of the angle to x, with s = (|x| − 1)² + 2|x|(1 − t). Against N(0, I) the kernel is written as a mixture of
Gaussians, k(s) = k(0) + Σ_q w_q (e^{−u_q s} − 1), and

    E e^{−u|x − Y|²} = (1 + 2u)^{−d/2} exp(−u|x|² / (1 + 2u)),    E e^{−u|Y − Y′|²} = (1 + 4u)^{−d/2}.

The mixing laws are Bernstein's: u = 1/c for rbf; u = w/c, w ~ Gamma(1) for imq; u = 1/(4cw), w ~ Gamma(1/2) for
laplace; and β/2 / Γ(1 − β/2) u^{−1−β/2} du for |x − y|^β (Schilling, Song and Vondraček 2012, chapter 15).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from agekit.contracts import Reference

from ..references import Gaussian, Sphere
from . import kernels, quadrature
from .clouds import check_dim, unknown

Profile = kernels.Mixed | kernels.Power
Mixture = list[tuple[Tensor, Tensor]]
"""Rates u and weights w, [N] or [n, N], of every bandwidth; the kernel is k(0) + Σ w (e^{−us} − 1)."""

BLOCK = 2**18
"""Kernel values at nodes that are in memory at once."""


def means(codes: Tensor, profile: Profile, reference: Reference, name: str) -> tuple[Tensor, Tensor]:
    """The mean over codes of E k(x, Y), and E k(Y, Y′), in float64: [n, d] -> [] and [].

    Raises ValueError for a reference about which nothing is known, or of another dimension.
    """
    check_dim(codes, reference)
    if not isinstance(reference, Sphere | Gaussian):
        raise unknown(name, reference, "sphere and gaussian")
    squared = codes.double().square().sum(dim=1)
    if isinstance(reference, Sphere):
        across = _in_parts(squared, lambda part: sphere_means(part, profile, reference.dim), 640)
        return across, sphere_means(torch.ones_like(squared[:1]), profile, reference.dim).mean()
    across = _in_parts(squared, lambda part: gaussian_means(part, profile, reference.dim), 1024)
    return across, gaussian_means(torch.zeros_like(squared[:1]), profile, reference.dim, variance=2.0).mean()


def sphere_means(squared: Tensor, profile: Profile, dim: int) -> Tensor:
    """E k(x, Y) for Y uniform on the sphere, of squared lengths |x|²: [n] -> [n]."""
    gaps, weights = quadrature.on_sphere(dim, squared)
    length = kernels.roots(squared)[0].unsqueeze(1)
    value, *_ = profile((length - 1).square() + 2 * length * gaps, squared, squared)
    return value @ weights


def gaussian_means(squared: Tensor, profile: Profile, dim: int, variance: float = 1.0) -> Tensor:
    """E k(x, Y) for Y ~ N(0, variance · I), of squared lengths |x|²: [n] -> [n]."""
    lengths = squared.unsqueeze(1)
    total, mixtures = torch.zeros_like(squared), _mixtures(profile, dim * variance + lengths.detach())
    for rates, weights in mixtures:
        spread = 2 * variance * rates
        total = total + (weights * (-dim / 2 * spread.log1p() - rates / (1 + spread) * lengths).expm1()).sum(dim=1)
    return total / len(mixtures) + (0.0 if isinstance(profile, kernels.Power) else 1.0)


def normal_mean(mean: Tensor, variances: Tensor, profile: Profile) -> Tensor:
    """E k of a difference of points that is N(mean, diag(variances)): [d], [d] -> []."""
    squares, total = mean.square(), torch.zeros_like(mean[0])
    mixtures = _mixtures(profile, (squares + variances).sum().reshape(1, 1))
    for rates, weights in mixtures:
        u = rates.reshape(-1, 1)
        spread = 2 * u * variances
        logarithm = -(spread.log1p() / 2 + u * squares / (1 + spread)).sum(dim=1)
        total = total + weights.flatten() @ logarithm.expm1()
    return total / len(mixtures) + (0.0 if isinstance(profile, kernels.Power) else 1.0)


def _mixtures(profile: Profile, scale: Tensor) -> Mixture:
    if isinstance(profile, kernels.Power):
        return [_of_power(profile.exponent, scale)]
    return [_MIXTURES[profile.kernel](c, scale) for c in profile.bandwidths]


def _of_rbf(c: kernels.Bandwidth, like: Tensor) -> tuple[Tensor, Tensor]:
    one = torch.ones(1, dtype=torch.float64, device=like.device)
    return one / c, one


def _of_imq(c: kernels.Bandwidth, like: Tensor) -> tuple[Tensor, Tensor]:
    v = quadrature.logarithmic(-34, 4, like)
    return v.exp() / c, quadrature.STEP * (v - v.exp()).exp()


def _of_laplace(c: kernels.Bandwidth, like: Tensor) -> tuple[Tensor, Tensor]:
    v = quadrature.logarithmic(-66, 4, like)
    return 1 / (4 * c * v.exp()), quadrature.STEP / math.sqrt(math.pi) * (v / 2 - v.exp()).exp()


def _of_power(exponent: float, scale: Tensor) -> tuple[Tensor, Tensor]:
    """−s^{β/2}, at rates about 1/s."""
    half = exponent / 2
    v = quadrature.logarithmic(-33 / (1 - half), 33 / half, scale) - scale.log()
    return v.exp(), quadrature.STEP * half / math.gamma(1 - half) * (-half * v).exp()


_MIXTURES = {"rbf": _of_rbf, "imq": _of_imq, "laplace": _of_laplace}


def _in_parts(squared: Tensor, mean: Callable[[Tensor], Tensor], nodes: int) -> Tensor:
    """The mean of a function of each code, some codes at a time; the backward pass evaluates it anew."""
    parts = torch.split(squared, max(1, BLOCK // nodes))
    if len(parts) == 1:
        return mean(squared).mean()
    sums = [checkpoint(mean, part, use_reentrant=False).sum() for part in parts]
    return torch.stack(sums).sum() / len(squared)
