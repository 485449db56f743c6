"""Registries: shelves of components by name, each with its owner."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from .contracts import SHELVES, Component, Shelf
from .contracts.admission import refusals
from .errors import AgekitError, PluginError, nearest

NAME = re.compile(r"[a-z][a-z0-9_]*\Z")


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
        if not (isinstance(name, str) and NAME.match(name)):
            raise PluginError(f"{shown}: a name is lower-case letters, digits and underscores")
        if name in self.entries:
            raise PluginError(f"{shown}: the name is taken by {self.entries[name].owner}")
        if refused := next(refusals(component, self.shelf), None):
            raise PluginError(f"{shown}: {refused}")
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
