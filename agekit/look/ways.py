"""Ways through code space: from draw to draw, or from picture to picture, along the reference's own way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

import torch
from torch import Tensor

from ..game.coding import Coder
from ..game.drawing import LARGEST, between, evenly, way
from ..game.views import PART


def ways_of_draws(coder: Coder, count: int, steps: int, seed: int | None) -> Iterator[Tensor]:
    """Pictures of so many ways, each from one draw to another in so many steps: parts [rows · steps, c, h, w]."""
    game = coder.gallery.game
    key = game.recipe.run.seed if seed is None else seed
    name = coder.plan.nodes[coder.at].name
    for number, rows in enumerate(evenly(count, max(1, LARGEST // steps))):
        codes = way(game, name, rows, steps, key, *([number] if number else []))
        yield from _rows(coder, codes, {}, steps)


def ways_of_pictures(coder: Coder, parts: Iterable[Tensor], steps: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """From each picture to the next: the pictures on the way [steps, c, h, w], and the two at its ends.

    What else the view asks of the data is that of the picture where the way begins.
    """
    encoded = ((x[None], code[None]) for part in parts for x, code in zip(part, coder.encode({"x": part}), strict=True))
    for (x, code), (following, target) in pairwise(encoded):
        codes = between(coder.gallery.game, code, target, steps)
        made = torch.cat(list(_rows(coder, codes, {"x": x.expand(steps, *x.shape[1:])}, steps)))
        yield made, x, following


def _rows(coder: Coder, codes: Tensor, leaves: dict[str, Tensor], steps: int) -> Iterator[Tensor]:
    """What is made of codes, whole rows at a time."""
    size = max(1, PART // steps) * steps
    for first in range(0, len(codes), size):
        rows = slice(first, first + size)
        yield coder.decode(codes[rows], {name: value[rows] for name, value in leaves.items()})
