"""Operators on parse maps."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache

import agekit
import torch
from torch import Tensor

from .losses import SCORES

SHOWN = 0.5
"""How much of an overlay is the colour of the class."""


class Areas(agekit.Operator):
    """The share of the picture that each class takes: the layout of a face as a vector.

    a_k = (1/P) Σ_i softmax(s_i)_k, with P pixels. Clouds of these are compared by any divergence of samples.

    Shapes: scores [n, classes, h, w] -> [n, classes].
    """

    @classmethod
    def known(cls) -> Iterator[agekit.Known]:
        yield agekit.Known(cls(), ([[[[0.0, 0.0]], [[math.log(3), 0.0]]]],), [[0.375, 0.625]])

    def space(self, *operands: agekit.Space) -> agekit.Space:
        match operands:
            case (agekit.Space(kind=kind, shape=(classes, _, _)),) if kind == SCORES:
                return agekit.Space("areas", (classes,))
        raise ValueError(f"areas takes a parser's scores, as in areas(s(x)); found {_listed(operands)}")

    def __call__(self, scores: Tensor) -> Tensor:
        return scores.softmax(dim=1).mean(dim=(2, 3))


class Parse(agekit.Operator):
    """The parse map that scores say: at every pixel the class with the highest score, the first of equals.

    It makes one parser's word what another is held to: `{ metric = "iou", of = "s(g(e(x)))", to = "parse(s(x))" }`.

    Shapes: scores [n, classes, h, w] -> classes [n, h, w], int64.
    """

    @classmethod
    def known(cls) -> Iterator[agekit.Known]:
        yield agekit.Known(cls(), ([[[[0.0, 2.0]], [[1.0, -1.0]]]],), [[[1.0, 0.0]]])

    def space(self, *operands: agekit.Space) -> agekit.Space:
        match operands:
            case (agekit.Space(kind=kind, shape=(_, *sides), classes=names),) if kind == SCORES:
                return agekit.Space("mask", tuple(sides), names)
        raise ValueError(f"parse takes a parser's scores, as in parse(s(x)); found {_listed(operands)}")

    def __call__(self, scores: Tensor) -> Tensor:
        return scores.argmax(dim=1)


class Overlay(agekit.Operator):
    """A picture with its parse map laid over it, half in the colours of the classes; class 0 leaves it as it is.

    The colours are those of the PASCAL VOC devkit: the bits of a class's number, from the lowest, become in turn bits
    of red, green and blue, from the highest.

    Shapes: images [n, 3, h, w] in [−1, 1], and classes [n, h, w] or scores [n, classes, h, w] -> [n, 3, h, w].
    """

    @classmethod
    def known(cls) -> Iterator[agekit.Known]:
        grey = [[[[0.5, 0.5]], [[0.5, 0.5]], [[0.5, 0.5]]]]
        red = 0.25 + (128 / 127.5 - 1) / 2
        yield agekit.Known(cls(), (grey, torch.tensor([[[0, 1]]])), [[[[0.5, red]], [[0.5, -0.25]], [[0.5, -0.25]]]])

    def space(self, *operands: agekit.Space) -> agekit.Space:
        match operands:
            case agekit.Space(shape=(3, *sides)) as image, parses if (
                parses.classes and list(parses.shape) == sides
            ) or (parses.kind == SCORES and list(parses.shape[1:]) == sides):
                return image
        raise ValueError(
            "overlay takes a colour picture and a parse map of its size, as in overlay(x, s(x)) or overlay(x, mask); "
            f"found {_listed(operands)}"
        )

    def __call__(self, images: Tensor, parses: Tensor) -> Tensor:
        classes = parses.argmax(dim=1) if parses.ndim == 4 else parses
        colours = _colours(images.dtype, images.device)
        tinted = (1 - SHOWN) * images + SHOWN * colours[classes].movedim(-1, 1)
        return torch.where(classes.unsqueeze(1) == 0, images, tinted)


@cache
def palette() -> list[tuple[int, int, int]]:
    """The red, green and blue of classes 0 to 255."""

    def bits(number: int, first: int) -> int:
        return sum((number >> (3 * place + first) & 1) << (7 - place) for place in range(3))

    return [(bits(number, 0), bits(number, 1), bits(number, 2)) for number in range(256)]


@cache
def _colours(dtype: torch.dtype, device: torch.device) -> Tensor:
    """The palette in [−1, 1], [256, 3]; on a device once and for all, since that is waited for."""
    return torch.tensor(palette(), dtype=dtype, device=device).div(127.5).sub(1)


def _listed(operands: tuple[agekit.Space, ...]) -> str:
    return ", ".join(map(str, operands))
