"""References: distributions on code space."""

from __future__ import annotations

import torch
from torch import Tensor

from agekit.contracts import Reference

from .precision import full_precision

LEAST_NORM = 1e-8
"""Codes shorter than this are scaled by its inverse: zero stays zero, with a finite gradient."""
LARGE, SHRINKING = 2.0**50, 2.0**-70
"""Float32 may not hold the squares of larger numbers; codes that have one are shrunk, by a power of two, exactly."""


class Sphere(Reference):
    """Uniform on the unit sphere S^(M−1) of R^M.

    z = n/|n| with n ~ N(0, I), which has mean 0 and covariance I/M. Raw codes are divided by their length; the way from
    one code to another is the great circle.

    Source: Ulyanov, Vedaldi and Lempitsky 2018; Muller 1959 for the draws; Shoemake 1985 for the way.
    """

    law = "uniform on the sphere"

    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        return self.project(normal(n, self.dim, generator))

    @full_precision
    def project(self, codes: Tensor) -> Tensor:
        large = codes.detach().abs().amax(dim=1, keepdim=True) > LARGE
        codes = codes * torch.where(large, SHRINKING, 1.0)
        return codes / norm(codes).clamp_min(LEAST_NORM)

    def between(self, a: Tensor, b: Tensor, t: Tensor) -> Tensor:
        return great_circle(self.project(a), self.project(b), t)

    @property
    def variance(self) -> float:
        return 1 / self.dim


class Gaussian(Reference):
    """Standard normal, N(0, I) in R^M.

    Raw codes are left as they are. On the way from one code to another the direction follows the great circle and the
    length changes linearly, so that the way between two draws keeps to the shell where draws are found; a straight line
    would pass it by a factor √2 too close to the centre.

    Source: White 2016 for the way.
    """

    law = "standard normal"

    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        return normal(n, self.dim, generator)

    @full_precision
    def project(self, codes: Tensor) -> Tensor:
        return codes

    def between(self, a: Tensor, b: Tensor, t: Tensor) -> Tensor:
        length = torch.lerp(norm(a), norm(b), t)
        sphere = Sphere(dim=self.dim)
        return length * sphere.between(a, b, t)

    @property
    def variance(self) -> float:
        return 1.0


class Uniform(Reference):
    """Uniform on the cube [−1, 1]^M.

    Its coordinates are independent, with mean 0 and variance 1/3. Raw codes pass through tanh, and those that are moved
    out of the cube go to its nearest point; the way from one code to another is the straight line.
    """

    law = "uniform on the cube"

    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        draws = torch.rand(n, self.dim, generator=generator, device=generator.device, dtype=torch.float32)
        return 2 * draws - 1

    @full_precision
    def project(self, codes: Tensor) -> Tensor:
        return codes.tanh()

    def inside(self, codes: Tensor) -> Tensor:
        return codes.clamp(-1, 1)

    def between(self, a: Tensor, b: Tensor, t: Tensor) -> Tensor:
        return torch.lerp(a, b, t)

    @property
    def variance(self) -> float:
        return 1 / 3


def normal(n: int, dim: int, generator: torch.Generator) -> Tensor:
    """Standard normal draws [n, dim], float32, on the generator's device."""
    return torch.randn(n, dim, generator=generator, device=generator.device, dtype=torch.float32)


def norm(codes: Tensor) -> Tensor:
    """The length of each code: [n, dim] -> [n, 1]."""
    length: Tensor = torch.linalg.vector_norm(codes, dim=1, keepdim=True)
    return length


def great_circle(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """The arc a cos tθ + u sin tθ from a to b, with θ their angle and u the unit vector at right angles to a towards b.

    Where b is a's antipode every direction leads there, and u is one of them. Unlike the usual quotient of sines this
    loses no digits where a and b are close. Shapes: unit vectors [n, dim] twice, and [n, 1] -> [n, dim].
    """
    cosine = (a * b).sum(dim=1, keepdim=True)
    towards = upright(upright(b, a), a)  # near the antipode once leaves more of a than of the rest
    sine = norm(towards)
    least = 10 * torch.finfo(a.dtype).eps
    u = torch.where(sine > least, towards / sine.clamp_min(least), sideways(a))
    angle = torch.atan2(sine, cosine)
    return a * (t * angle).cos() + u * (t * angle).sin()


def sideways(a: Tensor) -> Tensor:
    """A unit vector at right angles to each: the axis that it leans on least, made orthogonal. [n, dim] -> [n, dim]."""
    axis = torch.zeros_like(a).scatter(1, a.abs().argmin(dim=1, keepdim=True), 1.0)
    rest = upright(axis, a)
    return rest / norm(rest).clamp_min(LEAST_NORM)


def upright(b: Tensor, a: Tensor) -> Tensor:
    """The part of each b at right angles to its unit vector a: [n, dim], [n, dim] -> [n, dim]."""
    return b - (a * b).sum(dim=1, keepdim=True) * a
