"""`agekit list`, `show` and `plugins`."""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from rich.console import Console
from rich.table import Table

from ..contracts import SHELVES, Component, Measure
from ..errors import AgekitError, nearest
from ..game.messages import fits
from ..plugins import Plugin, load
from ..printable import one_line, printable
from ..recipe.compose import COMPONENT_KEYS
from ..recipe.find import shipped
from ..report.console import make_console, shorten
from . import arguments, common

RECIPES = ("recipe", "recipes")
"""What recipes are called beside the kinds of components."""

NARROWEST = 20
"""Characters that the last column of a table needs, so that its words can be read."""

GAP = 2
"""Blanks between two columns."""

SLOW_SECONDS = 1.0
"""An import that takes longer is told."""


def list_components(given: argparse.Namespace) -> int:
    """List all shelves, or one."""
    loaded = common.plugins()
    names = {"recipes", *(shelf.name for shelf in SHELVES)}
    if given.shelf not in {None, *RECIPES, *names, *COMPONENT_KEYS}:
        raise AgekitError(f"no shelf is called {given.shelf!r}; {nearest(given.shelf, names)}")
    rows: list[tuple[str, str, str]] = []
    for shelf in [shelf for shelf in SHELVES if given.shelf in (None, shelf.name, shelf.key)]:
        entries = loaded.registries.shelves[shelf.name].entries.values()
        rows += [(shelf.name, entry.name, entry.component.summary()) for entry in entries]
    if given.shelf in (None, *RECIPES):
        rows += [("recipes", name, _first_line(path)) for name, path in shipped(loaded.recipes).items()]
    print_table(["shelf", "name", "what it is"], rows)
    return 0


def show(given: argparse.Namespace) -> int:
    """Show a component: its docstring, with formula and source, and its options; or a recipe as it is written."""
    loaded = common.plugins()
    if given.kind in RECIPES:
        return _show_recipe(given.name, shipped(loaded.recipes))
    registries = loaded.registries
    registry = registries.by_key.get(given.kind) or registries.shelves.get(given.kind)
    if registry is None:
        raise AgekitError(
            f"no kind of component is called {given.kind!r}; {nearest(given.kind, {*registries.by_key, RECIPES[0]})}"
        )
    component = registry[given.name]
    console = make_console()
    console.print(f"{registry.shelf.key} {given.name}  (from {registry.entries[given.name].owner})\n")
    console.print(inspect.getdoc(component) or "")
    if issubclass(component, Measure):
        console.print(f"\noperands: {', '.join(described_operand(name, component) for name in component.operands)}")
    rows = [described_option(name, field) for name, field in component.model_fields.items()]
    if rows:
        console.print()
        print_table(["option", "takes", "default", "unit", "meaning"], rows)
    return 0


def _show_recipe(name: str, known: Mapping[str, Path]) -> int:
    stem = name.removesuffix(".toml")
    if stem not in known:
        raise AgekitError(f"no recipe is called {name!r}; {nearest(stem, known)}")
    print(f"recipe {stem}  ({shorten(known[stem])})\n\n{printable(known[stem].read_text(encoding='utf-8'))}", end="")
    return 0


def plugins(given: argparse.Namespace) -> int:
    """List plugins, those that are broken with the reason."""
    loaded = load(arguments.own())
    found = loaded.plugins
    print_table(
        ["plugin", "origin", "version", "health"],
        [(p.name, p.origin, p.version, _health(p)) for p in found],
    )
    if commands := loaded.commands.entries:
        print()
        print_table(["command", "of", "what it does"], [(c.name, c.owner, c.summary) for c in commands.values()])
    if given.traceback:
        print("".join(printable(f"\n{p.name}\n{p.details}") for p in found if p.error), end="")
    return 0


def _health(plugin: Plugin) -> str:
    """How a plugin does; an import for which every command waits is told where it takes longer than a second."""
    slow = f"; its import took {plugin.seconds:.1f} s" if plugin.seconds > SLOW_SECONDS and not plugin.built_in else ""
    return (f"broken: {plugin.error}" if plugin.error else "well") + slow


def described_operand(name: str, component: type[Measure]) -> str:
    """An operand in words: what it must be, and what it is where a recipe is silent."""
    operand = component.operands[name]
    what = f"of kind {operand.kind}" if operand.kind else "vectors" if operand.vectors else "anything"
    what = f"scores of the classes of {operand.scores}" if operand.scores else what
    return f"{name} ({what}{f', by default {operand.default}' if operand.default else ''})"


def described_option(name: str, field: FieldInfo) -> tuple[str, str, str, str, str]:
    """An option in words: name, what it takes, default, unit, meaning."""
    extra: dict[str, Any] = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    default = "(needed)" if field.is_required() else _written(field.default)
    return name, fits(field.annotation), default, str(extra.get("unit", "")), field.description or ""


def _written(value: Any) -> str:
    if isinstance(value, Component):
        return type(value).__name__
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, int | float):
        return f"{value:g}"
    return "" if value is None else f'"{value}"' if isinstance(value, str) else str(value)


def _first_line(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as stream:
        return stream.readline().lstrip("# ").strip()


def print_table(
    titles: Sequence[str], rows: Sequence[tuple[str, ...]], console: Console | None = None, *, names: int = 0
) -> None:
    """Print an aligned table.

    On a terminal the last column wraps where it has room to. With `names`, the number of first columns that say whose
    the rows are, it does not: a table that is too wide is printed in parts. Elsewhere lines are as long as they are.
    """
    console = console or make_console()
    rows = [tuple(map(one_line, row)) for row in rows]
    widths = [max(len(row[i]) for row in [tuple(titles), *rows]) for i in range(len(titles))]
    if names and console.is_terminal and console.width < sum(widths) + GAP * (len(widths) - 1):
        for index, kept in enumerate(parts(widths, names, console.width)):
            if index:
                console.print()
            print_table([titles[i] for i in kept], [tuple(row[i] for i in kept) for row in rows], console)
        return
    needed = sum(widths[:-1]) + GAP * (len(widths) - 1) + min(widths[-1], NARROWEST)
    if not console.is_terminal or console.width < needed:
        for row in [tuple(titles), *rows]:
            console.print("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title, width in zip(titles, widths, strict=True):
        table.add_column(title, overflow="fold", min_width=min(width, NARROWEST) if title == titles[-1] else width)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def parts(widths: Sequence[int], names: int, room: int) -> list[list[int]]:
    """The columns of each part of a table that is too wide: the names, and at least one beside them.

    >>> parts([4, 1, 5, 6, 5], names=2, room=28)
    [[0, 1, 2, 3], [0, 1, 4]]
    """
    shared = [*range(names)]
    found = [[*shared]]
    for column in range(names, len(widths)):
        wanted = [*found[-1], column]
        if len(found[-1]) > names and sum(widths[i] for i in wanted) + GAP * (len(wanted) - 1) > room:
            found.append([*shared])
        found[-1].append(column)
    return found
