"""The language of expressions: names and calls, `e(g(z))`, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import shortened

DEEPEST = 64
LONGEST = 4096
TOKEN = re.compile(r"\s*(?:([^\W\d]\w*)|([(),]))")


@dataclass(frozen=True)
class Name:
    """A leaf: a field of the data, a draw, or the reference."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Call:
    """A network or an operator applied to one or more arguments."""

    name: str
    arguments: tuple[Expression, ...]

    def __str__(self) -> str:
        return f"{self.name}({', '.join(str(argument) for argument in self.arguments)})"


Expression = Name | Call


def parse_expression(text: str) -> Expression:
    """Read an expression. Raises `ValueError`, which says where it stops making sense.

    >>> str(parse_expression(" e( g(z) )"))
    'e(g(z))'
    >>> parse_expression("e(x")
    Traceback (most recent call last):
    ValueError: 'e(x' ends where ) or , should stand
    """
    if len(text) > LONGEST:
        raise ValueError(f"{shortened(text, 60)!r} is longer than {LONGEST} characters")
    tokens = _Tokens(text)
    expression = _expression(tokens, 0)
    if tokens.now:
        raise ValueError(f"{text!r} goes on after the expression, at {tokens.now!r}")
    return expression


def names(expression: Expression) -> Iterator[str]:
    """Every name that is used, calls included."""
    yield expression.name
    if isinstance(expression, Call):
        for argument in expression.arguments:
            yield from names(argument)


def calls(expression: Expression) -> Iterator[str]:
    """The name of every network or operator that is applied."""
    if isinstance(expression, Call):
        yield expression.name
        for argument in expression.arguments:
            yield from calls(argument)


class _Tokens:
    """The text cut into names and signs; `now` is the next one, empty at the end."""

    def __init__(self, text: str) -> None:
        self.text = shortened(text, 60)
        self.rest = iter(_cut(text, self.text))
        self.now = next(self.rest, "")

    def take(self) -> str:
        taken, self.now = self.now, next(self.rest, "")
        return taken


def _cut(text: str, shown: str) -> list[str]:
    tokens, at = [], 0
    while text[at:].strip():
        found = TOKEN.match(text, at)
        if not found:
            raise ValueError(f"{shown!r} has {text[at:].strip()[0]!r}, where names, commas and parentheses fit")
        tokens.append(found.group(1) or found.group(2))
        at = found.end()
    return tokens


def _expression(tokens: _Tokens, depth: int) -> Expression:
    if depth > DEEPEST:
        raise ValueError(f"{tokens.text!r} is nested deeper than {DEEPEST} calls")
    name = tokens.take()
    if not name or name in "(),":
        raise ValueError(f"{tokens.text!r} {f'has {name!r}' if name else 'ends'} where a name should stand")
    if tokens.now != "(":
        return Name(name)
    arguments: list[Expression] = []
    while tokens.take() in ("(", ","):
        arguments.append(_expression(tokens, depth + 1))
        if tokens.now not in (",", ")"):
            found = f"has {tokens.now!r}" if tokens.now else "ends"
            raise ValueError(f"{tokens.text!r} {found} where ) or , should stand")
    return Call(name, tuple(arguments))
