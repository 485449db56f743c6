"""Pictures of all sides: of the same draws and the same data, one row below the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ..errors import RunError
from ..game.batches import as_stored
from ..game.load import load_recipe
from ..game.plan import ViewPlan
from ..game.views import Gallery, Shown
from ..plugins import Loaded
from ..report.pictures import enlarged, grid
from ..train.compute import prepare_compute
from ..train.data import Report, prepare_all
from ..train.recovery import restore_last
from ..train.sources import load_programs
from .sides import Side

COLUMNS = 12
"""Pictures in a row."""

LETTERS = 14
"""The height of the letters in which a row says what it is."""

MARGIN = 8


@dataclass(frozen=True)
class Row:
    """One row: what it is, and its pictures [n, c, h, w]."""

    title: str
    pictures: Tensor


def gallery_of(
    side: Side, loaded: Loaded, cache: Path, *, device: str | None, trust: bool, preparing: Report | None
) -> Gallery:
    """The last checkpoint of a side's first run, on its data. Raises `AgekitError` where either is not to be had."""
    run = side.first
    recipe = load_recipe(run.folder.recipe, loaded, name=run.recipe)
    if device is not None:
        recipe = replace(recipe, compute=recipe.compute.model_copy(update={"device": device}))
    data = prepare_all(recipe, cache, preparing)
    game = data.game(recipe, prepare_compute(recipe.compute))
    load_programs(game, trust=trust)
    gallery = Gallery(game)
    if not restore_last(run.folder, game, gallery):
        raise RunError(f"{run.folder.path} has no checkpoint yet")
    return gallery


def rows(galleries: Mapping[str, Gallery], seed: int) -> tuple[list[Row], list[str]]:
    """The rows of every view of pictures that all have, and what is not the same on all sides.

    Draws and data are those of the seed; inputs stand above, once where they are the same.
    """
    found: list[Row] = []
    notes: dict[str, None] = {}
    first = next(iter(galleries.values()))
    for name in first.game.views:
        plans = [plan for gallery in galleries.values() if (plan := gallery.game.views.get(name)) and _still(plan)]
        if len(plans) < len(galleries):
            continue
        shown = {title: gallery.show(name, count=COLUMNS, seed=seed) for title, gallery in galleries.items()}
        notes |= dict.fromkeys(_unlike(name, plans, galleries.values(), seed))
        found += _rows(shown, plans)
    return found, [*notes]


def _still(plan: ViewPlan) -> bool:
    """Whether a view is one of pictures that stand by themselves, and move along nothing."""
    shape = plan.nodes[plan.of].space.shape
    return len(shape) == 3 and shape[0] in (1, 3) and plan.view.along is None


def _rows(shown: Mapping[str, Shown], plans: Sequence[ViewPlan]) -> list[Row]:
    """The rows of a view: what stands beside it, once where it is the same on all sides, and then each side's."""
    beside = [one.beside for one in shown.values()]
    same = all(a is not None and b is not None and torch.equal(a, b) for a, b in pairwise(beside))
    made: list[Row] = []
    for (title, one), plan in zip(shown.items(), plans, strict=True):
        if one.beside is not None and (not same or not made):
            made.append(Row(f"{'' if same else f'{title}  '}{plan.view.beside}", one.beside))
        made.append(Row(f"{title}  {plan.view.of}", one.of))
    return made


def _unlike(name: str, plans: Sequence[ViewPlan], galleries: Iterable[Gallery], seed: int) -> list[str]:
    """What a view is made of, as far as it is not the same on all sides."""
    leaves = [_leaves(plan, gallery, seed) for plan, gallery in zip(plans, galleries, strict=True)]
    keys = dict.fromkeys(key for one in leaves for key in one)
    return [f"{name}: {key} is not the same on all sides" for key in keys if len({one.get(key) for one in leaves}) > 1]


def _leaves(plan: ViewPlan, gallery: Gallery, seed: int) -> dict[str, str]:
    """What stands for the values of a view's draws and fields."""
    game, found = gallery.game, {}
    for node in plan.nodes:
        if node.op == "draw":
            found[f"the draw {node.name}"] = str(game.draw(COLUMNS, seed, "view", node.name).tolist())
        elif node.op == "field":
            taken = game.judged_data().take(np.arange(min(COLUMNS, game.judged_data().length)), [node.name])
            found["the data"] = f"{game.judged_data().length} {taken[node.name].tolist()}"
    return found


def sheet(found: Sequence[Row]) -> np.ndarray:
    """All rows in one picture, uint8 [3, H, W], each with its title at the left."""
    strips = [enlarged(grid(as_stored(row.pictures), columns=COLUMNS), row.pictures.shape[2]) for row in found]
    font = ImageFont.load_default(LETTERS)
    left = 2 * MARGIN + round(max(font.getlength(row.title) for row in found))
    size = left + max(strip.shape[2] for strip in strips), sum(strip.shape[1] for strip in strips)
    canvas = Image.new("RGB", size, "white")
    pen, top = ImageDraw.Draw(canvas), 0
    for row, strip in zip(found, strips, strict=True):
        canvas.paste(Image.fromarray(strip.transpose(1, 2, 0)), (left, top))
        pen.text((MARGIN, top + (strip.shape[1] - LETTERS) // 2), row.title, fill="black", font=font)
        top += strip.shape[1]
    return np.asarray(canvas).transpose(2, 0, 1)
