"""Composing a recipe: what it extends, what it changes, and what the command line sets."""

from __future__ import annotations

import copy
import json
import tomllib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, takewhile
from pathlib import Path
from typing import Any

from ..contracts import SHELVES, Component, Dataset, Loss, Measure, Network
from ..errors import Problem, RecipeError, nearest, shortened
from .source import DEEPEST, TOO_DEEP, Document, Key, dotted, parse, read, toml
from .tables import OPTIMIZER, DataKeys, Length, MetricKeys, NetworkKeys, Stage, TermKeys

COMPONENT_KEYS = {shelf.key: shelf for shelf in SHELVES}
KEPT: dict[type[Component], frozenset[str]] = {
    Dataset: DataKeys.written() - {"held_out"},
    Network: NetworkKeys.written(),
    Loss: TermKeys.written(),
    Measure: MetricKeys.written() | {"of", "to"},
}
"""What a table keeps when it names another component: what the engine reads, not the component."""

UNNAMED = {"optimizer": OPTIMIZER}
"""The component of a table that names none."""

LENGTHS = Length.written()
STAGE_KEYS = Stage.written()

REMOVABLE = {
    *((table, "*") for table in ("networks", "players", "views", "metrics")),
    ("data", "held_out"),
    ("data", "fields", "*"),
    ("players", "*", "terms", "*"),
}
"""What is removed by writing `false`."""

LONGEST_CHAIN = 16
"""Recipes that a recipe extends, one by way of another."""

MOST_STAGES = 50

Find = Callable[[str, Path], Path]
"""How the name in `extends` becomes a file, seen from the folder of the file that says it."""


def load(
    path: Path, settings: Iterable[str] = (), flags: Mapping[str, str] | None = None, *, find: Find | None = None
) -> Document:
    """Read a recipe, what it extends, and the settings `key=value`; the result holds no `extends` any more.

    `flags` are settings by the flag that says them: `{"--seed": "run.seed=3"}`.

    Raises `RecipeError` with every problem of this kind: unreadable files, circles, settings that are no TOML, removals
    of what is not there.
    """
    problems: list[Problem] = []
    document = _extended(path.resolve(), find or (lambda name, folder: folder / name), ())
    for place, text in [*(("--set", text) for text in settings), *(flags or {}).items()]:
        document = overlay(document, setting(text, document, place), problems)
    if problems:
        raise RecipeError(problems)
    return document


def _extended(path: Path, find: Find, inside: tuple[Path, ...]) -> Document:
    if len(inside) > LONGEST_CHAIN:
        raise RecipeError([Problem("extends", f"a chain of more than {LONGEST_CHAIN} recipes", inside[0].name)])
    if path in inside:
        circle = " → ".join(p.name for p in (*inside[inside.index(path) :], path))
        raise RecipeError([Problem("extends", f"goes round in a circle: {circle}", path.name)])
    own = read(path)
    parent = own.tree.pop("extends", None)
    if parent is None:
        return own
    if not isinstance(parent, str):
        raise RecipeError([Problem("extends", f"found {parent!r}, where a file's name fits", own.origin(("extends",)))])
    problems: list[Problem] = []
    base = _extended(find(parent, path.parent).resolve(), find, (*inside, path))
    _disown(base)
    merged = overlay(base, own, problems)
    if problems:
        raise RecipeError(problems)
    return merged


def _disown(base: Document) -> None:
    """Leave out the published numbers: those of one recipe are none of another's that extends it."""
    about = base.tree.get("about")
    if isinstance(about, dict) and about.pop("published", None) is not None:
        _forget(base, ("about", "published"))


