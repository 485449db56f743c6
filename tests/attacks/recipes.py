"""Recipes as nobody meant them: shipped ones changed at random, and random tables; and how one is judged."""
# ruff: noqa: E501 - lists that read as such

from __future__ import annotations

import copy
import math
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from hypothesis import strategies as some

from agekit.contracts import SHELVES
from agekit.recipe.find import shipped
from agekit.recipe.tables import DataKeys, MetricKeys, NetworkKeys, PlayerKeys, Run, Stage, TermKeys, View

from .writing import garbled, inline, toml

Key = tuple[str | int, ...]
Tree = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """The files of a recipe, by name, of which the first is the recipe; and what `--set` says."""

    files: dict[str, bytes]
    settings: tuple[str, ...] = ()

    def shown(self) -> dict[str, str]:
        """The files as text, whatever is in them."""
        return {name: blob.decode("utf-8", "backslashreplace") for name, blob in self.files.items()}


def tree_of(path: Any) -> Tree:
    return tomllib.loads(path.read_text(encoding="utf-8"))


SHIPPED = {name: tree_of(path) for name, path in sorted(shipped().items())}
TEXTS = [path.read_text(encoding="utf-8") for path in shipped().values()]
SMALL = [name for name in SHIPPED if name.startswith("age_toyfaces") or name in ("quickstart", "factor_probe")]
"""Most cases are made of these, whose plans are quick to make."""

MODELS = (DataKeys, NetworkKeys, TermKeys, PlayerKeys, View, MetricKeys, Run, Stage)
TABLES = ("about", "data", "latent", "networks", "players", "views", "metrics", "run", "sentinel", "compute", "stages")
KEYS = sorted(
    {key for model in MODELS for key in model.written()}
    | {shelf.key for shelf in SHELVES}
    | {"of", "to", "at", "score", "dim", "width", "size", "count", "share", "lr", "end", "over", "terms", "extends"}
)
NAMES = (
    "g",
    "e",
    "d",
    "s",
    "t",
    "x",
    "y",
    "z",
    "z2",
    "z99999999",
    "label",
    "parse",
    "mix",
    "stop",
    "luminance",
    "areas",
)
WEIRD = (
    "", " ", "é", "е", "ｅ", "変数", "نص", "x\u202ey", "x\u200b", "\x00", "\x1b[31m", "\ud7ff", "a\nb", "\x7f", "😀",
    "e\u0301", "..", "/", "/dev/zero", "CON", "-", "--set", "'", '"', "\\", "[red]", "<b>", "a" * 300, "__class__", "ª²",
)  # fmt: skip
NUMBERS = (
    0, 1, -1, 2, 7, 64, 65_536, 10**9, 2**31, 2**63 - 1, 2**63, 2**64, 10**30, 10**400, -(10**30),
    0.0, 0.5, -0.0, 1e-300, 1e300, 5e-324, math.inf, -math.inf, math.nan,
)  # fmt: skip
EXPRESSIONS = (
    "e(g(z))",
    "g(e(x))",
    "e(x)",
    "g(z)",
    "x",
    "z",
    "y",
    "g(e(g(e(x))))",
    "mix(x, g(z))",
    "stop(g(z))",
    "e",
    "e(",
)


def leaves(tree: Any, key: Key = ()) -> Iterator[tuple[Key, Any]]:
    """Every key of a tree and its value, tables and lists included."""
    items: Any = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for name, value in items:
        yield (*key, name), value
        yield from leaves(value, (*key, name))


def at(tree: Any, key: Key) -> Any:
    for part in key:
        tree = tree[part]
    return tree


def _calls(inner: some.SearchStrategy[str]) -> some.SearchStrategy[str]:
    return some.builds("{}({})".format, some.sampled_from(NAMES), some.lists(inner, max_size=3).map(", ".join))


def _deep(name: str, depth: int) -> str:
    return f"{name}(" * depth + "x" + ")" * depth


def _tables(inner: some.SearchStrategy[Any]) -> some.SearchStrategy[Any]:
    return some.one_of(some.lists(inner, max_size=4), some.dictionaries(NAMED, inner, max_size=4))


WORDS = sorted({value for tree in SHIPPED.values() for _, value in leaves(tree) if isinstance(value, str)})
NAMED = some.one_of(some.sampled_from(NAMES), some.sampled_from(KEYS), some.sampled_from(WEIRD), some.text(max_size=6))
LEAF = some.sampled_from((*NAMES, *NAMES, *EXPRESSIONS, *WEIRD))
GROWN = some.recursive(LEAF, _calls, max_leaves=6)
WRITTEN = some.one_of(GROWN, GROWN, some.builds(_deep, some.sampled_from("eg"), some.integers(1, 80)))
"""Expressions of the grammar, mostly, over names that are there, mostly."""

SCALARS = some.one_of(
    some.sampled_from(NUMBERS),
    some.booleans(),
    some.integers(),
    some.floats(),
    NAMED,
    WRITTEN,
    some.sampled_from(WORDS),
)
VALUES = some.recursive(SCALARS, _tables, max_leaves=6)
ENTRY = some.dictionaries(some.one_of(some.sampled_from(KEYS), NAMED), VALUES, max_size=5)
ENTRIES = some.dictionaries(NAMED, ENTRY, max_size=3)
MANY = some.integers(0, 2**16)
"""Chooses among what a draw has found: an index, modulo its number."""


def pick(draw: Any, choices: Sequence[Any]) -> Any:
    """One of them. A strategy for each list of choices would cost more than all the rest."""
    return choices[draw(MANY) % len(choices)]


def key_of(draw: Any, tree: Tree) -> Key:
    return cast(Key, pick(draw, [key for key, _ in leaves(tree)]))


