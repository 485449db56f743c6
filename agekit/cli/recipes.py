"""`agekit plan`, `validate`, `copy` and `schema`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from ..errors import AgekitError, RecipeError, nearest
from ..files import write_text
from ..game.bound import Recipe
from ..printable import one_line, printable
from ..recipe.find import shipped
from . import common


def plan(given: argparse.Namespace) -> int:
    """Print the plan of a recipe."""
    from ..game.cost import cost
    from ..game.describe import describe_plan
    from ..game.fit import check_ranks
    from ..game.ranks import Ranks
    from ..game.scope import scope_of

    if given.ranks < 1:
        raise AgekitError(f"--ranks {given.ranks}: 1 at least fits")
    recipe = common.recipe(given.recipe, given.set, common.plugins(), common.said_by_flags(given))
    scope = scope_of(recipe)
    check_ranks(recipe, scope, Ranks(0, given.ranks))
    print(printable(describe_plan(recipe, scope, cost(recipe, scope), given.ranks)), end="")
    return 0


def validate(given: argparse.Namespace) -> int:
    """Check recipes; each is reported, and one that is wrong fails the whole."""
    loaded = common.plugins()
    failed = 0
    for name in given.recipes:
        shown = one_line(name)
        try:
            print(f"{shown}: {_valid(common.recipe(name, given.set, loaded))}")
        except RecipeError as error:
            failed += 1
            print(f"{shown}: {_counted(len(error.problems), 'problem')}")
            for line in printable(str(error)).split("\n"):
                print(f"  {line}")
    if failed:
        sys.stdout.flush()
        print(f"{failed} of {_counted(len(given.recipes), 'recipe')} cannot be used", file=sys.stderr)
    return 1 if failed else 0


def _valid(recipe: Recipe) -> str:
    players = ", ".join(player.name for player in recipe.stages[0].players)
    return f"valid ({recipe.dataset_name}; players {players}; {_counted(len(recipe.stages), 'stage')})"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def copy(given: argparse.Namespace) -> int:
    """Copy a shipped recipe; what it extends is found by name wherever the copy lies."""
    known = shipped(common.plugins().recipes)
    stem = given.recipe.removesuffix(".toml")
    if stem not in known:
        raise AgekitError(f"no recipe is called {given.recipe!r}; {nearest(stem, known)}")
    target = Path(given.to or f"{stem}.toml")
    if target.exists():
        raise AgekitError(f"{target} is there already, and is left as it is")
    write_text(common.writable(target), known[stem].read_text(encoding="utf-8"))
    shown = one_line(str(target))
    print(f"{shown}  copied from {known[stem].name}; agekit run {shown}")
    return 0


def schema(given: argparse.Namespace) -> int:
    """Write the JSON Schema of recipes."""
    from ..game.schema import json_schema

    text = json.dumps(json_schema(common.plugins().registries), indent=2, ensure_ascii=False) + "\n"
    if given.out is None:
        print(text, end="")
        return 0
    write_text(common.writable(given.out), text)
    shown = one_line(str(given.out))
    print(f"{shown}  a first line '#:schema {shown}' in a recipe makes editors use it")
    return 0
