"""Departures: what a cloud of codes may do instead of following its reference.

Each is a function of draws of the reference in units of a coordinate's standard deviation, u ~ (0, I) of [n, d].
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..contracts import Law

Change = Callable[[Tensor, torch.Generator], Tensor]

FREEDOM = 5
"""Degrees of freedom of the heavy tail: the fewest whole ones with a fourth moment."""

MODES = 2
"""Coordinates whose signs make the modes."""


@dataclass(frozen=True)
class Departure:
    """One way of not following the reference.

    change: u -> codes, in the same units.
    law: the dimension, and whether u is normal -> what is known of the law of these codes, in the same units.
    """

    name: str
    meaning: str
    change: Change
    law: Callable[[int, bool], Law | None]


def affine(name: str, meaning: str, matrix: Callable[[int], Tensor], offset: float = 0.0) -> Departure:
    """The departure u -> A u + offset, whose mean and covariance A Aᵀ are known whatever the law of u."""

    def change(u: Tensor, _: torch.Generator) -> Tensor:
        return u @ matrix(u.shape[1]).to(u).T + offset

    def law(dim: int, normal: bool) -> Law:
        a = matrix(dim)
        return Law(torch.full((dim,), offset, dtype=torch.float64), a @ a.T, normal)

    return Departure(name, meaning, change, law)


def identity(dim: int) -> Tensor:
    """I."""
    return torch.eye(dim, dtype=torch.float64)


def autoregressive(dim: int) -> Tensor:
    """The Cholesky factor of the covariance 0.5^|i − j|."""
    place = torch.arange(dim)
    root: Tensor = torch.linalg.cholesky(0.5 ** (place[:, None] - place).abs().double())
    return root


def duplicating(dim: int) -> Tensor:
    """The second half of the coordinates copied from the first; of an odd number, the last is left as it is."""
    one, half = identity(dim), dim // 2
    return torch.cat([one[:half], one[:half], one[2 * half :]])


def flattening(dim: int) -> Tensor:
    """Each coordinate a mixture, with norm 1, of the first quarter of them."""
    rank = max(1, dim // 4)
    draws = torch.randn(dim, rank, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rows = draws / torch.linalg.vector_norm(draws, dim=1, keepdim=True)
    return torch.nn.functional.pad(rows, (0, dim - rank))


def antipodal(u: Tensor, _: torch.Generator) -> Tensor:
    """Two points, ±(1, …, 1), by the sign of the first coordinate."""
    return torch.where(u[:, :1] < 0, -torch.ones_like(u), torch.ones_like(u))


def antipodal_law(dim: int, normal: bool) -> Law:  # noqa: ARG001 - it is the same for all
    """Mean 0, and covariance 1 everywhere."""
    return Law(torch.zeros(dim, dtype=torch.float64), torch.ones(dim, dim, dtype=torch.float64), normal=False)


def without_mode(u: Tensor, _: torch.Generator) -> Tensor:
    """Codes whose first coordinates are all positive have the first one's sign turned."""
    inside = (u[:, :MODES] > 0).all(dim=1, keepdim=True)
    mirrored = torch.cat([-u[:, :1], u[:, 1:]], dim=1)
    return torch.where(inside, mirrored, u)


def without_mode_law(dim: int, normal: bool) -> Law | None:
    """Of normal u, of which E|u| = √(2/π): what turning 1/2^k of them takes from the first coordinate's moments."""
    if not normal:
        return None
    taken = 2 * 0.5 ** min(MODES, dim)
    mean, covariance = torch.zeros(dim, dtype=torch.float64), identity(dim)
    mean[0] = -taken * math.sqrt(2 / math.pi)
    covariance[0, 1:MODES] = covariance[1:MODES, 0] = -taken * 2 / math.pi
    covariance[0, 0] -= mean[0] ** 2
    return Law(mean, covariance, normal=False)


def heavy(u: Tensor, generator: torch.Generator) -> Tensor:
    """u √(ν − 2)/√χ²_ν: each code at a length of its own, so that normal codes become Student's, of covariance I."""
    normal = torch.randn(len(u), FREEDOM, generator=generator, device=u.device, dtype=u.dtype)
    return u * (math.sqrt(FREEDOM - 2) / normal.square().sum(dim=1, keepdim=True).sqrt())


def heavy_law(dim: int, normal: bool) -> Law:  # noqa: ARG001 - lengths change whatever the law
    """Mean 0 and covariance I."""
    return Law(torch.zeros(dim, dtype=torch.float64), identity(dim), normal=False)


DEPARTURES = (
    affine("shift", "0.2 added to every coordinate", identity, 0.2),
    affine("scale", "every coordinate times 0.8", lambda dim: 0.8 * identity(dim)),
    affine("correlation", "correlations 0.5^|i − j| between coordinates i and j", autoregressive),
    affine("duplicates", "the second half of the coordinates copied from the first", duplicating),
    Departure("antipodes", "all codes at one of two opposite points", antipodal, antipodal_law),
    Departure(
        "missing_mode",
        "of four modes, the signs of two coordinates, one is empty and its neighbour holds twice as many",
        without_mode,
        without_mode_law,
    ),
    affine("low_rank", "all codes in a subspace of a quarter of the dimensions, variances as they were", flattening),
    Departure("heavy_tail", f"lengths of Student's law of {FREEDOM} degrees of freedom", heavy, heavy_law),
)
