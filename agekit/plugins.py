"""Finding plugins: built-ins and installed packages, loaded one by one, so that a broken one breaks nothing else."""

from __future__ import annotations

import importlib
import time
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from importlib.metadata import Distribution, EntryPoint, entry_points
from pathlib import Path
from typing import Any

import pluggy
from packaging.requirements import Requirement

from . import __version__, hooks
from .commands import Commands
from .errors import PluginError
from .registry import Registries

GROUP = "agekit"
BUILTIN = ("agekit.builtin",)
BUILT_IN = "built in"


@dataclass(frozen=True)
class Plugin:
    """A plugin, and how it does: `error` is empty where it is well."""

    name: str
    origin: str
    version: str
    error: str = ""
    details: str = ""
    seconds: float = 0.0
    """How long its import took."""

    @property
    def built_in(self) -> bool:
        return self.origin == BUILT_IN


@dataclass
class Loaded:
    """The registries filled, and every plugin that was found."""

    registries: Registries = field(default_factory=Registries)
    plugins: list[Plugin] = field(default_factory=list)
    recipes: list[Path] = field(default_factory=list)
    commands: Commands = field(default_factory=Commands)

    @property
    def broken(self) -> list[Plugin]:
        return [plugin for plugin in self.plugins if plugin.error]


def load(own: Iterable[str] = ()) -> Loaded:
    """Load the built-ins, then every installed package with an entry point in the group `agekit`.

    `own` are the commands of agekit, whose names no plugin takes.
    """
    loaded = Loaded(commands=Commands(frozenset(own)))
    for name in BUILTIN:
        _load(loaded, name, lambda name=name: importlib.import_module(name), Plugin(name, BUILT_IN, __version__))
    for entry, plugin in _installed():
        _load(loaded, plugin.name, entry.load, plugin, entry.dist)
    return loaded


def add(loaded: Loaded, module: Any, name: str) -> None:
    """Add a module that is at hand, as a notebook or a test does. Raises `PluginError` where it is broken."""
    _load(loaded, name, lambda: module, Plugin(name, "given", ""))
    if loaded.plugins[-1].error:
        raise PluginError(f"plugin {name}: {loaded.plugins[-1].error}")


def _installed() -> Iterator[tuple[EntryPoint, Plugin]]:
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        dist = entry.dist
        origin = f"{dist.name} ({entry.value})" if dist else entry.value
        yield entry, Plugin(entry.name, origin, dist.version if dist else "")


def _load(loaded: Loaded, name: str, importer: Any, plugin: Plugin, dist: Distribution | None = None) -> None:
    """Import one plugin and run its hooks; whatever it does wrong is noted, and what it had added is taken back."""
    began = time.perf_counter()
    try:
        _check_version(dist)
        if other := next((one for one in loaded.plugins if one.name == name and not one.error), None):
            raise PluginError(f"{other.origin} {other.version} has a plugin of this name, too, and came first")
        module = importer()
        manager = pluggy.PluginManager(GROUP)
        manager.add_hookspecs(hooks)
        manager.register(module, name)
        manager.check_pending()
        with loaded.registries.owned_by(name), loaded.commands.owned_by(name):
            manager.hook.agekit_register(registries=loaded.registries)
            manager.hook.agekit_commands(commands=loaded.commands)
            loaded.recipes += map(_folder, manager.hook.agekit_recipes())
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - a plugin may raise anything, SystemExit included
        said = str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"
        plugin = replace(plugin, error=said, details=traceback.format_exc())
    loaded.plugins.append(replace(plugin, seconds=time.perf_counter() - began))


def _folder(recipes: Any) -> Path:
    if not (isinstance(recipes, Path) and recipes.is_dir()):
        raise PluginError(f"agekit_recipes names {recipes!r}, where the path of a folder fits")
    return recipes


def _check_version(dist: Distribution | None) -> None:
    """Refuse a package whose declared range of agekit versions does not hold this one."""
    for text in (dist.requires or ()) if dist else ():
        requirement = Requirement(text)
        wanted = requirement.name.lower() == "agekit" and not requirement.marker
        if wanted and not requirement.specifier.contains(__version__, prereleases=True):
            raise PluginError(f"needs agekit{requirement.specifier}, and this is agekit {__version__}")
