"""Registries: shelves of components by name, each with its owner."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from .contracts import SHELVES, Component, Dataset, Loss, Measure, Network, Operator, Shelf
from .errors import AgekitError, PluginError, nearest

NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
RESERVED: Mapping[type[Component], frozenset[str]] = {
    Component: frozenset(shelf.key for shelf in SHELVES),
    Dataset: frozenset({"batch", "flip", "fields", "held_out"}),
    Network: frozenset(
        {"sees", "makes", "from", "average_of", "decay", "class_names", "class_mapping", "statistics", "buffers"}
    ),
    Loss: frozenset({"weight"}),
    Measure: frozenset({"count", "generated", "on", "statistics"}),
}
"""Keys of the tables that name a component of a kind, so that no option of one may have their name.

A test compares the engine's tables.
"""


@dataclass(frozen=True)
class Entry:
    """A registered component: its name, its class, and the plugin that brought it."""

    name: str
    component: type[Component]
    owner: str


class Registry:
    """One shelf: names to component classes."""

    def __init__(self, shelf: Shelf, registries: Registries) -> None:
        self.shelf = shelf
        self.entries: dict[str, Entry] = {}
        self._registries = registries

    def add(self, name: str, component: type[Component]) -> None:
        """Put a component on this shelf.

        Raises `PluginError` where the name is taken or malformed, or the class does not keep the shelf's contract.
        """
        owner = self._registries.owner
        shown = f"{self.shelf.key} {name!r} of {owner}"
        if not NAME.match(name):
            raise PluginError(f"{shown}: a name is lower-case letters, digits and underscores")
        if name in self.entries:
            raise PluginError(f"{shown}: the name is taken by {self.entries[name].owner}")
        if not (isinstance(component, type) and issubclass(component, self.shelf.contract)):
            raise PluginError(f"{shown}: found {component!r}, where a subclass of {self.shelf.contract.__name__} fits")
        if inspect.isabstract(component):
            missing = ", ".join(sorted(component.__abstractmethods__))
            raise PluginError(f"{shown}: {component.__name__} does not define {missing}")
        operands = frozenset(component.operands) if issubclass(component, Measure) else frozenset()
        reserved = operands.union(*(keys for kind, keys in RESERVED.items() if issubclass(component, kind)))
        needed = [option for option, entry in component.model_fields.items() if entry.is_required()]
        if issubclass(component, Operator) and needed:
            raise PluginError(f"{shown}: the option {needed[0]!r} has no default, and expressions have no place for it")
        if taken := sorted(reserved & component.model_fields.keys()):
            raise PluginError(f"{shown}: the option {taken[0]!r} has a name that recipes give another meaning")
        self.entries[name] = Entry(name, component, owner)

    def __getitem__(self, name: str) -> type[Component]:
        """The class by its name; raises `AgekitError`, naming the nearest, where there is none."""
        if name not in self.entries:
            raise AgekitError(f"no {self.shelf.key} is called {name!r}; {nearest(name, self.entries)}")
        return self.entries[name].component

    def __contains__(self, name: str) -> bool:
        return name in self.entries

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)


class Registries:
    """All shelves, as attributes: `registries.divergences`, `registries.datasets`, …"""

    generators: Registry
    encoders: Registry
    critics: Registry
    parsers: Registry
    references: Registry
    divergences: Registry
    reciprocities: Registry
    adversarial: Registry
    losses: Registry
    metrics: Registry
    operators: Registry
    schedules: Registry
    controllers: Registry
    optimizers: Registry
    datasets: Registry

    def __init__(self) -> None:
        self.owner = "nobody"
        self.shelves = {shelf.name: Registry(shelf, self) for shelf in SHELVES}
        self.by_key = {registry.shelf.key: registry for registry in self.shelves.values()}
        vars(self).update(self.shelves)

    @contextmanager
    def owned_by(self, owner: str) -> Iterator[None]:
        """Sign what is added meanwhile; where it fails half-way, take all of it back."""
        before = {name: dict(registry.entries) for name, registry in self.shelves.items()}
        self.owner, previous = owner, self.owner
        try:
            yield
        except BaseException:
            for name, entries in before.items():
                self.shelves[name].entries = entries
            raise
        finally:
            self.owner = previous
