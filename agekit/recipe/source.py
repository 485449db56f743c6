"""Reading TOML so that every value knows the line it was written on."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from ..errors import Problem, RecipeError, shortened

Key = tuple[str | int, ...]
"""The way to a value: names of tables, and positions in lists."""

LARGEST_BYTES = 1 << 17
MOST_KEYS = 5000
"""Keys and entries of lists, of a recipe."""

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
        with path.open("rb") as file:
            blob = file.read(LARGEST_BYTES + 1)
        text = blob.decode("utf-8-sig")
    except OSError as error:
        raise RecipeError([Problem("", f"cannot be read: {error.strerror}", str(path))]) from error
    except UnicodeDecodeError as error:
        raise RecipeError([Problem("", f"is not UTF-8 text: byte {error.start}", str(path))]) from error
    if len(blob) > LARGEST_BYTES:
        raise RecipeError([Problem("", f"larger than {LARGEST_BYTES} bytes, which no recipe is", str(path))])
    return parse(text, path.name)


def parse(text: str, name: str) -> Document:
    """Parse TOML. Raises `RecipeError`, with the place, where it is not, or is nested too deeply or too large."""
    try:
        tree = toml(text)
        lines = dict(islice(_lines(text), MOST_KEYS + 1))
    except tomllib.TOMLDecodeError as error:
        found = re.search(r" \(at line (\d+), (.*)\)", str(error))
        said, where = (str(error)[: found.start()], f"{name}:{found[1]}") if found else (str(error), name)
        raise RecipeError([Problem("", f"not TOML: {shortened(said)}", where)]) from error
    if deep := [line for key, line in lines.items() if len(key) > DEEPEST]:
        raise RecipeError([Problem("", TOO_DEEP, f"{name}:{deep[0]}")])
    if len(lines) > MOST_KEYS:
        raise RecipeError(
            [Problem("", f"more than {MOST_KEYS:,} keys and entries of lists, which no recipe has", name)]
        )
    return Document(tree, {(): name, **{key: f"{name}:{line}" for key, line in lines.items()}})


def toml(text: str) -> dict[str, Any]:
    """The tables of a text. Raises `TOMLDecodeError` where it is no TOML, and where reading it would never end.

    What is nested, or named, deeper than anything in a recipe is refused before it is parsed, since that takes the
    standard parser a time that grows as the square; so are integers of more than 64 bits, which TOML does not have.
    """
    for token in _tokens(text):
        if token.depth > DEEPEST:
            raise tomllib.TOMLDecodeError(f"{TOO_DEEP} (at line {text.count(chr(10), 0, token.start) + 1}, …)")
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except (ValueError, RecursionError) as error:  # a date that no calendar has, a number of a thousand digits
        raise tomllib.TOMLDecodeError(str(error)) from error
    if (wide := next(_wide(tree), None)) is not None:
        raise tomllib.TOMLDecodeError(f"{dotted(wide)} is an integer of more than 64 bits")
    return tree


def _wide(value: Any) -> Iterator[Key]:
    """The keys of integers that TOML does not have to hold, and few others can."""
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
        yield ()
    for name, inner in _items(value):
        yield from ((name, *key) for key in _wide(inner))


TOKEN = re.compile(
    r"""\"{3}(?:[^"\\]++|\\.|"{1,2}(?!"))*+"{3,5}|'{3}(?:[^']++|'{1,2}(?!'))*+'{3,5}|"(?:[^"\\\n]++|\\.)*+"|'[^'\n]*+'"""
    r"""|\#[^\n]*+|[][{}=,.\n]|[^][{}=,.\n"'#]++|.""",
    re.DOTALL,
)
"""Strings whole, comments whole, signs one by one, and what is between them."""


@dataclass(frozen=True)
class _Token:
    """A sign of TOML, how many tables and lists are open after it, and how many names a dotted key has so far."""

    sign: str
    start: int
    open: int
    dots: int

    @property
    def depth(self) -> int:
        return self.open + self.dots


def _tokens(text: str) -> Iterator[_Token]:
    """The brackets, dots and line ends of a text, outside of strings and comments."""
    opened = dots = 0
    for found in TOKEN.finditer(text):
        sign = found[0]
        if sign in "[]{}=,.\n":
            opened = max(opened + (sign in "[{") - (sign in "]}"), 0)
            dots = dots + 1 if sign == "." else 0
            yield _Token(sign, found.start(), opened, dots)


def _lines(text: str) -> Iterator[tuple[Key, int]]:
    """The line of every key in a text known to be TOML.

    The standard parser tells no positions; but each statement, a header or an assignment, is TOML by itself, and ends
    with the first line end outside of its strings, lists and tables.
    """
    prefix: Key = ()
    counts: dict[Key, int] = {}
    start, line = 0, 1
    for end in [*(token.start for token in _tokens(text) if token.sign == "\n" and not token.open), len(text)]:
        statement, begins = text[start:end].strip("\r\n"), text[start:end]
        if statement.lstrip().startswith("["):
            prefix = _header(tomllib.loads(statement), counts)
            yield prefix, line
        else:
            for key in _keys(tomllib.loads(statement), prefix):
                yield key, line
        line += begins.count("\n") + 1
        start = end + 1


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
    for name, inner in _items(value):
        yield (*key, name)
        yield from _keys(inner, (*key, name))


def _items(value: Any) -> Iterable[tuple[str | int, Any]]:
    return value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