def setting(text: str, document: Document, origin: str = "--set") -> Document:
    """Turn `players.encoder.updates=2`, said at `origin`, into a document; a value that is no TOML is taken as text.

    A number in the key is a position in a list that `document` has: `stages.1.data.batch=32`.
    """
    key_text, found, value_text = text.partition("=")
    key = [part.strip() for part in key_text.split(".")]
    if not found or not all(key):
        raise RecipeError([Problem("--set", f"found {shortened(text, 60)!r}, where KEY=VALUE fits", "")])
    if len(key) > DEEPEST:
        raise RecipeError([Problem("--set", f"found {shortened(text, 60)!r}: {TOO_DEEP}", "")])
    value = value_of(value_text)
    tree: Any = copy.deepcopy(document.tree)
    place = _place(tree, key, value, text)
    tables = list(takewhile(lambda part: isinstance(part, str), place))  # a list is only ever replaced whole
    for part in tables:
        tree = tree[part]
    for part in reversed(tables):
        tree = {part: tree}
    return Document(tree, {place: origin})


def value_of(text: str) -> Any:
    """A value as it is written in TOML; what is no TOML is taken as text.

    >>> value_of("[1, 2.5]"), value_of("imq")
    ([1, 2.5], 'imq')
    """
    try:
        tree = toml(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text.strip()
    return tree["value"] if len(tree) == 1 else text.strip()


def written(value: Any) -> str:
    """A value as TOML writes it on one line.

    >>> written({"schedule": "linear", "over": [1, 2.5], "warm": True})
    '{ schedule = "linear", over = [1, 2.5], warm = true }'
    """
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{json.dumps(key)[1:-1]} = {written(inner)}' for key, inner in value.items())} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    return json.dumps(value) if isinstance(value, str | bool | int | float) else str(value)


def _place(tree: Any, key: Sequence[str], value: Any, text: str) -> Key:
    """Write a value into nested tables and lists, making the tables that are missing; the way to it."""
    place: Key = ()
    for part, following in zip(key, [*key[1:], None], strict=True):
        if isinstance(tree, list):
            if not (part.isdecimal() and int(part) < len(tree)):
                raise RecipeError([Problem("--set", f"{text!r}: the list has {len(tree)} entries, counted from 0")])
            step: str | int = int(part)
        elif isinstance(tree, dict):
            step = part
            tree.setdefault(part, {})
        else:
            raise RecipeError(
                [Problem("--set", f"{text!r}: {dotted(place)} is {tree!r}, in which nothing has a place")]
            )
        if following is None:
            tree[step] = value
            for name in _ousted(place, {part}, tree):
                tree.pop(name, None)
        tree, place = tree[step], (*place, step)
    return place


def overlay(base: Document, over: Document, problems: list[Problem]) -> Document:
    """Lay one document over another: tables merge, `false` removes, another component drops the old one's options."""
    laid = _Laid(copy.deepcopy(base.tree), over, problems)
    laid.lay(laid.tree, over.tree, ())
    kept = {key: said for key, said in base.origins.items() if not _within(key, laid.gone)}
    ours = {key: said for key, said in over.origins.items() if key in laid.met or _within(key, laid.taken)}
    return Document(laid.tree, kept | ours)


def _within(key: Key, tables: Collection[Key]) -> bool:
    return any(key[:end] in tables for end in range(len(key) + 1))


@dataclass
class _Laid:
    """A tree under another that is laid over it, and which keys are whose now.

    `gone` are keys of the tree below that hold no more, nor does anything in them; what is in `taken` is as it is
    said above; tables that are in both are `met`.
    """

    tree: dict[str, Any]
    over: Document
    problems: list[Problem]
    gone: set[Key] = field(default_factory=set)
    taken: set[Key] = field(default_factory=set)
    met: set[Key] = field(default_factory=lambda: {()})

    def lay(self, below: dict[str, Any], above: dict[str, Any], key: Key) -> None:
        """Lay one table over another."""
        for name in [*_old_options(below, above), *_ousted(key, above, below)]:
            below.pop(name, None)
            self.gone.add((*key, name))
        for name, value in above.items():
            inner = (*key, name)
            if value is False and _removable(inner):
                if name not in below:
                    hint = nearest(name, below)
                    self.problems.append(Problem(dotted(inner), f"nothing to remove; {hint}", self.over.origin(inner)))
                below.pop(name, None)
                self.gone.add(inner)
            elif isinstance(value, dict) and isinstance(below.get(name), dict):
                self.met.add(inner)
                self.lay(below[name], value, inner)
            else:
                below[name] = copy.deepcopy(value)
                self.taken.add(inner)
                if not isinstance(value, list):
                    self.gone.add(inner)


def _old_options(below: Mapping[str, Any], above: Mapping[str, Any]) -> list[str]:
    """The options of the component below, where another one is named above."""
    named = [k for k in COMPONENT_KEYS if isinstance(above.get(k), str)]
    had = {k: below[k] for k in COMPONENT_KEYS if k in below} or {k: v for k, v in UNNAMED.items() if k in named}
    if not named or not had or had.get(named[0]) == above[named[0]]:
        return []
    contract = COMPONENT_KEYS[named[0]].contract
    kept = frozenset(contract.model_fields).union(*(keys for kind, keys in KEPT.items() if issubclass(contract, kind)))
    return [name for name in below if name not in kept]


def _ousted(table: Key, said: Collection[str], there: Collection[str]) -> Collection[str]:
    """What goes where something else is said in its place: of steps and epochs, or of a share and other options."""
    inner = table[2:] if table[:1] == ("stages",) else table
    if inner in ((), ("run",)) and not LENGTHS.isdisjoint(said):
        return LENGTHS.difference(said)
    if table == ("data", "held_out") and said:
        return [name for name in there if name not in said and "share" in (name, *said)]
    return ()


def _removable(key: Key) -> bool:
    return any(len(p) == len(key) and all(a in ("*", b) for a, b in zip(p, key, strict=True)) for p in REMOVABLE)


def _forget(document: Document, key: Key) -> None:
    for old in [k for k in document.origins if k[: len(key)] == key]:
        del document.origins[old]


def stages(document: Document) -> list[Document]:
    """One document a stage: the recipe with what that stage names laid over it; the whole where there are none."""
    listed = document.tree.get("stages")
    base = Document({k: v for k, v in document.tree.items() if k != "stages"}, document.origins)
    if not (isinstance(listed, list) and listed and all(isinstance(stage, dict) for stage in listed)):
        return [base]
    if len(listed) > MOST_STAGES:
        raise RecipeError(
            [
                Problem(
                    "stages", f"{len(listed)} of them, where at most {MOST_STAGES} fit", document.origin(("stages", 0))
                )
            ]
        )
    problems: list[Problem] = []
    laid = []
    for position, tree in enumerate(listed):
        prefix: Key = ("stages", position)
        origins = {k[2:]: v for k, v in document.origins.items() if k[:2] == prefix and len(k) > 2}
        own = Document({k: v for k, v in tree.items() if k not in STAGE_KEYS}, origins)
        laid.append(overlay(base, own, problems))
    if problems:
        raise RecipeError(problems)
    return laid


def absolute(document: Document) -> Document:
    """The document with its paths, those of data and `networks.*.from`, absolute: they are relative to where we are."""
    tree = copy.deepcopy(document.tree)
    listed = tree.get("stages")
    for table, name in chain.from_iterable(map(_paths, [tree, *(listed if isinstance(listed, list) else [])])):
        if isinstance(table, dict) and isinstance(table.get(name), str) and table[name]:
            table[name] = str(Path(table[name]).expanduser().absolute())
    return Document(tree, document.origins)


def _paths(tree: Any) -> Iterator[tuple[Any, str]]:
    """The tables in which a path may stand, well formed or not, and its key."""
    if isinstance(tree, dict):
        data = tree.get("data")
        yield data, "root"
        yield (data.get("held_out") if isinstance(data, dict) else None), "root"
        networks = tree.get("networks")
        yield from ((table, "from") for table in (networks.values() if isinstance(networks, dict) else ()))


__all__ = ["Document", "absolute", "load", "overlay", "parse", "setting", "stages", "value_of", "written"]
