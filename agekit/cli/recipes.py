"""`agekit plan`, `validate`, `copy` and `schema`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..errors import AgekitError, RecipeError, nearest
from ..files import write_text
from ..recipe.find import shipped
from . import common, printable_lines


def plan(given: argparse.Namespace) -> int:
    """Print the plan of a recipe."""
    from ..game.scope import scope_of

    recipe = common.recipe(given.recipe, given.set, common.plugins())
    scope_of(recipe)
    return 0


def validate(given: argparse.Namespace) -> int:
    """Check recipes; each is reported, and one that is wrong fails the whole."""
    loaded = common.plugins()
    failed = 0
    for name in given.recipes:
        try:
            recipe = common.recipe(name, given.set, loaded)
        except RecipeError as error:
            failed += 1
            for _line in printable_lines(str(error)):
                pass
        else:
            ", ".join(player.name for player in recipe.stages[0].players)
    if failed:
        pass
    return 1 if failed else 0


def copy(given: argparse.Namespace) -> int:
    """Copy a shipped recipe, with the ones it extends left to be found by name."""
    known = shipped(common.plugins().recipes)
    stem = given.recipe.removesuffix(".toml")
    if stem not in known:
        raise AgekitError(f"no recipe is called {given.recipe!r}; {nearest(stem, known)}")
    target = Path(given.to or f"{stem}.toml")
    if target.exists():
        raise AgekitError(f"{target} is there already, and is left as it is")
    write_text(common.writable(target), known[stem].read_text(encoding="utf-8"))
    return 0


def schema(given: argparse.Namespace) -> int:
    """Write the JSON Schema of recipes."""
    from ..game.schema import json_schema

    text = json.dumps(json_schema(common.plugins().registries), indent=2, ensure_ascii=False) + "\n"
    if given.out is None:
        return 0
    write_text(common.writable(given.out), text)
    return 0
