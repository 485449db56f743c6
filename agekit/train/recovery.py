"""Taking a run up where it was left: the last checkpoint that is whole, and what has come after it."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from ..errors import RunError
from ..game.game import Game
from ..game.views import Gallery
from ..report.metrics import sha256_of_first
from . import checkpoint as saved
from .best import forget_later, forget_surpassed
from .folder import RunFolder


def restore_last(folder: RunFolder, game: Game, gallery: Gallery, *, whole: bool = False) -> dict[str, Any]:
    """Restore the last checkpoint that is whole; nothing where there is none.

    With `whole`, the metrics up to it have to be as they were, too. Raises `RunError` where there are checkpoints and
    all are damaged.
    """
    there = saved.checkpoints(folder.checkpoints)
    damaged: list[str] = []
    for checkpoint in reversed(there):
        try:
            if whole:
                _check_metrics(folder, checkpoint)
            return {**saved.restore(checkpoint, game, gallery), "damaged": damaged}
        except RunError as error:
            damaged.append(str(error))
    if there:
        raise RunError("no checkpoint can be used:\n" + "\n".join(damaged))
    return {}


def _check_metrics(folder: RunFolder, checkpoint: saved.Checkpoint) -> None:
    """Raise `RunError` where the lines of metrics up to a checkpoint are not those that were written."""
    state = checkpoint.state()
    try:
        found = sha256_of_first(folder.metrics, state.get("metrics_bytes", 0))
    except FileNotFoundError:
        found = "nothing"
    if found != state.get("metrics_sha256"):
        raise RunError(
            f"{folder.metrics} is damaged: up to {checkpoint.path.name}, it is not what was written; "
            "agekit resume --despite metrics goes on with what is there"
        )


def settle(folder: RunFolder, game: Game, state: dict[str, Any]) -> list[str]:
    """Set aside, or remove, what is of a later step than the game was restored to, and what was about to be removed.

    What was wrong with a best checkpoint that is damaged, and is set aside, too, is handed out.
    """
    damaged = []
    for later in saved.checkpoints(folder.checkpoints):
        if later.path.name > saved.name_of(game):
            _set_aside(later.path)
    saved.rotate(folder.checkpoints, game.recipe.run.keep, state.get("sentinel", {}).get("healthy"))
    forget_later(folder.best, game)
    for best in saved.checkpoints(folder.best):
        try:
            best.verify()
        except RunError as error:
            damaged.append(str(error))
            _set_aside(best.path)
    forget_surpassed(folder.best, folder.checkpoints)
    return damaged


def _set_aside(path: Path) -> None:
    """Rename a damaged checkpoint, beside those of the same step that were set aside before."""
    names = (f"damaged-{path.name}{f'-{again}' if again else ''}" for again in itertools.count())
    path.rename(next(target for name in names if not (target := path.with_name(name)).exists()))
