"""What several commands share: loading plugins, reading recipes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from ..errors import AgekitError, Problem, RecipeError
from ..game.bound import Recipe
from ..game.check import bind
from ..plugins import Loaded, load
from ..recipe.compose import load as read_document
from ..recipe.find import find


def plugins() -> Loaded:
    """Everything installed; what is broken is named on standard error, and fatal only to those who need it."""
    loaded = load()
    for plugin in loaded.broken:
        print(f"warning: plugin {plugin.name} ({plugin.origin}) is broken: {plugin.error}", file=sys.stderr)
    return loaded


def recipe(name: str, settings: Iterable[str], loaded: Loaded) -> Recipe:
    """Read, compose and bind a recipe. Raises `RecipeError` with all its problems."""
    path = find(name, Path(), loaded.recipes)
    try:
        document = read_document(path, settings, find=lambda inner, folder: find(inner, folder, loaded.recipes))
        return bind(document, loaded.registries, path.stem)
    except RecipeError as error:
        if any("is called" in problem.message for problem in error.problems) and loaded.broken:
            broken = ", ".join(f"{plugin.name} ({plugin.error})" for plugin in loaded.broken)
            note = Problem("", f"it may come from a plugin that is broken: {broken}")
            raise RecipeError([*error.problems, note]) from error
        raise


def writable(path: Path) -> Path:
    """A file's path whose folder is there and can be written. Raises `AgekitError` where it cannot."""
    if path.is_dir():
        raise AgekitError(f"{path} cannot be written: it is a folder")
    folder = path.resolve().parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise AgekitError(f"{path} cannot be written: {folder} is no folder that can be written to")
    return path
