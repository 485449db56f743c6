"""Kernels as functions of the squared distance s and a bandwidth c, averaged over several bandwidths."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Kernel = Literal["imq", "rbf", "laplace", "linear", "energy"]
Bandwidth = Tensor | float
Values = tuple[Tensor, Tensor]
"""A kernel's values, and its derivatives by s."""


def imq(s: Tensor, c: Bandwidth) -> Values:
    """Inverse multiquadric, c / (c + s)."""
    value = (1 + s * (1 / c)).reciprocal()
    return value, value.square() * (-1 / c)


def rbf(s: Tensor, c: Bandwidth) -> Values:
    """Gaussian, exp(−s / c)."""
    rate = -1 / c
    value = (s * rate).exp()
    return value, value * rate


def laplace(s: Tensor, c: Bandwidth) -> Values:
    """Laplace, exp(−√(s / c)); at s = 0, where it has a corner, the derivative is taken to be 0."""
    root, inverse = roots(s / c)
    value = (-root).exp()
    return value, value * inverse / (-2 * c)


def power(s: Tensor, exponent: float) -> Values:
    """−s^{exponent/2}: minus the distance to an exponent; at s = 0 the derivative is taken to be 0.

    So it is where s is below the normal numbers of its type, and the derivative would leave them.
    """
    if exponent == 1:
        root, inverse = roots(s)
        return -root, inverse / -2
    apart = ~(s < torch.finfo(s.dtype).tiny)  # which what is not a number is, too
    safe = torch.where(apart, s, torch.ones_like(s))
    value = torch.where(apart, safe.pow(exponent / 2), torch.zeros_like(s))
    return -value, value / safe * (-exponent / 2)


def roots(s: Tensor) -> Values:
    """√s and 1/√s, both 0 at 0."""
    apart = s != 0
    root = torch.where(apart, s, torch.ones_like(s)).sqrt()
    return torch.where(apart, root, torch.zeros_like(s)), torch.where(apart, root.reciprocal(), torch.zeros_like(s))


KERNELS: dict[str, Callable[[Tensor, Bandwidth], Values]] = {"imq": imq, "rbf": rbf, "laplace": laplace}


@dataclass(frozen=True)
class Mixed:
    """The mean of one kernel over several bandwidths, as a profile of pairs."""

    kernel: str
    bandwidths: tuple[Bandwidth, ...]

    def __call__(self, squared: Tensor, *_: Tensor) -> tuple[Tensor, Tensor, None]:
        values, slopes = zip(*(KERNELS[self.kernel](squared, c) for c in self.bandwidths), strict=True)
        count = len(self.bandwidths)
        return sum(values[1:], values[0]) / count, sum(slopes[1:], slopes[0]) / count, None


@dataclass(frozen=True)
class Power:
    """The distance kernel −|x − y|^exponent, as a profile of pairs."""

    exponent: float

    def __call__(self, squared: Tensor, *_: Tensor) -> tuple[Tensor, Tensor, None]:
        return *power(squared, self.exponent), None
