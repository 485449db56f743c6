"""Values that are known of kernel discrepancies, worked out by hand, and the small clouds that they are of."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch

Cloud = list[list[float]]
Value = tuple[dict[str, Any], tuple[Cloud, Cloud | str], float]
"""Options, operands, and what they come to."""

CORNERS: Cloud = [[-1.0, -1.0], [-1.0, 5.0], [3.0, -1.0], [3.0, 5.0]]
"""Codes of mean (1, 2) and variances 4 and 9, uncorrelated."""
SHEARED: Cloud = [[-1.0, -2.0], [-1.0, 4.0], [3.0, 2.0], [3.0, 8.0]]
"""Codes of mean (1, 3) and covariance (4, 4; 4, 13), whose determinant is 36."""
PAIR: tuple[Cloud, Cloud] = [[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]], [[2.0, 2.0], [0.0, 4.0]]
"""Clouds whose squared distances are 4, 4, 8 and 8 within, and 8, 16, 4, 20, 4, 4 across; the variances sum to 4."""
LINED: tuple[Cloud, Cloud] = (
    [[0.0, 0.0], [6.0, 8.0], [15.0, 20.0], [18.0, 24.0]],
    [[15.0, 20.0], [21.0, 28.0], [0.0, 0.0], [3.0, 4.0]],
)
"""Clouds on a line, at 0, 10, 25, 30 and at 25, 35, 0, 5."""
TWO: Cloud = [[1.0, 2.0], [2.0, -2.0]]
"""Codes whose squared lengths are 5 and 8, and whose squared distance is 17."""
ZEROS: Cloud = [[0.0], [0.0]]
THREE: Cloud = [[2.0, 1.0, 2.0], [0.0, 0.5, 0.0]]
"""Codes of lengths 3 and 1/2 in three dimensions."""

KERNELS: dict[str, Callable[[float], float]] = {
    "imq": lambda s: 2 / (2 + s),
    "rbf": lambda s: math.exp(-s / 2),
    "laplace": lambda s: math.exp(-math.sqrt(s / 2)),
    "energy": lambda s: -math.sqrt(s),
}
"""Kernels of squared distances, at c = 2."""


def energy() -> Iterator[Value]:
    """Energy distances, of exponent 1."""
    distance = KERNELS["energy"]
    yield {}, PAIR, of_pair(distance)
    yield {"estimator": "biased"}, PAIR, of_pair(distance, biased=True)
    yield {"estimator": "linear"}, LINED, (35 + 15 - 10 - 10 + 20 + 30 - 5 - 5) / 2
    squares = torch.tensor([5.0, 8.0], dtype=torch.float64)  # the mean of Rice's law, of |x − y| where y is normal
    rice = (1 + squares / 2) * torch.special.i0e(squares / 4) + squares / 2 * torch.special.i1e(squares / 4)
    yield {}, (TWO, "gaussian"), math.sqrt(2 * math.pi) * rice.mean().item() - math.sqrt(17) - math.sqrt(math.pi)
    across = (3 + 1 / 9 + 1 + 1 / 12) / 2  # E|x − y| on the sphere: r + 1/(3r) for r ≥ 1, and 1 + r²/3 below
    yield {}, (THREE, "sphere"), 2 * across - math.sqrt(8.25) - 4 / 3


def mmd() -> Iterator[Value]:
    """Squared maximum mean discrepancies, at one scale."""
    one: dict[str, Any] = {"scales": (1.0,)}
    for kernel, k in KERNELS.items():
        for scale in (1.0, 2.0):
            yield {"kernel": kernel, "scales": (scale,), "variance": 0.5 / scale}, PAIR, of_pair(k)
    yield {**one, "variance": 0.5, "estimator": "biased"}, PAIR, of_pair(KERNELS["imq"], biased=True)
    yield {"kernel": "linear"}, PAIR, 8 - 2 * 16 / 6
    yield from (({"kernel": "energy", **options}, operands, value) for options, operands, value in energy())
    root = math.sqrt(math.pi)  # of the imq kernel at c = 2, and normal draws: E 2/(2 + y²), E 2/(2 + (y − y′)²)
    between, own = root * math.e * math.erfc(1), root * math.sqrt(math.e / 2) * math.erfc(math.sqrt(0.5))
    yield one, (ZEROS, "gaussian"), 1 + own - 2 * between
    laplace = 1 + math.exp(0.5) * math.erfc(math.sqrt(0.5)) - 2 * math.exp(0.25) * math.erfc(0.5)
    yield {**one, "kernel": "laplace"}, (ZEROS, "gaussian"), laplace
    for bandwidth, c in (("variance", 4.0), ("median", 4 * math.log(2))):
        yield {**one, "bandwidth": bandwidth}, PAIR, of_pair(lambda s: 8 / (8 + s))
        yield {**one, "bandwidth": bandwidth, "kernel": "rbf"}, (TWO, "gaussian"), rbf_from_normal(c)


def of_pair(k: Callable[[float], float], *, biased: bool = False) -> float:
    """MMD² of `PAIR`, with a kernel of squared distances."""
    x, y, across = (2 * k(4) + k(8)) / 3, k(8), (3 * k(4) + k(8) + k(16) + k(20)) / 6
    return (2 * x + k(0)) / 3 + (y + k(0)) / 2 - 2 * across if biased else x + y - 2 * across


def rbf_from_normal(c: float) -> float:
    """MMD² of `TWO` from N(0, I), with the Gaussian kernel."""
    across = (math.exp(-5 / (c + 2)) + math.exp(-8 / (c + 2))) / (1 + 2 / c) / 2
    return math.exp(-17 / c) + 1 / (1 + 4 / c) - 2 * across
