"""The best checkpoint of a run, by a metric that its recipe names."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from ..errors import Problem, RecipeError, nearest
from ..files import remove_folder
from ..game.game import Game
from ..game.judge import Judgement
from ..game.views import Gallery
from ..recipe.tables import Best, best_of
from . import checkpoint as saved


def keep_best(
    folder: Path, game: Game, gallery: Gallery, judged: Mapping[str, Judgement], extra: dict[str, Any]
) -> None:
    """Write a checkpoint where the metrics are better than those of the last one; a number that is none is not.

    Raises `RecipeError` where the metric has no such number, `RunError` where the disk does not take it.
    """
    if game.stage.run.best is None:
        return
    best = best_of(game.stage.run.best)
    value, kept = _value(best, judged), saved.checkpoints(folder)
    before = kept[-1].state().get("best", {}) if kept else {}
    if before.get("by") == game.stage.run.best and not best.better(value, before["value"]):
        return
    if math.isfinite(value):
        folder.mkdir(exist_ok=True)
        gallery.recalibrate()
        more = {"best": {"by": game.stage.run.best, "value": value}}
        saved.save(folder, game, gallery, extra | more, keep=len(kept) + 1)


def forget_later(folder: Path, game: Game) -> None:
    """Remove a best checkpoint that is of a later step than the game stands at: it will be reached again."""
    for checkpoint in saved.checkpoints(folder):
        if checkpoint.path.name > saved.name_of(game):
            remove_folder(checkpoint.path)


def forget_surpassed(folder: Path, checkpoints: Path) -> None:
    """Remove the best checkpoints that no resumed run needs: others surpassed them, before the oldest checkpoint."""
    there = saved.checkpoints(checkpoints)
    for before, after in pairwise(saved.checkpoints(folder)):
        if there and after.path.name <= there[0].path.name:
            remove_folder(before.path)


def _value(best: Best, judged: Mapping[str, Judgement]) -> float:
    values = judged[best.metric].values
    key = best.key or next(iter(values))
    if key not in values:
        raise RecipeError([Problem("run.best", f"metric {best.metric} has no value {key!r}; {nearest(key, values)}")])
    return values[key]