def delete(draw: Any, tree: Tree, key: Key) -> None:
    del at(tree, key[:-1])[key[-1]]


def rename(draw: Any, tree: Tree, key: Key) -> None:
    table = at(tree, key[:-1])
    if isinstance(table, dict):
        table[draw(NAMED)] = table.pop(key[-1])


def misspell(draw: Any, tree: Tree, key: Key) -> None:
    table, name = at(tree, key[:-1]), str(key[-1])
    if isinstance(table, dict):
        place = pick(draw, range(len(name) + 1))
        table[name[:place] + pick(draw, "aez_ é\x07") + name[place + 1 :]] = table.pop(key[-1])


def retype(draw: Any, tree: Tree, key: Key) -> None:
    at(tree, key[:-1])[key[-1]] = draw(VALUES)


def number(draw: Any, tree: Tree, key: Key) -> None:
    at(tree, key[:-1])[key[-1]] = pick(draw, NUMBERS)


def tune(draw: Any, tree: Tree, key: Key) -> None:
    """Another number where one stands, of those that people write."""
    for place, value in leaves(tree):
        if isinstance(value, int | float) and pick(draw, range(4)) == 0:
            at(tree, place[:-1])[place[-1]] = pick(draw, (1, 2, 3, 8, 16, 32, 0.5, 2.5, -1.0, True))


def express(draw: Any, tree: Tree, key: Key) -> None:
    at(tree, key[:-1])[key[-1]] = draw(WRITTEN)


def nest(draw: Any, tree: Tree, key: Key) -> None:
    table = at(tree, key[:-1])
    for _ in range(pick(draw, (1, 1, 2, 70))):
        table[key[-1]] = {draw(NAMED): table[key[-1]]} if pick(draw, (True, False)) else [table[key[-1]]]


def swap(draw: Any, tree: Tree, key: Key) -> None:
    other = key_of(draw, tree)
    if other[: len(key)] != key and key[: len(other)] != other:
        here, there = at(tree, key), at(tree, other)
        at(tree, key[:-1])[key[-1]], at(tree, other[:-1])[other[-1]] = there, here


def add(draw: Any, tree: Tree, key: Key) -> None:
    table = at(tree, key)
    if isinstance(table, dict):
        table[draw(NAMED)] = draw(VALUES)


def graft(draw: Any, tree: Tree, key: Key) -> None:
    """Put what stands at some key of a shipped recipe here."""
    other = SHIPPED[pick(draw, SMALL)]
    at(tree, key[:-1])[key[-1]] = copy.deepcopy(at(other, key_of(draw, other)))


def stage(draw: Any, tree: Tree, key: Key) -> None:
    own: Tree = {"name": draw(NAMED), "steps": pick(draw, (1, 5, *NUMBERS))}
    if isinstance(key[0], str) and key[0] not in ("stages", "extends"):
        inner: Any = pick(draw, (at(tree, key), False, None))
        inner = draw(VALUES) if inner is None else inner
        for part in reversed(key):
            inner = {part: inner}
        own |= inner
    if isinstance(tree.setdefault("stages", []), list):
        tree["stages"].append(own)


def remove(draw: Any, tree: Tree, key: Key) -> None:
    at(tree, key[:-1])[key[-1]] = False


MUTATIONS: tuple[Callable[[Any, Tree, Key], None], ...] = (
    delete, rename, misspell, retype, retype, number, number, express, express, nest, swap, add, add, graft, stage, remove,
    tune, tune, tune, tune,
)  # fmt: skip


def changed(draw: Any) -> Tree:
    """A shipped recipe with a few things changed."""
    tree: Tree = copy.deepcopy(SHIPPED[pick(draw, [*SMALL * 3, *SHIPPED])])
    for _ in range(pick(draw, (0, 1, 1, 1, 1, 2, 6))):
        if tree:
            pick(draw, MUTATIONS)(draw, tree, key_of(draw, tree))
    return tree


def invented(draw: Any) -> Tree:
    """Random tables under the names that a recipe has."""
    names = [pick(draw, TABLES) if pick(draw, range(4)) else draw(NAMED) for _ in range(pick(draw, range(6)))]
    return {name: draw(pick(draw, (ENTRY, ENTRY, ENTRIES, VALUES))) for name in names}


def said(draw: Any, tree: Tree) -> tuple[str, ...]:
    """What `--set` says: of keys that are there, mostly."""
    keys = [".".join(map(str, key)) for key, _ in leaves(tree)] or ["data"]

    def one() -> str:
        key = pick(draw, keys) if pick(draw, range(3)) else draw(NAMED)
        value = inline(draw(VALUES)) if pick(draw, range(4)) else pick(draw, ("false", "", *WEIRD))
        return f"{key}{pick(draw, ('=', '=', '=', '', '=='))}{value}"

    return tuple(one() for _ in range(pick(draw, (0, 0, 0, 0, 1, 2))))


@some.composite
def cases(draw: Any) -> Case:
    """A recipe, what it extends, and settings."""
    tree = changed(draw) if pick(draw, range(6)) else invented(draw)
    chain = pick(draw, (0, 0, 0, 0, 1, 2))
    files: dict[str, bytes] = {}
    for position in range(chain):
        whole = changed(draw) if pick(draw, (True, False)) else invented(draw)
        over = {name: whole[name] for name in list(whole)[: pick(draw, (0, 1, 1, 9))]}
        target = pick(draw, ((f"{position + 1}.toml",) * 6 + ("0.toml", "quickstart", "nowhere", *WEIRD)[: 6 + 8]))
        files[f"{position}.toml"] = garbled(partial(pick, draw), toml({**over, "extends": target}))
    files[f"{chain}.toml"] = garbled(partial(pick, draw), toml(tree))
    return Case(files, said(draw, tree))
