"""Reading TOML so that every value knows the line it was written on."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import Problem, RecipeError

Key = tuple[str | int, ...]
"""The way to a value: names of tables, and positions in lists."""

LARGEST_BYTES = 1 << 20
DEEPEST = 64
TOO_DEEP = f"nested deeper than {DEEPEST} tables and lists"


@dataclass
class Document:
    """A tree of tables, lists and values, and where each was written ("age.toml:14", by key).

    The file itself is written at the empty key.
    """

    tree: dict[str, Any] = field(default_factory=dict)
    origins: dict[Key, str] = field(default_factory=dict)

    def origin(self, key: Key) -> str:
        """Where a value was written, or else the nearest table around it."""
        around = (key[:end] for end in range(len(key), -1, -1))
        return next((self.origins[outer] for outer in around if outer in self.origins), "")


def dotted(key: Key) -> str:
    """Write a key as people do.

    >>> dotted(("stages", 1, "data", "batch"))
    'stages.1.data.batch'
    """
    return ".".join(str(part) for part in key)


def read(path: Path) -> Document:
    """Read a TOML file. Raises `RecipeError` where it cannot be read, is too large, or is not TOML."""
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise RecipeError([Problem("", f"larger than {LARGEST_BYTES} bytes, which no recipe is", str(path))])
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise RecipeError([Problem("", f"cannot be read: {error.strerror}", str(path))]) from error
    except UnicodeDecodeError as error:
        raise RecipeError([Problem("", f"is not UTF-8 text: byte {error.start}", str(path))]) from error
    return parse(text, path.name)


def parse(text: str, name: str) -> Document:
    """Parse TOML. Raises `RecipeError`, with the place, where it is not, or is nested too deeply."""
    try:
        tree = tomllib.loads(text)
        lines = dict(_lines(text))
    except tomllib.TOMLDecodeError as error:
        found = re.search(r" \(at line (\d+), (.*)\)", str(error))
        said, where = (str(error)[: found.start()], f"{name}:{found[1]}") if found else (str(error), name)
        raise RecipeError([Problem("", f"not TOML: {said}", where)]) from error
    except RecursionError as error:
        raise RecipeError([Problem("", TOO_DEEP, name)]) from error
    if deep := [line for key, line in lines.items() if len(key) > DEEPEST]:
        raise RecipeError([Problem("", TOO_DEEP, f"{name}:{deep[0]}")])
    return Document(tree, {(): name, **{key: f"{name}:{line}" for key, line in lines.items()}})


def _lines(text: str) -> Iterator[tuple[Key, int]]:
    """The line of every key in a text known to be TOML.

    The standard parser tells no positions; but each statement, a header or an assignment, is TOML by itself, and is
    whole at the first line end at which it parses.
    """
    lines = text.replace("\r\n", "\n").split("\n")  # the line ends of TOML, and no others
    prefix: Key = ()
    counts: dict[Key, int] = {}
    start = 0
    while start < len(lines):
        end = start + 1
        while (statement := _parsed("\n".join(lines[start:end]))) is None and end < len(lines):
            end += 1
        if lines[start].lstrip().startswith("["):
            prefix = _header(statement or {}, counts)
            yield prefix, start + 1
        else:
            for key in _keys(statement or {}, prefix):
                yield key, start + 1
        start = end


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


def _header(statement: dict[str, Any], counts: dict[Key, int]) -> Key:
    """The key that `[a.b]` or `[[a.b]]` opens; `counts` holds how many of each list were opened so far."""
    key: Key = ()
    value: Any = statement
    while value:
        if isinstance(value, list):
            counts[key] = counts.get(key, -1) + 1
            key, value = (*key, counts[key]), value[0]
        else:
            ((name, value),) = value.items()
            key = (*key, name)
            if isinstance(value, dict) and key in counts:
                key = (*key, counts[key])
    return key


def _keys(value: Any, key: Key) -> Iterator[Key]:
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        yield (*key, name)
        yield from _keys(inner, (*key, name))
