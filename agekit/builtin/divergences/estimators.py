"""Estimators of a squared discrepancy of kernel means: unbiased, biased, and in linear time."""

from __future__ import annotations

import functools
from typing import Literal

import torch
from torch import Tensor

from agekit.contracts import Law, Reference

from ..precision import uncompiled
from ..references import Gaussian, Sphere
from . import pairwise
from .clouds import FLOOR, check_dim, unknown
from .kernels import Power
from .means import Profile, means, normal_mean

Estimator = Literal["unbiased", "biased", "linear"]

SMALLEST = 1e-30
"""The least unit that codes are measured in."""

MOST = 1024
"""Draws, evenly spaced in the batch, from which a median of distances is taken."""


def from_reference(p: Tensor, q: Reference, profile: Profile, estimator: Estimator, name: str) -> Tensor:
    """Mean k(x, x′) + E k(y, y′) − 2 mean E k(x, y): [n, d] and a reference -> []."""
    across, own = means(p, profile, q, name)
    return (mean_within(p, profile, estimator) + own - 2 * across).to(p.dtype)


def from_cloud(p: Tensor, q: Tensor, unit: Tensor | float, profile: Profile, estimator: Estimator) -> Tensor:
    """Mean k(x, x′) + mean k(y, y′) − 2 mean k(x, y), in float64: [n, d] and [m, d] -> [].

    The kernel is one of clouds in a unit about their size, where no square leaves its type.
    """
    x, y = (cloud / unit for cloud in _aligned(p, q, estimator))
    within = mean_within(x, profile, estimator) + mean_within(y, profile, estimator)
    return within - 2 * mean_between(x, y, profile, estimator)


def energy(p: Tensor, q: Reference | Tensor, exponent: float, estimator: Estimator, name: str) -> Tensor:
    """The same with the kernel −|x − y|^exponent, in units of the largest coordinate."""
    profile, largest = Power(exponent), p.detach().abs().amax()
    if isinstance(q, Tensor):
        largest = torch.maximum(largest, q.detach().abs().amax())
    unit = largest.double().clamp_min(SMALLEST)
    scale = unit**exponent
    if isinstance(q, Tensor):
        return (scale * from_cloud(p, q, unit, profile, estimator)).to(p.dtype)
    across, own = means(p, profile, q, name)
    return (scale * mean_within(p / unit, profile, estimator) + own - 2 * across).to(p.dtype)


def limit(law: Law, profile: Profile) -> float:
    """The discrepancy of normal codes and N(0, I), in the limit of many codes."""
    variances, axes = torch.linalg.eigh(law.covariance)
    variances, here, one = variances.clamp_min(0), torch.zeros_like(law.mean), torch.ones_like(law.mean)
    own = normal_mean(here, 2 * variances, profile) + normal_mean(here, 2 * one, profile)
    return (own - 2 * normal_mean(axes.T @ law.mean, variances + one, profile)).item()


def mean_within(x: Tensor, profile: pairwise.Profile, estimator: Estimator = "unbiased") -> Tensor:
    """The mean of f over the pairs of one cloud: [n, d] -> []."""
    n = len(x)
    if estimator == "linear":
        return pairwise.along(x[: n - 1 : 2], x[1::2], profile) / (n // 2)
    if estimator == "unbiased":
        return pairwise.within(x, profile) / (n * (n - 1))
    return (pairwise.within(x, profile) + pairwise.along(x, x, profile)) / n**2


def mean_between(x: Tensor, y: Tensor, profile: pairwise.Profile, estimator: Estimator = "unbiased") -> Tensor:
    """The mean of f over the pairs across two clouds: [n, d], [m, d] -> []."""
    if estimator != "linear":
        return pairwise.between(x, y, profile) / (len(x) * len(y))
    return pairwise.along(x, _swapped(y), profile) / len(x)


def linear(p: Tensor, q: Reference | Tensor, estimator: Estimator) -> Tensor:
    """The same for k(x, y) = x·y, which needs no pairs; every reference is centred, so that its means are 0."""
    if isinstance(q, Reference):
        check_dim(p, q)
        return _products(p.double(), estimator).to(p.dtype)
    x, y = _aligned(p.double(), q.double(), estimator)
    return (_products(x, estimator) + _products(y, estimator) - 2 * _crossed(x, y, estimator)).to(p.dtype)


def _aligned(p: Tensor, q: Tensor, estimator: Estimator) -> tuple[Tensor, Tensor]:
    """Both clouds, moved to the second's centre; in linear time as many whole pairs of each."""
    count = min(len(p), len(q)) // 2 * 2
    if estimator == "linear":
        p, q = p[:count], q[:count]
    centre = q.detach().mean(dim=0)
    return p - centre, q - centre


def _swapped(y: Tensor) -> Tensor:
    """The members of each pair exchanged."""
    return torch.stack([y[1::2], y[::2]], dim=1).flatten(0, 1)


def _products(x: Tensor, estimator: Estimator) -> Tensor:
    """The mean inner product within a cloud."""
    n = len(x)
    if estimator == "linear":
        return (x[: n - 1 : 2] * x[1::2]).sum() / (n // 2)
    if estimator == "biased":
        return x.mean(dim=0).square().sum()
    return (x.sum(dim=0).square().sum() - x.square().sum()) / (n * (n - 1))


def _crossed(x: Tensor, y: Tensor, estimator: Estimator) -> Tensor:
    """The mean inner product across two clouds."""
    if estimator != "linear":
        return x.mean(dim=0) @ y.mean(dim=0)
    return (x * _swapped(y)).sum() / len(x)


def median(q: Reference | Tensor) -> Tensor | float:
    """The median squared distance of two draws: exact for a reference, of at most MOST codes for a cloud."""
    if isinstance(q, Sphere):
        return 2.0
    if isinstance(q, Gaussian):
        return 4 * _gamma_median(q.dim / 2)
    if isinstance(q, Reference):
        raise unknown("the median bandwidth", q, "sphere and gaussian")
    some = q.detach()[:: -(-len(q) // MOST)].double()
    return torch.pdist(some).square().median() + FLOOR


@uncompiled
@functools.cache
def _gamma_median(shape: float) -> float:
    """The median of Gamma(shape), which lies between shape − 1/3 and shape, by bisection."""
    low, high = torch.tensor(max(shape - 1 / 3, 0.0), dtype=torch.float64), torch.tensor(shape, dtype=torch.float64)
    for _ in range(60):
        middle = (low + high) / 2
        below = torch.special.gammainc(torch.full_like(middle, shape), middle) < 0.5
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    return middle.item()
