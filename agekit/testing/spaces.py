"""Spaces that a network or an operator may be offered, by kind, and batches of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from ..contracts import CODE, SCORE, Space
from ..game.graph import scores_of

DIM = 8
CLASSES = ("ground", "disc", "square")
SIDES = (32, 64, 16, 128, 28)
CHANNELS = (3, 1, 2)
SCORES = "scores of "
"""How kinds of class scores begin."""
PLAIN = frozenset({CODE, SCORE, "x", "mask", "label"})
"""Kinds whose shape is known; any other is taken for an image of some channels."""


def offers(kinds: Sequence[str]) -> Iterator[dict[str, Space]]:
    """Spaces for kinds, the likeliest first."""
    others = sorted(kind for kind in {*kinds} - PLAIN if not kind.startswith(SCORES))
    for side in SIDES:
        for channels in itertools.product(CHANNELS, repeat=len(others)):
            images = dict(zip(others, channels, strict=True))
            yield {kind: _space(kind, side, images.get(kind, 3)) for kind in kinds}


def _space(kind: str, side: int, channels: int) -> Space:
    if kind in (CODE, SCORE):
        return Space(kind, (DIM,) if kind == CODE else ())
    if kind in ("mask", "label"):
        return Space(kind, (side, side) if kind == "mask" else (), CLASSES)
    return Space(kind, (len(CLASSES) if kind.startswith(SCORES) else channels, side, side))


def made(space: Space) -> Space:
    """What a network makes for a kind: of a field of classes, a score for each class."""
    return scores_of(space) if space.classes else space


def batch(space: Space, n: int, seed: int = 0) -> Tensor:
    """Random samples of a space: classes are whole numbers, images lie in [−1, 1]."""
    chance = torch.Generator().manual_seed(seed)
    shape = (n, *(size or 1 for size in space.shape))
    if space.classes:
        return torch.randint(len(space.classes), shape, generator=chance)
    noise = torch.randn(shape, generator=chance)
    return noise.tanh() if len(space.shape) == 3 else noise
