"""The von Mises–Fisher distribution on the unit sphere, with draws that carry gradients."""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Beta, Distribution, constraints

from .bessel import Moments, moments

PROPOSALS = 32
"""Wood's proposals to a draw: each is taken with probability above 2/3, so that none is with one below 1e-15.

A fixed number needs no word from the device about how many are left to draw.
"""
NODES = 64
REACH = 30.0
"""How many standard deviations of w the tails are followed: they fall at least exponentially, at about this rate."""


class VonMisesFisher(Distribution):
    """Unit vectors x with the density C(κ) exp(κ μ·x): the normal law's counterpart on the sphere S^(M−1), M ≥ 3.

    Draws are x = wμ + √(1 − w²)v, with v uniform among the unit vectors at right angles to μ, and w drawn by rejection
    (Wood 1994; Davidson et al. 2018, algorithm 1). Which proposal is taken depends on κ, so that following the accepted
    one alone gives a gradient too small, by a fifth at M = 3, κ = 5. Here w has the implicit one, which is exact:
    dw/dκ = −(∂F/∂κ)/(∂F/∂w), with F its distribution function (Figurnov, Mohamed and Mnih 2018, section 3).

    Shapes: loc, unit vectors [..., M], and concentration κ ≥ 0 [...]. Raises ValueError where M is below 3.
    """

    arg_constraints = {"loc": constraints.real_vector, "concentration": constraints.nonnegative}
    support = constraints.real_vector
    has_rsample = True

    def __init__(self, loc: Tensor, concentration: Tensor, validate_args: bool | None = None) -> None:
        if loc.shape[-1] < 3 or loc.shape[:-1] != concentration.shape:
            shapes = f"{[*loc.shape]} and {[*concentration.shape]}"
            raise ValueError(f"directions [..., M], M ≥ 3, and one concentration for each fit; found {shapes}")
        self.loc, self.concentration = loc, concentration
        super().__init__(concentration.shape, loc.shape[-1:], validate_args)

    @property
    def dim(self) -> int:
        """M, the dimension of the space that the sphere lies in."""
        return self.loc.shape[-1]

    @property
    def mean(self) -> Tensor:
        """E[x] = E[w] μ."""
        return self._mean_length.to(self.loc.dtype)[..., None] * self.loc

    def rsample(self, sample_shape: torch.Size | list[int] | tuple[int, ...] = ()) -> Tensor:
        """Draws [*sample_shape, ..., M], of which gradients pass to μ and κ."""
        shape = self._extended_shape(torch.Size(sample_shape))
        w = self._heights(shape[:-1])[..., None]
        noise = torch.randn(shape, dtype=self.loc.dtype, device=self.loc.device)
        aside = torch.nn.functional.normalize(noise - (noise * self.loc).sum(-1, keepdim=True) * self.loc, dim=-1)
        sine = ((1 - w) * (1 + w)).clamp_min(1e-16).sqrt()
        return w.to(noise.dtype) * self.loc + sine.to(noise.dtype) * aside

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density on the sphere, [...]."""
        cosine = (self.loc * value).sum(-1)
        log_area = math.log(2) + self.dim / 2 * math.log(math.pi) - math.lgamma(self.dim / 2)
        return self.concentration * cosine - (self._log_mean_exp + log_area).to(cosine.dtype)

    def entropy(self) -> Tensor:
        """−E[log density], [...]."""
        log_area = math.log(2) + self.dim / 2 * math.log(math.pi) - math.lgamma(self.dim / 2)
        return (log_area - self._kl).to(self.loc.dtype)

    def kl_to_uniform(self) -> Tensor:
        """KL to the uniform law on the sphere: κ E[w] − log E₀[exp(κw)], [...]; it does not depend on μ.

        Source: Davidson et al. 2018, section 3.2, where the area of the sphere enters as a constant.
        """
        return self._kl.to(self.loc.dtype)

    @property
    def _kl(self) -> Tensor:
        return self.concentration.double() * self._mean_length - self._log_mean_exp

    @functools.cached_property
    def _moments(self) -> Moments:
        return moments(self.concentration, self.dim)

    @property
    def _log_mean_exp(self) -> Tensor:
        return attached(self._moments.log_mean_exp, self._moments.mean, self.concentration)

    @property
    def _mean_length(self) -> Tensor:
        return attached(self._moments.mean, self._moments.variance, self.concentration)

    def _heights(self, shape: torch.Size) -> Tensor:
        """Draws of w = μ·x, float64, of a shape that ends with the batch's."""
        with torch.no_grad():
            kappa = self.concentration.double().expand(shape)
            w = wood(kappa, self.dim)
            slope = implicit_slope(w, kappa, self.dim, self._moments)
        return attached(w, slope, self.concentration.expand(shape))


def attached(value: Tensor, slope: Tensor, at: Tensor) -> Tensor:
    """A value that is a function of `at`, float64, given the slope that autograd is to follow."""
    at = at.double()
    return value + slope * (at - at.detach())


def wood(kappa: Tensor, dim: int) -> Tensor:
    """Draws of w with the density proportional to (1 − w²)^((M−3)/2) exp(κw), by rejection: [...] -> [...].

    Source: Wood 1994, algorithm VM*.
    """
    half = (dim - 1) / 2
    b = half / (kappa + (kappa.square() + half * half).sqrt())
    x = (1 - b) / (1 + b)
    limit = kappa * x + 2 * half * (1 - x.square()).log()
    alpha = torch.full((*kappa.shape, PROPOSALS), half, dtype=torch.float64, device=kappa.device)
    draw = Beta(alpha, alpha, validate_args=False).sample()  # samples first, so that a portion of a batch draws its own
    b, x, limit = b[..., None], x[..., None], limit[..., None]
    w = (1 - (1 + b) * draw) / (1 - (1 - b) * draw)
    taken = kappa[..., None] * w + 2 * half * (1 - x * w).log() - limit >= torch.rand_like(w).log()
    return w.gather(-1, taken.to(torch.uint8).argmax(-1, keepdim=True))[..., 0]


def implicit_slope(w: Tensor, kappa: Tensor, dim: int, known: Moments) -> Tensor:
    """dw/dκ at a fixed level of w's distribution function, float64.

    dw/dκ = ∫_w^1 (t − E[w]) p(t)/p(w) dt, or its negative over [−1, w], which is the same: the side on which t − E[w]
    does not change its sign is taken. The normaliser cancels. By Gauss–Legendre quadrature.
    """
    up = w >= known.mean
    reach = REACH * known.variance.clamp_min(0).sqrt()
    end = torch.where(up, (w + reach).clamp_max(1.0), (w - reach).clamp_min(-1.0))
    place, weight = _halves(w.device)
    t = w[..., None] + (end - w)[..., None] * (place + 0.5)
    log_ratio = kappa[..., None] * (t - w[..., None]) + (dim - 3) / 2 * (_log_square(t) - _log_square(w)[..., None])
    return (end - w) * ((t - known.mean[..., None]) * log_ratio.exp() * weight).sum(-1)


@functools.cache
def _halves(device: torch.device) -> tuple[Tensor, Tensor]:
    """Half of the Gauss–Legendre nodes and weights on [−1, 1]; on a device once, since that is waited for."""
    place, weight = (torch.from_numpy(half / 2).to(device) for half in np.polynomial.legendre.leggauss(NODES))
    return place, weight


def _log_square(w: Tensor) -> Tensor:
    """log(1 − w²), finite at the poles."""
    return ((1 - w) * (1 + w)).clamp_min(1e-300).log()
