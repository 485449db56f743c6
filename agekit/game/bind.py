"""Binding: a recipe's tables become components, and every mistake in them is reported at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ..contracts import SHELVES, Component, Dataset, Loss, Network, Optimizer, Reference
from ..errors import AgekitError, Problem, nearest
from ..recipe.compose import COMPONENT_KEYS
from ..recipe.language import Expression, parse_expression
from ..recipe.source import Document, Key, dotted
from ..recipe.tables import DataKeys, NetworkKeys, PlayerKeys, Table, TermKeys, View
from ..registry import Registries
from .bound import NetworkSpec, Player, Term
from .messages import complaints, shown

T = TypeVar("T", bound=Table)
C = TypeVar("C", bound=Component)
M = TypeVar("M", bound=BaseModel)


def keys_of(contract: type[Component]) -> tuple[str, ...]:
    """The recipe keys of the shelves that hold this contract."""
    return tuple(shelf.key for shelf in SHELVES if issubclass(shelf.contract, contract))


def written(model: type[Table]) -> set[str]:
    """The keys of an engine table, as recipes write them."""
    return {entry.alias or name for name, entry in model.model_fields.items()}


@dataclass
class Binder:
    """Turns tables into components, collecting problems; what cannot be bound is None."""

    document: Document
    registries: Registries
    problems: list[Problem] = field(default_factory=list)

    def wrong(self, key: Key, message: str) -> None:
        """Note a problem."""
        self.problems.append(Problem(dotted(key), message, self.document.origin(key)))

    def table(self, value: Any, key: Key) -> dict[str, Any]:
        """The value where it is a table; an empty one, and a problem, where it is not."""
        if isinstance(value, dict):
            return value
        self.wrong(key, f"found {shown(value)}, where a table fits")
        return {}

    def keys(self, model: type[T], table: Mapping[str, Any], key: Key) -> T | None:
        """The engine's own keys of a table."""
        return self._validated(model, table, key, ())

    def split(self, model: type[T], table: Mapping[str, Any], key: Key) -> tuple[T | None, dict[str, Any]]:
        """The engine's own keys of a table, and the rest, which is the component's."""
        own = written(model)
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
            found = f"found {' and '.join(named)}, where" if named else "names no component:"
            self.wrong(key, f"{found} one of {', '.join(f'{name} = …' for name in choices)} fits")
            return None
        name = table[named[0]]
        try:
            found_class = self.registries.by_key[named[0]][name] if isinstance(name, str) else None
        except AgekitError as error:
            self.wrong((*key, named[0]), str(error))
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
        if issubclass(component, Loss):
            known |= component.operands.keys()
        made = self._validated(component, options, key, known)
        return (label, made) if made is not None else None

    def _validated(self, model: type[M], table: Mapping[str, Any], key: Key, known: Iterable[str]) -> M | None:
        """The model of a table; an unknown key is reported and left out, so that what else is wrong is found too."""
        try:
            return model.model_validate(frozen(dict(table)))
        except ValidationError as error:
            for name, message in complaints(error, model, known):
                self.wrong((*key, name) if name else key, message)
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
        table = self.table(self.document.tree.get("data", {}), ("data",))
        own, rest = self.split(DataKeys, table, ("data",))
        return own, self.component(Dataset, rest, ("data",), written(DataKeys))

    def reference(self) -> Reference | None:
        """The `[latent]` table; a recipe without codes has none."""
        if "latent" not in self.document.tree:
            return None
        bound = self.component(Reference, self.table(self.document.tree["latent"], ("latent",)), ("latent",))
        return bound[1] if bound else None

    def networks(self) -> dict[str, NetworkSpec]:
        """The `[networks]` table: those built of components first, then the running averages of them."""
        tables = self.table(self.document.tree.get("networks", {}), ("networks",))
        specs: dict[str, NetworkSpec] = {}
        averages: dict[str, NetworkKeys] = {}
        for name, value in tables.items():
            key = ("networks", name)
            own, rest = self.split(NetworkKeys, self.table(value, key), key)
            if own and own.average_of is not None and not rest:
                averages[name] = own
            elif bound := self.component(Network, rest, key, written(NetworkKeys)):
                component = bound[1]
                if own:
                    specs[name] = NetworkSpec(
                        name, component, own.sees or component.sees, own.makes or component.makes, own
                    )
        for name, own in averages.items():
            original = specs.get(str(own.average_of))
            if original:
                specs[name] = NetworkSpec(name, original.component, original.sees, original.makes, own)
            elif own.average_of not in tables or own.average_of in averages:
                hint = nearest(str(own.average_of), tables.keys() - averages.keys())
                self.wrong(("networks", name, "average_of"), f"no network is called {own.average_of!r}; {hint}")
        return {name: specs[name] for name in tables if name in specs}

    def player(self, name: str, value: Any) -> Player | None:
        """One entry of `[players]`."""
        key: Key = ("players", name)
        own = self.keys(PlayerKeys, self.table(value, key), key)
        if own is None:
            return None
        optimizer = self.component(Optimizer, {"optimizer": "adam", **own.optimizer}, (*key, "optimizer"))
        terms = [self.term(term, table, (*key, "terms", term)) for term, table in own.terms.items()]
        if not own.terms:
            self.wrong((*key, "terms"), "is empty: a player minimises at least one term")
        if optimizer is None or None in terms:
            return None
        return Player(name, own.owns, own.updates, optimizer[1], tuple(term for term in terms if term))

    def term(self, name: str, table: dict[str, Any], key: Key) -> Term | None:
        """One entry of a player's `terms`."""
        own, rest = self.split(TermKeys, table, key)
        named = [k for k in keys_of(Loss) if isinstance(rest.get(k), str)]
        shelf = self.registries.by_key[named[0]] if named else None
        component = shelf[rest[named[0]]] if shelf and rest[named[0]] in shelf else Loss
        wanted = getattr(component, "operands", {})
        bound = self.component(Loss, {k: v for k, v in rest.items() if k not in wanted}, key, written(TermKeys))
        texts = {operand: self.expression(rest[operand], (*key, operand)) for operand in wanted if operand in rest}
        if own is None or bound is None or None in texts.values():
            return None
        operands = {operand: text for operand, text in texts.items() if text is not None}
        return Term(name, bound[1], bound[0], operands, own.weight)

    def views(self) -> dict[str, View]:
        """The `[views]` table; a text is the expression that is shown."""
        tables = self.table(self.document.tree.get("views", {}), ("views",))
        bound = {}
        for name, value in tables.items():
            given = {"of": value} if isinstance(value, str) else value
            view = self.keys(View, self.table(given, ("views", name)), ("views", name))
            if view:
                bound[name] = view
        return bound


UNBOUND = object()


def frozen(value: Any) -> Any:
    """A value with its lists made tuples, as components declare them."""
    if isinstance(value, list):
        return tuple(frozen(inner) for inner in value)
    if isinstance(value, dict):
        return {name: frozen(inner) for name, inner in value.items()}
    return value
