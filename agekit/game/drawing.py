"""The codes that a view draws, row by row, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ..errors import RunError
from .game import Game
from .plan import ViewPlan
from .randomness import Part

LARGEST = 4096
"""As many codes are drawn at once: a view of a recipe has no more."""

COLUMNS = 8
"""How many steps a moving draw takes from one value to the next."""


def evenly(count: int, most: int) -> list[int]:
    """Sizes that add up to `count`, none above `most`, and none two apart.

    >>> evenly(10, 4), evenly(3, 4), evenly(0, 4)
    ([4, 3, 3], [3], [])
    """
    parts = -(-count // most)
    return [count // parts + (part < count % parts) for part in range(parts)]


class Drawn:
    """The codes of a view's draws: functions of the seed and of how many rows there are, at most, in all."""

    def __init__(self, game: Game, plan: ViewPlan, rows: int, seed: int) -> None:
        self._names = [node.name for node in plan.nodes if node.op == "draw"]
        self._blocks = _blocks(game, plan, self._names, rows, seed)
        self._left = {name: torch.empty(0) for name in self._names}

    def take(self, size: int) -> dict[str, Tensor]:
        """The codes of the next rows, by draw."""
        while self._names and len(self._left[self._names[0]]) < size:
            block = next(self._blocks)
            self._left = {n: torch.cat([left, block[n]]) if len(left) else block[n] for n, left in self._left.items()}
        taken = {name: left[:size] for name, left in self._left.items()}
        self._left = {name: left[size:] for name, left in self._left.items()}
        return taken


def _blocks(game: Game, plan: ViewPlan, names: list[str], rows: int, seed: int) -> Iterator[dict[str, Tensor]]:
    unit = COLUMNS if plan.view.along is not None else 1
    for number, units in enumerate(evenly(-(-rows // unit), LARGEST // unit)):
        size = min(units * unit, rows)
        further: tuple[Part, ...] = (number,) if number else ()
        drawn = {name: game.draw(size, seed, "view", name, *further) for name in names}
        if plan.view.along is not None:
            drawn[plan.view.along] = way(game, plan.view.along, units, COLUMNS, seed, *further)[:size]
        yield drawn
        rows -= size


def way(game: Game, name: str, rows: int, steps: int, seed: int, *further: Part) -> Tensor:
    """Rows of codes, each in so many steps from one draw to another along the reference's own way."""
    a, b = (game.draw(rows, seed, "view", name, end, *further) for end in ("from", "to"))
    return between(game, a, b, steps)


def between(game: Game, a: Tensor, b: Tensor, steps: int) -> Tensor:
    """The ways from each code of `a` to that of `b`, both included: [rows, dim] twice -> [rows · steps, dim]."""
    reference = game.recipe.reference
    if reference is None:
        raise RunError("nothing to move along: the recipe has no [latent]")
    t = torch.linspace(0, 1, steps, device=a.device, dtype=a.dtype).repeat(len(a))[:, None]
    return reference.between(a.repeat_interleave(steps, 0), b.repeat_interleave(steps, 0), t)
