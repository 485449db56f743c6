"""Operators between pictures and their luminance and chroma."""

from __future__ import annotations

from collections.abc import Iterator

import agekit
from torch import Tensor

from .lab import lightness, opponents, to_srgb

CHROMA_UNITS = 110
"""What 1 of chroma is in CIE Lab: in sRGB, a lies in [−86.2, 98.2] and b in [−107.9, 94.5]."""


class Luminance(agekit.Operator):
    """How light each pixel of a colour picture is: the L of CIE Lab, as an image of one channel.

    l = L/50 − 1, so that black is −1 and white 1.

    Source: CIE 15, section 8.2.1; IEC 61966-2-1 for sRGB under D65.
    Shapes: x [n, 3, h, w] in [−1, 1] -> [n, 1, h, w] in [−1, 1], of kind `luminance`.
    """

    @classmethod
    def known(cls) -> Iterator[agekit.Known]:
        yield agekit.Known(cls(), ([[[[1.0, -1.0]], [[1.0, -1.0]], [[1.0, -1.0]]]],), [[[[1.0, -1.0]]]])

    def space(self, *operands: agekit.Space) -> agekit.Space:
        return agekit.Space("luminance", (1, *_map_of("luminance", operands)))

    def __call__(self, x: Tensor) -> Tensor:
        return lightness((x + 1) / 2) / 50 - 1


class Chroma(agekit.Operator):
    """Which colour each pixel of a colour picture has, apart from how light it is: the a and b of CIE Lab.

    (a, b)/110: greys are 0, and all that sRGB can show lies in [−0.99, 0.90].

    Source: CIE 15, section 8.2.1; IEC 61966-2-1 for sRGB under D65.
    Shapes: x [n, 3, h, w] in [−1, 1] -> [n, 2, h, w], of kind `chroma`.
    """

    @classmethod
    def known(cls) -> Iterator[agekit.Known]:
        yield agekit.Known(cls(), ([[[[1.0, 0.3]], [[1.0, 0.3]], [[1.0, 0.3]]]],), [[[[0.0, 0.0]], [[0.0, 0.0]]]])

    def space(self, *operands: agekit.Space) -> agekit.Space:
        return agekit.Space("chroma", (2, *_map_of("chroma", operands)))

    def __call__(self, x: Tensor) -> Tensor:
        return opponents((x + 1) / 2) / CHROMA_UNITS


class RGB(agekit.Operator):
    """The colour picture of a chroma and a luminance, in this order, clipped to what sRGB can show.

    The inverse of `chroma` and `luminance`. Where sRGB has no such colour, its red, green and blue are clipped one by
    one to [−1, 1], which changes the luminance, too; the metric `luminance_error` tells the share of such pixels.

    Source: CIE 15, section 8.2.1; IEC 61966-2-1 for sRGB under D65.
    Shapes: ab [n, 2, h, w] and l [n, 1, h, w] -> [n, 3, h, w] in [−1, 1], of kind `x`.
    """

    @classmethod
    def known(cls) -> Iterator[agekit.Known]:
        yield agekit.Known(cls(), ([[[[0.0]], [[0.0]]]], [[[[1.0]]]]), [[[[1.0]], [[1.0]], [[1.0]]]])

    def space(self, *operands: agekit.Space) -> agekit.Space:
        shapes = [operand.shape for operand in operands]
        if [shape[:1] for shape in shapes] != [(2,), (1,)] or len(shapes[0]) != 3 or shapes[0][1:] != shapes[1][1:]:
            found = " and ".join(map(str, operands)) or "nothing"
            raise ValueError(f"rgb takes chroma [2×h×w] and luminance [1×h×w], in this order, found {found}")
        return agekit.Space("x", (3, *shapes[0][1:]))

    def __call__(self, ab: Tensor, l: Tensor) -> Tensor:  # noqa: E741 - the letter that recipes write
        return unclipped(ab, l).clamp(0, 1) * 2 - 1


def unclipped(ab: Tensor, l: Tensor) -> Tensor:  # noqa: E741
    """The picture of a chroma [n, 2, h, w] and a luminance [n, 1, h, w], sRGB [n, 3, h, w]; its gamut is [0, 1]."""
    return to_srgb((l + 1) * 50, ab * CHROMA_UNITS)


def _map_of(name: str, operands: tuple[agekit.Space, ...]) -> tuple[int | None, ...]:
    """Height and width of the one colour picture. Raises ValueError where there is anything else."""
    shapes = [operand.shape for operand in operands]
    if len(shapes) != 1 or len(shapes[0]) != 3 or shapes[0][0] not in (3, None):
        found = " and ".join(map(str, operands)) or "nothing"
        grey = "; a grey picture has no colours to learn" if shapes and shapes[0][:1] == (1,) else ""
        raise ValueError(f"{name} takes one colour picture [3×h×w], found {found}{grey}")
    return shapes[0][1:]
