"""From a recipe's file to a valid recipe: read, composed and bound."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import Problem, RecipeError
from ..recipe.compose import absolute
from ..recipe.compose import load as read_document
from ..recipe.find import find
from .bound import Recipe
from .check import bind

if TYPE_CHECKING:
    from ..plugins import Loaded


def load_recipe(
    recipe: Path | str,
    loaded: Loaded,
    settings: Iterable[str] = (),
    flags: Mapping[str, str] | None = None,
    name: str | None = None,
) -> Recipe:
    """Read, compose and bind a recipe's file, or the one that a text names; its name is the file's unless it is given.

    Raises `RecipeError` with all its problems, and with the broken plugins where it names what none has brought.
    """
    try:
        path = find(recipe, Path(), loaded.recipes) if isinstance(recipe, str) else recipe
        document = read_document(path, settings, flags, find=lambda other, folder: find(other, folder, loaded.recipes))
        return bind(absolute(document), loaded.registries, name or path.stem)
    except RecipeError as error:
        if not loaded.broken or not any(problem.unknown_component for problem in error.problems):
            raise
        broken = ", ".join(f"{plugin.name} ({plugin.error})" for plugin in loaded.broken)
        note = Problem("", f"it may come from a plugin that is broken: {broken}")
        raise RecipeError([*error.problems, note]) from error
