"""Binding: a recipe's tables become components, and every mistake in them is reported at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ..contracts import SHELVES, Component, Dataset, Loss, Measure, Network, Optimizer, Reference
from ..errors import AgekitError, Problem, nearest, similar
from ..recipe.compose import COMPONENT_KEYS
from ..recipe.language import Expression, parse_expression
from ..recipe.source import Document, Key, dotted
from ..recipe.tables import OPTIMIZER, DataKeys, NetworkKeys, PlayerKeys, Table, TermKeys
from ..registry import Registries
from .bound import NetworkSpec, Player, Term
from .graph import UnknownCall
from .messages import complaints, shown
from .program import PROGRAM, Program

AVERAGE = NetworkKeys.written() - {"sees", "makes", "from"}
"""The keys of a running average, which is otherwise as its original."""

T = TypeVar("T", bound=Table)
C = TypeVar("C", bound=Component)
D = TypeVar("D", bound=Measure)
M = TypeVar("M", bound=BaseModel)


def keys_of(contract: type[Component]) -> tuple[str, ...]:
    """The recipe keys of the shelves that hold this contract."""
    return tuple(shelf.key for shelf in SHELVES if issubclass(shelf.contract, contract))


@dataclass
class Binder:
    """Turns tables into components, collecting problems; what cannot be bound is None."""

    document: Document
    registries: Registries
    problems: list[Problem] = field(default_factory=list)

    def wrong(self, key: Key, message: str, *, unknown_component: bool = False) -> None:
        """Note a problem."""
        self.problems.append(Problem(dotted(key), message, self.document.origin(key), unknown_component))

    def refused(self, key: Key, error: ValueError) -> None:
        """Note why an expression makes no sense."""
        self.wrong(key, str(error), unknown_component=isinstance(error, UnknownCall))

    def table(self, name: str) -> dict[str, Any]:
        """One of the recipe's tables: an empty one where it has none, or, with a problem noted, where it is none."""
        value = self.document.tree.get(name, {})
        return value if self.is_table(value, (name,)) else {}

    def is_table(self, value: Any, key: Key) -> bool:
        """Whether a value is a table; a problem is noted where it is not."""
        if not isinstance(value, dict):
            self.wrong(key, f"found {shown(value)}, where a table fits")
        return isinstance(value, dict)

    def keys(self, model: type[T], table: Any, key: Key) -> T | None:
        """The engine's own keys of a table."""
        return self._validated(model, table, key, ()) if self.is_table(table, key) else None

    def top(self, model: type[T], name: str) -> T | None:
        """One of the recipe's tables whose keys are all the engine's own."""
        return self.keys(model, self.document.tree.get(name, {}), (name,))

    def split(self, model: type[T], table: Mapping[str, Any], key: Key) -> tuple[T | None, dict[str, Any]]:
        """The engine's own keys of a table, and the rest, which is the component's."""
        own = model.written()
        inner = {name: self.nested(value, (*key, name)) for name, value in table.items() if name in own}
        rest = {name: value for name, value in table.items() if name not in own}
        return (None if UNBOUND in inner.values() else self.keys(model, inner, key)), rest

    def nested(self, value: Any, key: Key) -> Any:
        """A value with every table in it that names a component made into that component."""
        if isinstance(value, dict) and (named := [k for k in COMPONENT_KEYS if isinstance(value.get(k), str)]):
            bound = self.component(COMPONENT_KEYS[named[0]].contract, value, key)
            return bound[1] if bound else UNBOUND
        return value

    def component(
        self, contract: type[C], table: Mapping[str, Any], key: Key, known: Iterable[str] = ()
    ) -> tuple[str, C] | None:
        """The component that a table names, and its label; `known` are keys that would have fitted there too."""
        choices = keys_of(contract)
        named = [name for name in COMPONENT_KEYS if name in table]
        if len(named) != 1 or named[0] not in choices:
            self.wrong(key, _which(named, choices, table.keys() - known))
            return None
        name = table[named[0]]
        try:
            found_class = self.registries.by_key[named[0]][name] if isinstance(name, str) else None
        except AgekitError as error:
            self.wrong((*key, named[0]), str(error), unknown_component=True)
            return None
        if found_class is None or not issubclass(found_class, contract):
            self.wrong((*key, named[0]), f"found {shown(name)}, where a component's name fits")
            return None
        options = {option: self.nested(v, (*key, option)) for option, v in table.items() if option != named[0]}
        return self._made(found_class, options, key, {*known, named[0]}, f"{named[0]} {name}")

    def _made(
        self, component: type[C], options: dict[str, Any], key: Key, known: set[str], label: str
    ) -> tuple[str, C] | None:
        if any(value is UNBOUND for value in options.values()):
            return None
        if issubclass(component, Measure):
            known |= component.operands.keys()
        made = self._validated(component, options, key, known)
        return (label, made) if made is not None else None

    def _validated(self, model: type[M], table: Mapping[str, Any], key: Key, known: Iterable[str]) -> M | None:
        """The model of a table; an unknown key is reported and left out, so that what else is wrong is found too."""
        try:
            return model.model_validate(frozen(dict(table)))
        except ValidationError as error:
            for inner, message in complaints(error, model, known):
                self.wrong((*key, *inner), message)
            unknown = {entry["loc"][0] for entry in error.errors() if entry["type"] == "extra_forbidden"}
            if unknown and len(unknown) == error.error_count():
                return model.model_validate(frozen({k: v for k, v in table.items() if k not in unknown}))
            return None

    def expression(self, text: Any, key: Key) -> Expression | None:
        """An expression, parsed."""
        if not isinstance(text, str):
            self.wrong(key, f"found {shown(text)}, where an expression in quotes fits")
            return None
        try:
            return parse_expression(text)
        except ValueError as error:
            self.wrong(key, str(error))
            return None

    def data(self) -> tuple[DataKeys | None, tuple[str, Dataset] | None]:
        """The `[data]` table."""
        table = self.document.tree.get("data", {})
        if not self.is_table(table, ("data",)):
            return None, None
        keys = DataKeys.written()
        own = self.keys(DataKeys, {name: value for name, value in table.items() if name in keys}, ("data",))
        rest = {name: value for name, value in table.items() if name not in keys}
        return own, self.component(Dataset, rest, ("data",), keys)

    def reference(self) -> Reference | None:
        """The `[latent]` table; a recipe without codes has none."""
        table = self.document.tree.get("latent")
        if table is None or not self.is_table(table, ("latent",)):
            return None
        bound = self.component(Reference, table, ("latent",))
        return bound[1] if bound else None

    def networks(self) -> dict[str, NetworkSpec]:
        """The `[networks]` table: those built of components, and the running averages of them."""
        tables = self.table("networks")
        specs: dict[str, NetworkSpec] = {}
        averages: dict[str, NetworkKeys] = {}
        for name, value in tables.items():
            key = ("networks", name)
            if not self.is_table(value, key):
                continue
            own, rest = self.split(NetworkKeys, value, key)
            if "decay" in value and "average_of" not in value:
                self.wrong((*key, "decay"), "has no effect here: it is of a running average, a network with average_of")
            if "average_of" in value:
                for option in value.keys() - AVERAGE:
                    self.wrong((*key, option), f"unknown key of a running average; {nearest(option, AVERAGE)}")
                averages |= {name: own} if own else {}
            elif own and (made := self.network(own, rest, key)):
                specs[name] = NetworkSpec(name, made, own.sees or made.sees, own.makes or made.makes, own)
        originals = dict(specs)
        for name, own in averages.items():
            original = originals.get(str(own.average_of))
            if original and isinstance(original.component, Program):
                self.wrong(
                    ("networks", name, "average_of"), f"{own.average_of} is an exported program, and never moves"
                )
            elif original:
                kept = original.keys.model_dump(include={"class_names", "class_mapping"})
                specs[name] = replace(original, name=name, keys=own.model_copy(update=kept))
            elif own.average_of not in tables or own.average_of in averages:
                hint = nearest(str(own.average_of), tables.keys() - averages.keys())
                self.wrong(("networks", name, "average_of"), f"no network is called {own.average_of!r}; {hint}")
        return {name: specs[name] for name in tables if name in specs}

    def network(self, own: NetworkKeys, rest: dict[str, Any], key: Key) -> Network | None:
        """The component of a network; an exported program needs none."""
        if not rest and own.source and own.source.endswith(PROGRAM):
            return Program()
        bound = self.component(Network, rest, key, NetworkKeys.written())
        return bound[1] if bound else None

    def players(self) -> list[Player]:
        """The `[players]` table."""
        bound = [self.player(name, value) for name, value in self.table("players").items()]
        return [player for player in bound if player]

    def player(self, name: str, value: Any) -> Player | None:
        """One entry of `[players]`."""
        key: Key = ("players", name)
        own = self.keys(PlayerKeys, value, key)
        if own is None:
            return None
        optimizer = self.component(Optimizer, {"optimizer": OPTIMIZER, **own.optimizer}, (*key, "optimizer"))
        terms = [self.term(term, table, (*key, "terms", term)) for term, table in own.terms.items()]
        if not own.terms:
            self.wrong((*key, "terms"), "is empty: a player minimises at least one term")
        if optimizer is None or None in terms:
            return None
        return Player(name, own.owns, own.updates, optimizer[1], tuple(term for term in terms if term))

    def term(self, name: str, table: dict[str, Any], key: Key) -> Term | None:
        """One entry of a player's `terms`."""
        own, rest = self.split(TermKeys, table, key)
        bound = self.measure(Loss, rest, key, TermKeys.written())
        return Term(name, bound[1], bound[0], bound[2], own.weight) if own and bound else None

    def measure(
        self, contract: type[D], table: Mapping[str, Any], key: Key, known: Iterable[str]
    ) -> tuple[str, D, dict[str, Expression]] | None:
        """The loss or the metric that a table names: its label, the component, and its operands, parsed."""
        named = [k for k in keys_of(contract) if isinstance(table.get(k), str)]
        shelf = self.registries.by_key[named[0]] if named else None
        component = shelf[table[named[0]]] if shelf and table[named[0]] in shelf else contract
        wanted = getattr(component, "operands", {})
        bound = self.component(contract, {k: v for k, v in table.items() if k not in wanted}, key, known)
        texts = {operand: self.expression(table[operand], (*key, operand)) for operand in wanted if operand in table}
        if bound is None or None in texts.values():
            return None
        return (*bound, {operand: text for operand, text in texts.items() if text is not None})


def _which(named: Sequence[str], choices: Sequence[str], others: Iterable[str]) -> str:
    """Say that not one component is named where one of the choices fits, and which was probably meant."""
    meant = [choice for other in sorted(others) if (choice := similar(other, choices))]
    found = f"found {' and '.join(named)}, where" if named else "names no component:"
    hint = f"; did you mean {meant[0]}?" if meant and not named else ""
    return f"{found} one of {', '.join(f'{name} = …' for name in choices)} fits{hint}"


UNBOUND = object()


def frozen(value: Any) -> Any:
    """A value with its lists made tuples, as components declare them."""
    if isinstance(value, list):
        return tuple(frozen(inner) for inner in value)
    if isinstance(value, dict):
        return {name: frozen(inner) for name, inner in value.items()}
    return value
