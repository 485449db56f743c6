"""Operators: functions without weights that expressions may use."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from agekit.contracts import Known, Operator, Space

REC_709 = 0.2126, 0.7152, 0.0722
"""The weights of red, green and blue in luma: ITU-R BT.709, item 3.2."""


class Stop(Operator):
    """The value itself, through which no gradient passes.

    Shapes: any -> the same.
    """

    stops = True

    @classmethod
    def known(cls) -> Iterator[Known]:
        yield Known(cls(), ([[3.0]],), [[3.0]])

    def space(self, *operands: Space) -> Space:
        counted("stop", operands, 1)
        return operands[0]

    def __call__(self, x: Tensor) -> Tensor:
        return x.detach()


class Mix(Operator):
    """A point on the line between each sample of one batch and its counterpart in the other, at a random place.

    mix(x, y) = a x + (1 − a) y with a ~ U(0, 1) for each sample. All mixes of one update share their coefficients.

    Source: Gulrajani et al. 2017, algorithm 1, line 6.
    Shapes: [n, …] twice -> [n, …].
    """

    @classmethod
    def known(cls) -> Iterator[Known]:
        yield Known(cls(), ([[3.0]], [[3.0]]), [[3.0]])

    def space(self, *operands: Space) -> Space:
        counted("mix", operands, 2)
        first, second = operands
        if not first.fits(second):
            raise ValueError(f"mix takes two of one kind and shape, found {first} and {second}")
        return first

    def __call__(self, x: Tensor, y: Tensor, *, generator: torch.Generator) -> Tensor:
        a = torch.rand(len(x), generator=generator, device=generator.device, dtype=torch.float32)
        a = a.to(x.device).reshape(-1, *[1] * (x.ndim - 1))
        return a * x + (1 - a) * y


class Grey(Operator):
    """The luma of a colour image, as an image of one channel in the same range.

    0.2126 R + 0.7152 G + 0.0722 B, on the gamma-coded values as they are.

    Source: ITU-R BT.709, item 3.2. Shapes: [n, 3, h, w] -> [n, 1, h, w], of kind `grey`.
    """

    @classmethod
    def known(cls) -> Iterator[Known]:
        yield Known(cls(), ([[[[1.0]], [[-1.0]], [[0.0]]]],), [[[[0.2126 - 0.7152]]]])

    def space(self, *operands: Space) -> Space:
        counted("grey", operands, 1)
        shape = operands[0].shape
        if len(shape) != 3 or shape[0] not in (3, None):
            raise ValueError(f"grey takes an image of three channels, found {operands[0]}")
        return Space("grey", (1, *shape[1:]))

    def __call__(self, x: Tensor) -> Tensor:
        red, green, blue = REC_709
        return red * x[:, :1] + green * x[:, 1:2] + blue * x[:, 2:]


def counted(name: str, operands: tuple[Space, ...], count: int) -> None:
    """Raise ValueError unless there are as many operands as the operator takes."""
    if len(operands) != count:
        takes = "one operand" if count == 1 else f"{count} operands"
        raise ValueError(f"{name} takes {takes}, found {len(operands)}")
