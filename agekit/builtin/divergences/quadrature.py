"""Nodes and weights of one-dimensional integrals, in float64."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..precision import uncompiled

Nodes = tuple[Tensor, Tensor]
"""Nodes and weights, [N] each."""

GRADED_UP_TO = 32
"""Dimensions in which a kernel with a corner, or a narrow one, needs nodes that crowd where points meet."""

STEP = 0.3
"""Of the trapezoidal rule on a logarithm: for functions analytic up to ±iπ/2 its error is e^{−π²/STEP} ≈ 5e-15."""


def on_sphere(dim: int, like: Tensor) -> Nodes:
    """1 − t for the cosine t of the angle between uniform points of S^{d−1}; the weights sum to 1.

    The density of t is proportional to (1 − t²)^{(d−3)/2}: Gauss–Gegenbauer nodes in high dimensions, and panels that
    halve towards angle 0 in low ones.
    """
    return _on_sphere(dim, like.device)


def logarithmic(low: float, high: float, like: Tensor) -> Tensor:
    """Logarithms v at distance STEP from each other: the nodes e^v of ∫ f(u) du ≈ Σ STEP e^v f(e^v)."""
    first, last = math.floor(low / STEP), math.ceil(high / STEP)
    return torch.arange(first, last + 1, dtype=torch.float64, device=like.device) * STEP


def legendre(count: int, like: Tensor) -> Nodes:
    """Gauss–Legendre on [0, 1]."""
    return _legendre(count, like.device)


@uncompiled
@functools.cache
def _legendre(count: int, device: torch.device) -> Nodes:
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return _tensor((nodes + 1) / 2, device), _tensor(weights / 2, device)


@uncompiled
@functools.cache
def _on_sphere(dim: int, device: torch.device) -> Nodes:
    """On a device once and for all, since that is waited for."""
    gaps, weights = _graded(dim) if dim <= GRADED_UP_TO else _gegenbauer(dim, 128)
    return _tensor(gaps, device), _tensor(weights, device)


def _graded(dim: int) -> tuple[Any, Any]:
    if dim == 1:
        return np.array([0.0, 2.0]), np.array([0.5, 0.5])
    edges = math.pi * np.concatenate([[0.0], 2.0 ** np.arange(-24, 1)])
    nodes, weights = np.polynomial.legendre.leggauss(24)
    half = np.diff(edges)[:, None] / 2
    angle = (edges[:-1, None] + half + half * nodes).ravel()
    density = (half * weights).ravel() * np.sin(angle) ** (dim - 2)
    return 2 * np.sin(angle / 2) ** 2, density / density.sum()


def _gegenbauer(dim: int, count: int) -> tuple[Any, Any]:
    """Golub and Welsch 1969: eigenvalues of the Jacobi matrix, and the squares of its eigenvectors' first entries."""
    k, a = np.arange(1, count), (dim - 2) / 2
    beside = np.sqrt(k * (k + 2 * a - 1) / (4 * (k + a) * (k + a - 1)))
    values, vectors = np.linalg.eigh(np.diag(beside, 1) + np.diag(beside, -1))
    return 1 - values, vectors[0] ** 2


def _tensor(numbers: Any, device: torch.device) -> Tensor:
    return torch.as_tensor(numbers, dtype=torch.float64, device=device)
