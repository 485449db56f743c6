"""The von Mises–Fisher law fitted to codes on the unit sphere."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from agekit.contracts import Divergence, Known

from ..precision import full_precision, uncompiled
from ..references import Sphere
from .clouds import FLOOR, check
from .kernels import roots


class VonMisesFisherKL(Divergence):
    """KL from the von Mises–Fisher law fitted to the codes to the uniform law on the unit sphere, in nats.

    KL = κR − log M(κ),   M(κ) = E e^{κt},   κ such that M′(κ)/M(κ) = R,   R = |mean u_i|,   u = x/|x|,

    with t the cosine of the angle between uniform points; M(κ) is Γ(d/2) (2/κ)^{d/2−1} I_{d/2−1}(κ), and is computed as
    an integral without Bessel functions, so that neither high dimension nor high concentration overflows. Its gradient
    by R is κ. It sees the mean direction alone: any law with mean 0 reaches its minimum, 0. A finite batch raises it,
    by about d/(2n). R is held below 1 by a factor 1 − 1e-12. The cost is n d.

    Source: Mardia and Jupp 2000; Davidson et al. 2018 (as a KL).
    Shapes: codes [n, d], d ≥ 2 -> []. Raises ValueError where n or d is below 2.
    """

    @classmethod
    def known(cls) -> Iterator[Known]:
        height = 1 / math.tanh(1) - 1  # the mean where κ is 1, in three dimensions
        across = math.sqrt(1 - height**2)
        turns = (0.3 + third * 2 * math.pi / 3 for third in range(3))
        codes = [[2 * across * math.cos(turn), 2 * across * math.sin(turn), 2 * height] for turn in turns]
        yield Known(cls(), (codes,), height - math.log(math.sinh(1)))

    @full_precision
    def __call__(self, codes: Tensor) -> Tensor:
        check(codes)
        dim = codes.shape[1]
        if dim < 2:
            raise ValueError("a circle is the least sphere with a von Mises–Fisher law; codes of dimension d ≥ 2 fit")
        centre = Sphere(dim=dim).project(codes.double()).mean(dim=0)
        length = roots(centre.square().sum())[0] * (1 - FLOOR)
        kappa = concentration(length, dim)
        return (kappa * length - log_moment(kappa, dim)[0]).to(codes.dtype)


@uncompiled
def concentration(length: Tensor, dim: int) -> Tensor:
    """κ for a mean of this length: Newton's steps from Banerjee et al. 2005, equation 4.4, the last differentiable."""
    with torch.no_grad():
        kappa = length * (dim - length.square()) / (1 - length.square())
        for _ in range(12):
            kappa = _step(kappa, length, dim)
    return _step(kappa, length, dim)


def _step(kappa: Tensor, length: Tensor, dim: int) -> Tensor:
    _, gap, variance = log_moment(kappa, dim)
    return (kappa + (gap - (1 - length)) / variance).clamp_min(0)


def log_moment(kappa: Tensor, dim: int) -> tuple[Tensor, Tensor, Tensor]:
    """log M(κ), 1 minus the mean of t under the density e^{κt}, and its variance there: [] -> [], [], [].

    With t = tanh v the integral is one of exp(κ tanh v − (d − 1) log cosh v) over the line, which the trapezoidal rule
    on a grid about its mode finds to 1e-12.
    """
    v = _grid(kappa.detach(), dim)
    base = -(dim - 1) * _log_cosh(v)
    gap = 2 / ((2 * v).exp() + 1)
    exponent = base - kappa * gap
    weights = exponent.detach().softmax(dim=0)
    mean = (weights * gap).sum()
    normal = math.lgamma((dim - 1) / 2) + math.lgamma(0.5) - math.lgamma(dim / 2)
    logarithm = kappa + exponent.logsumexp(dim=0) + (v[1] - v[0]).log() - normal
    return logarithm, mean, (weights * (gap - mean).square()).sum()


def _grid(kappa: Tensor, dim: int) -> Tensor:
    """Points v about the mode, where κ(1 − t²) = (d − 1) t, as far as the integrand matters."""
    ratio = (dim - 1) / 2
    gap = 2 * ratio / (ratio + kappa + (ratio**2 + kappa.square()).sqrt())  # 1 − t without cancellation
    mode = ((2 - gap) / gap).log() / 2
    width = 1 / ((dim - 1) * (1 + (1 - gap).square())).sqrt()
    tail = 40 / math.sqrt(dim - 1) + 10
    return mode + width * torch.linspace(-tail, 2 * tail, 1500, dtype=torch.float64, device=kappa.device)


def _log_cosh(v: Tensor) -> Tensor:
    return v.abs() + (-2 * v.abs()).exp().log1p() - math.log(2)
