"""Sums over all pairs of points, tile by tile: memory grows as n, not as n², forward and backward.

The gradient of Σ f(|x − y|²) is Σ 2f′ (x − y). It is summed up in the forward pass, while a tile's f′ are at hand, so
that no tile is kept for the backward pass. A second derivative, where one is asked for, is computed from all pairs at
once, and costs their matrix.

Squared distances come from one product of matrices in float64, whatever the codes are: in float32 close points would
lose their distance to cancellation. Points closer than about 1e-7 of their length count as equal.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Protocol

import torch
from torch import Tensor

from ..precision import uncompiled

TILE = {"cpu": 2**17}
"""Pairs a tile: what stays in a core's cache, and with the allocator; elsewhere what keeps a device busy."""
TILE_ELSEWHERE = 2**24


Slopes = tuple[Tensor, Tensor | None]
"""A profile's derivatives by the squared distance and by the lengths: [n, m] each."""


class Profile(Protocol):
    """A function of two points: of their squared distance s, and perhaps affine in the sum of their squared lengths.

    squared [n, m], lengths [n, 1] and [m] -> value [n, m], its derivative by s [n, m], and by the lengths, if any.
    """

    def __call__(self, squared: Tensor, a: Tensor, b: Tensor, /) -> tuple[Tensor, Tensor, Tensor | None]:
        """Value and derivatives, in differentiable operations."""


def within(x: Tensor, profile: Profile) -> Tensor:
    """Σ_{i≠j} f(x_i, x_j), in float64: [n, d] -> []."""
    return _apply(x, None, profile)


def between(x: Tensor, y: Tensor, profile: Profile) -> Tensor:
    """Σ_{i,j} f(x_i, y_j), in float64: [n, d], [m, d] -> []."""
    return _apply(x, y, profile)


def along(x: Tensor, y: Tensor, profile: Profile) -> Tensor:
    """Σ_i f(x_i, y_i), in float64: [n, d], [n, d] -> []."""
    x, y = x.double(), y.double()
    lengths = x.square().sum(dim=1, keepdim=True), y.square().sum(dim=1, keepdim=True)
    value, *_ = profile((x - y).square().sum(dim=1, keepdim=True), *lengths)
    return value.sum()


