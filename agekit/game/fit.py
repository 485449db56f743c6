"""Whether a recipe fits what it is played on: its data, and its ranks."""

from __future__ import annotations

from ..errors import DataError, Problem, RecipeError
from ..recipe.source import Key, dotted
from .bound import Recipe
from .graph import Scope
from .passes import indivisible
from .plan import plan_player
from .portions import portions
from .ranks import Ranks


def misfit(recipe: Recipe, error: ValueError) -> RecipeError:
    """What is wrong with a recipe, seen from the data."""
    return RecipeError([Problem("", f"does not fit the data: {error}", recipe.name)])


def check_batches(recipe: Recipe, samples: int) -> None:
    """Raise `DataError` where a stage's batch is larger than the data set."""
    for stage in recipe.stages:
        if samples < stage.batch:
            raise DataError(
                f"{recipe.dataset_name} has {samples} samples, fewer than one batch of {stage.batch} "
                f"in the stage {stage.keys.name!r}; a smaller data.batch fits"
            )


def check_ranks(recipe: Recipe, scope: Scope, ranks: Ranks) -> None:
    """Raise `RecipeError` where batches cannot be divided among ranks: too small ones, or what needs them whole."""
    problems = []
    for stage in recipe.stages if ranks.count > 1 else ():
        try:
            portions(stage.batch, recipe.compute.micro_batch, ranks.count)
        except ValueError as error:
            key: Key = ("data", "batch")
            problems.append(Problem(dotted(key), f"{error}; fewer ranks fit", recipe.document.origin(key)))
        for player in stage.players:
            for planned, why in indivisible(plan_player(player, scope).terms):
                key = ("players", player.name, "terms", planned.term.name)
                said = f"{planned.term.label} {why}: it needs the batch at once, and one rank"
                problems.append(Problem(dotted(key), said, recipe.document.origin(key)))
    if problems:
        raise RecipeError(list(dict.fromkeys(problems)))
