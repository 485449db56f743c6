"""sRGB and CIE Lab under D65, as functions of tensors whose gradients are finite everywhere.

sRGB and its matrix: IEC 61966-2-1. Lab: CIE 15, section 8.2.1, with the two branches of its cube root.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

TO_XYZ = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
"""Linear sRGB to XYZ."""

FROM_XYZ: Sequence[Sequence[float]] = np.linalg.inv(np.array(TO_XYZ)).tolist()
"""The inverse to the last digit, where the standard's own is rounded to four."""

WHITE = tuple(sum(row) for row in TO_XYZ)
"""XYZ of white, D65, so that every grey has a = b = 0."""

EDGE = 6 / 29
"""δ: the cube root is replaced by its tangent from δ³ on downwards."""


def lightness(srgb: Tensor) -> Tensor:
    """L = 116 f(Y/Yn) − 16, in [0, 100]: [n, 3, h, w] in [0, 1] -> [n, 1, h, w]."""
    (luminance,) = _mixed(_expanded(srgb), TO_XYZ[1:2])
    return 116 * _root(luminance / WHITE[1]) - 16


def opponents(srgb: Tensor) -> Tensor:
    """a = 500 (f(X/Xn) − f(Y/Yn)) and b = 200 (f(Y/Yn) − f(Z/Zn)): [n, 3, h, w] in [0, 1] -> [n, 2, h, w]."""
    x, y, z = (_root(part / white) for part, white in zip(_mixed(_expanded(srgb), TO_XYZ), WHITE, strict=True))
    return torch.cat([500 * (x - y), 200 * (y - z)], dim=1)


def to_srgb(lightness: Tensor, opponents: Tensor) -> Tensor:
    """The colour of L [n, 1, h, w] and (a, b) [n, 2, h, w]: [n, 3, h, w], beyond [0, 1] where sRGB does not have it."""
    y = (lightness + 16) / 116
    x, z = y + opponents[:, :1] / 500, y - opponents[:, 1:] / 200
    xyz = torch.cat([_cube(part) * white for part, white in zip((x, y, z), WHITE, strict=True)], dim=1)
    return _compressed(torch.cat(_mixed(xyz, FROM_XYZ), dim=1))


def _mixed(channels: Tensor, rows: Sequence[Sequence[float]]) -> list[Tensor]:
    """Each row's weighted sum of the three channels. In numbers, not tensors, which would have to reach the device."""
    first, second, third = channels[:, :1], channels[:, 1:2], channels[:, 2:]
    return [a * first + b * second + c * third for a, b, c in rows]


# Each of the powers below is taken of values kept away from 0: torch.where would otherwise let the infinite slope of
# the branch not taken through, as 0 · ∞.


def _expanded(coded: Tensor) -> Tensor:
    """Gamma-coded values as linear ones."""
    power = ((coded.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4
    return torch.where(coded > 0.04045, power, coded / 12.92)


def _compressed(linear: Tensor) -> Tensor:
    """Linear values as gamma-coded ones."""
    power = 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(linear > 0.0031308, power, 12.92 * linear)


def _root(ratio: Tensor) -> Tensor:
    """f of CIE Lab: the cube root, and its tangent at δ³ below that."""
    return torch.where(ratio > EDGE**3, ratio.clamp(min=EDGE**3) ** (1 / 3), ratio / (3 * EDGE**2) + 4 / 29)


def _cube(root: Tensor) -> Tensor:
    """The inverse of f."""
    return torch.where(root > EDGE, root**3, 3 * EDGE**2 * (root - 4 / 29))
