"""What von Mises–Fisher laws need of modified Bessel functions, in float64, at any concentration κ ≥ 0.

With w the cosine between a draw of the law on S^(M−1) and its mode, and ν = M/2 − 1,

    log E₀[exp(κw)] = log Γ(ν + 1) + ν log 2 + log(I_ν(κ) κ^−ν)          E₀: uniform draws
    E[w]            = I_{ν+1}(κ) / I_ν(κ)
    Var[w]          = 1 − E[w]² − (M − 1) E[w]/κ

Each is the derivative of the one before it. They are computed from ρ_n = I_{n+1}(κ) / (κ I_n(κ)), which is smooth at
κ = 0: Debye's expansion gives I and ρ at an order so high that four terms suffice, and the recurrence
ρ_{n−1} = 1/(2n + κ² ρ_n), which damps errors, leads down to ν.

Source: Abramowitz and Stegun 1964, 9.6.26, 9.7.7 and 9.3.9; Mardia and Jupp 2000, section 9.3.2, for the moments.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

ORDERS = 64
"""How far above ν the expansion is used: its relative error there is below 1e-11."""

DEBYE = (
    (24, (3, -5)),
    (1152, (81, -462, 385)),
    (414720, (30375, -369603, 765765, -425425)),
    (39813120, (4465125, -94121676, 349922430, -446185740, 185910725)),
)
"""Debye's polynomials u₁ to u₄, as (divisor, coefficients of rising powers of p²), with u_k = p^k times these."""


class Moments(NamedTuple):
    """log E₀[exp(κw)], E[w] and Var[w], without gradients."""

    log_mean_exp: Tensor
    mean: Tensor
    variance: Tensor


@torch.no_grad()
def moments(kappa: Tensor, dim: int) -> Moments:
    """The moments for concentrations of any shape, float64, on the sphere in R^dim."""
    kappa, order = kappa.double(), dim / 2 - 1
    top = order + ORDERS
    log_bessel, ratio = _log_bessel(top, kappa), _ratio(top, kappa)
    for n in range(ORDERS):
        ratio = 1 / (2 * (top - n) + kappa.square() * ratio)
        log_bessel = log_bessel - ratio.log()
    mean = kappa * ratio
    variance = 1 - mean.square() - (dim - 1) * ratio
    return Moments(math.lgamma(dim / 2) + order * math.log(2) + log_bessel, mean, variance)


def _log_bessel(n: float, kappa: Tensor) -> Tensor:
    """log(I_n(κ) κ^−n) by Debye's expansion, with s = √(n² + κ²)."""
    s = _root(n, kappa)
    return s - n * (n + s).log() - (2 * math.pi * s).log() / 2 + _series(n, s).log()


def _ratio(n: float, kappa: Tensor) -> Tensor:
    """ρ_n, the exponential of the difference of two `_log_bessel`, arranged so that large terms cancel on paper."""
    s, above = _root(n, kappa), _root(n + 1, kappa)
    step = (2 * n + 1) / (above + s)
    main = step - (n + 1 + above).log() - n * ((1 + step) / (n + s)).log1p() - (step / s).log1p() / 2
    return main.exp() * _series(n + 1, above) / _series(n, s)


def _root(n: float, kappa: Tensor) -> Tensor:
    return (n * n + kappa.square()).sqrt()


def _series(n: float, s: Tensor) -> Tensor:
    """1 + Σ_k u_k(p)/n^k with p = n/s."""
    square = (n / s).square()
    total = torch.ones_like(s)
    for k, (divisor, coefficients) in enumerate(DEBYE, start=1):
        polynomial = sum(c * square**power for power, c in enumerate(coefficients))
        total = total + polynomial / (divisor * s**k)
    return total