def squared_distances(x: Tensor, y: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Squared distances in float64, some rows at a time: [n, d], [m, d] -> rows, [rows, m]."""
    left, right = _left(x), _right(y)
    for rows in _parts(len(x), max(1, _pairs(x.device) // max(1, len(y)))):
        yield rows, (left[rows] @ right.T).clamp_min(0)


@uncompiled
def _apply(x: Tensor, y: Tensor | None, profile: Profile) -> Tensor:
    total: Tensor = _PairSum.apply(x, y, profile)  # type: ignore[no-untyped-call]
    return total


class _PairSum(torch.autograd.Function):
    """The sum, and its gradients of the first and of the second derivative."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor | None, profile: Profile) -> Tensor:
        wanted = ctx.needs_input_grad[0], ctx.needs_input_grad[0 if y is None else 1]
        total, by_x, by_y = _summed(x, y, profile, wanted)
        ctx.profile, ctx.alone = profile, y is None
        ctx.save_for_backward(x, y, by_x, by_y)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, y, by_x, by_y = ctx.saved_tensors
        if torch.is_grad_enabled():
            by_x, by_y = _differentiable(x, y, ctx.profile)
        return _times(grads[0], by_x), None if ctx.alone else _times(grads[0], by_y), None


def _summed(
    x: Tensor, y: Tensor | None, profile: Profile, wanted: tuple[bool, bool]
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """The sum, and those gradients that are wanted."""
    other = x if y is None else y
    left, right = _left(x), _right(other)
    total = torch.zeros((), dtype=torch.float64, device=x.device)
    by_x = torch.zeros_like(x) if wanted[0] else None
    by_y = by_x if y is None else torch.zeros_like(other) if wanted[1] else None
    for rows, columns, times in _tiles(x, y):
        a, b = x[rows], other[columns]
        squared = (left[rows] @ right[columns].T).clamp_min_(0).to(x.dtype)
        value, slopes = _evaluated(profile, squared, a, b, alone=y is None and rows == columns)
        total += times * value.sum(dtype=torch.float64)
        if by_x is not None:
            by_x[rows] += times * _pulled(a, b, *slopes)
        if by_y is not None:
            by_y[columns] += times * _pulled(b, a, *_turned(slopes))
    return total, by_x, by_y


def _differentiable(x: Tensor, y: Tensor | None, profile: Profile) -> tuple[Tensor, Tensor | None]:
    """The gradients as functions that autograd can follow."""
    other = x if y is None else y
    squared = (x.double().unsqueeze(1) - other.double()).square().sum(dim=2).to(x.dtype)
    _, slopes = _evaluated(profile, squared, x, other, alone=y is None)
    by_x = _pulled(x, other, *slopes)
    if y is None:
        return 2 * by_x, None
    return by_x, _pulled(y, x, *_turned(slopes))


def _evaluated(profile: Profile, squared: Tensor, a: Tensor, b: Tensor, *, alone: bool) -> tuple[Tensor, Slopes]:
    """Value and derivatives of a tile; without the pairs of a point and itself where it is alone."""
    value, by_squared, by_lengths = profile(squared, a.square().sum(dim=1, keepdim=True), b.square().sum(dim=1))
    if not alone:
        return value, (by_squared, by_lengths)
    others = 1 - torch.eye(len(a), dtype=a.dtype, device=a.device)
    return value * others, (by_squared * others, None if by_lengths is None else by_lengths * others)


def _turned(slopes: Slopes) -> Slopes:
    """The derivatives with the points' parts exchanged."""
    return slopes[0].T, None if slopes[1] is None else slopes[1].T


def _pulled(a: Tensor, b: Tensor, by_squared: Tensor, by_lengths: Tensor | None) -> Tensor:
    """The gradient by the first of the points: [n, d], [m, d], [n, m] -> [n, d]."""
    weight = by_squared.sum(dim=1, keepdim=True)
    if by_lengths is not None:
        return 2 * ((weight + by_lengths.sum(dim=1, keepdim=True)) * a - by_squared @ b)
    return 2 * (weight * a - by_squared @ b)


def _tiles(x: Tensor, y: Tensor | None) -> Iterator[tuple[slice, slice, int]]:
    """Rows, columns and how often they count; within one cloud the part below the diagonal is that above it.

    Tiles are square, for in narrow ones the gradients, of n · d numbers, would outweigh the pairs.
    """
    side = math.isqrt(_pairs(x.device))
    for rows in _parts(len(x), side):
        for columns in _parts(len(x if y is None else y), side):
            if y is not None or rows == columns:
                yield rows, columns, 1
            elif columns.start > rows.start:
                yield rows, columns, 2


def _parts(n: int, count: int) -> Iterator[slice]:
    return (slice(start, min(start + count, n)) for start in range(0, n, count))


def _pairs(device: torch.device) -> int:
    return TILE.get(device.type, TILE_ELSEWHERE)


def _left(x: Tensor) -> Tensor:
    """[−2x, |x|², 1], whose product with [y, 1, |y|²] is |x − y|²."""
    wide, lengths = _wide(x)
    return torch.cat([-2 * wide, lengths, torch.ones_like(lengths)], dim=1)


def _right(y: Tensor) -> Tensor:
    wide, lengths = _wide(y)
    return torch.cat([wide, torch.ones_like(lengths), lengths], dim=1)


def _wide(x: Tensor) -> tuple[Tensor, Tensor]:
    """The codes in float64, and squared lengths a little too short: equal points shall not end up above 0."""
    wide = x.detach().double()
    slack = torch.finfo(torch.float64).eps * (x.shape[1] + 32)
    return wide, wide.square().sum(dim=1, keepdim=True) * (1 - slack)


def _times(grad: Tensor, gradient: Tensor | None) -> Tensor | None:
    return None if gradient is None else grad.to(gradient.dtype) * gradient
