"""Metrics of colourings: whether they keep their luminance, and how much they differ."""

from __future__ import annotations

from collections.abc import Mapping

import agekit
import torch
from torch import Tensor

from .lab import lightness, opponents
from .operators import unclipped

LEVELS = 255


class LuminanceError(agekit.Metric):
    """How far the luminance of saved colourings is from the one they were given, in units of CIE Lab, L in [0, 100].

    |L(rounded) − L|, pixel by pixel, with each colouring rounded to 8 bits; `max` and `mean` are over the pixels of all
    samples whose colour sRGB has, and `clipped_share` is the share of the others. Rounding alone stays below 0.27. A
    pixel is clipped where its red, green or blue, rounded to 8 bits, lies outside 0 to 255.

    Source: CIE 15, section 8.2.1, for L.
    Shapes: chroma [n, 2, h, w] and luminance [n, 1, h, w] -> rows [n, 4]: the largest error and the sum of the errors
    of the pixels that are not clipped, the number of these, and of all. Raises ValueError for anything else.
    """

    operands = {"of": agekit.Operand(), "to": agekit.Operand()}

    def rows(self, chroma: Tensor, luminance: Tensor) -> Tensor:
        _check(chroma, 2, "chroma")
        _check(luminance, 1, "luminance")
        levels = (unclipped(chroma.double(), luminance.double()) * LEVELS).round()
        kept = ((levels >= 0) & (levels <= LEVELS)).all(dim=1, keepdim=True)
        error = (lightness(levels.clamp(0, LEVELS) / LEVELS) - (luminance.double() + 1) * 50).abs() * kept
        pixels = torch.full((len(error),), error[0].numel(), dtype=error.dtype, device=error.device)
        return torch.stack([error.flatten(1).amax(1), error.sum((1, 2, 3)), kept.sum((1, 2, 3)).double(), pixels], 1)

    def values(self, rows: Tensor, spaces: Mapping[str, agekit.Space]) -> Mapping[str, float]:  # noqa: ARG002 - contract
        _, total, kept, pixels = rows.double().sum(0)
        return {
            "max": rows[:, 0].max().item(),
            "mean": (total / kept).item(),
            "clipped_share": (1 - kept / pixels).item(),
        }


class ColorDiversity(agekit.Metric):
    """How far apart two colourings of one photograph are: the mean distance of (a, b), in units of CIE Lab.

    E √((a − a′)² + (b − b′)²) over pixels and samples; with a draw of its own for each of the two, as in
    `of = "rgb(g(z, l), l)", to = "rgb(g(z2, l), l)"`, the mean distance of any two colourings. 0 means that the codes
    are ignored.

    Source: CIE 15, section 8.2.1, for a and b.
    Shapes: pictures [n, 3, h, w] in [−1, 1] twice -> rows [n], the mean of each. Raises ValueError for anything else.
    """

    operands = {"of": agekit.Operand(), "to": agekit.Operand(like="of")}

    def rows(self, pictures: Tensor, others: Tensor) -> Tensor:
        _check(pictures, 3, "pictures")
        _check(others, 3, "pictures")
        apart = opponents((pictures.double() + 1) / 2) - opponents((others.double() + 1) / 2)
        distance: Tensor = torch.linalg.vector_norm(apart, dim=1)
        return distance.mean((1, 2))

    def values(self, rows: Tensor, spaces: Mapping[str, agekit.Space]) -> Mapping[str, float]:  # noqa: ARG002 - contract
        return {"ab_distance": rows.double().mean().item()}


def _check(given: Tensor, channels: int, what: str) -> None:
    if given.ndim != 4 or given.shape[1] != channels:
        raise ValueError(f"it takes {what} [n, {channels}, h, w] there, found {[*given.shape]}")
