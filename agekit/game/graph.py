"""Expressions as one graph: typed, and every structurally equal call in it once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from ..contracts import CODE, Operator, Space
from ..errors import nearest
from ..recipe.language import Call, Expression, Name

DRAW = re.compile(CODE + r"([2-9]|[1-9]\d+)?\Z")
REFERENCE = "y"
DEEPEST_FIELD = 8
"""Fields between a derived one and the data's own."""

Op = Literal["field", "derived", "draw", "network", "operator"]


class UnknownCall(ValueError):
    """What is applied is no network here, and no operator that a plugin has registered."""


@dataclass(frozen=True)
class Signature:
    """What a network sees and makes.

    `built` is what its component itself makes; `merged`, where it is not None, lists for each class of the result those
    of `built` that it takes together.
    """

    sees: tuple[Space, ...]
    makes: Space
    built: Space
    merged: tuple[tuple[int, ...], ...] | None = None


def scores_of(classes: Space) -> Space:
    """The space of a score for each class of a field of classes."""
    return Space(f"scores of {classes.kind}", (len(classes.classes), *classes.shape), classes.classes)


@dataclass(frozen=True)
class Scope:
    """What the names of an expression can mean."""

    fields: Mapping[str, Space]
    derived: Mapping[str, Expression]
    networks: Mapping[str, Signature]
    operators: Mapping[str, Operator]
    code: Space | None

    def leaves(self) -> set[str]:
        return {*self.fields, *self.derived, *((CODE, REFERENCE) if self.code else ())}

    def calls(self) -> set[str]:
        return {*self.networks, *self.operators}


@dataclass(frozen=True)
class Node:
    """One value of a graph: a leaf, a derived field, or a call, on earlier nodes."""

    op: Op
    name: str
    arguments: tuple[int, ...]
    space: Space
    text: str


@dataclass
class Graph:
    """Nodes in an order in which they can be computed; equal expressions share a node."""

    scope: Scope
    nodes: list[Node] = field(default_factory=list)
    _known: dict[tuple[str, str, tuple[int, ...]], int] = field(default_factory=dict)
    _inside: tuple[str, ...] = ()
    _fields: dict[str, int] = field(default_factory=dict)
    """The nodes of derived fields, which would otherwise be looked into wherever they are used."""

    def add(self, expression: Expression) -> int:
        """The node of an expression, new or known. Raises `ValueError` where it makes no sense, saying what would."""
        if isinstance(expression, Name):
            return self._leaf(expression.name)
        arguments = tuple(self.add(argument) for argument in expression.arguments)
        spaces = tuple(self.nodes[index].space for index in arguments)
        scope = self.scope
        if expression.name in scope.networks:
            _check_arguments(expression, spaces, scope.networks[expression.name])
            return self._node("network", expression.name, arguments, scope.networks[expression.name].makes)
        if expression.name in scope.operators:
            return self._node("operator", expression.name, arguments, _operated(expression, spaces, scope))
        if expression.name in scope.leaves():
            raise ValueError(f"{expression.name} is no network or operator, and cannot be applied: {expression}")
        hint = nearest(expression.name, scope.calls())
        raise UnknownCall(f"no network or operator is called {expression.name!r}; {hint}")

    def _leaf(self, name: str) -> int:
        scope = self.scope
        if name in scope.fields:
            return self._node("field", name, (), scope.fields[name])
        if name in scope.derived:
            return self._derived(name)
        if DRAW.match(name) or name == REFERENCE:
            if scope.code is None:
                raise ValueError(f"{name} is a code, and there are none here: no [latent] names their reference")
            return self._node("draw", name, (), scope.code)
        if name in scope.calls():
            raise ValueError(f"{name} is applied to something, as in {name}(…); alone it has no value")
        raise ValueError(f"no field or draw is called {name!r}; {nearest(name, scope.leaves())}")

    def _derived(self, name: str) -> int:
        if name in self._fields:
            return self._fields[name]
        if len(self._inside) == DEEPEST_FIELD:
            raise ValueError(f"the field {self._inside[0]!r} is derived by way of more than {DEEPEST_FIELD} others")
        if name in self._inside:
            raise ValueError(f"the field {name!r} is derived from itself: {' → '.join((*self._inside, name))}")
        self._inside = (*self._inside, name)
        try:
            index = self.add(self.scope.derived[name])
        finally:
            self._inside = self._inside[:-1]
        self._fields[name] = self._node("derived", name, (index,), replace(self.nodes[index].space, kind=name))
        return self._fields[name]

    def _node(self, op: Op, name: str, arguments: tuple[int, ...], space: Space) -> int:
        key = (op, name, arguments)
        if key not in self._known:
            called = op in ("network", "operator")
            text = f"{name}({', '.join(self.nodes[index].text for index in arguments)})" if called else name
            self._known[key] = len(self.nodes)
            self.nodes.append(Node(op, name, arguments, space, text))
        return self._known[key]


def _check_arguments(call: Call, spaces: tuple[Space, ...], signature: Signature) -> None:
    wanted = signature.sees
    if len(spaces) != len(wanted):
        kinds = ", ".join(space.kind for space in wanted)
        raise ValueError(f"{call.name} sees {len(wanted)} ({kinds}), and was given {len(spaces)}: {call}")
    for argument, space, want in zip(call.arguments, spaces, wanted, strict=True):
        if not space.fits(want):
            raise ValueError(f"{call.name} sees {want}, and was given {space}, which {argument} is: {call}")


def _operated(call: Call, spaces: tuple[Space, ...], scope: Scope) -> Space:
    try:
        return scope.operators[call.name].space(*spaces)
    except TypeError:
        raise ValueError(f"{call.name} takes another number of arguments than the {len(spaces)} of {call}") from None
    except ValueError as error:
        raise ValueError(f"{call}: {error}") from error
