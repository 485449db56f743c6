"""The hooks: every way in which a plugin, or a built-in, enters agekit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from .commands import Commands
    from .registry import Registries

hookspec = pluggy.HookspecMarker("agekit")
hookimpl = pluggy.HookimplMarker("agekit")


@hookspec
def agekit_register(registries: Registries) -> None:
    """Add components: `registries.divergences.add("coral", Coral)`."""


@hookspec
def agekit_recipes() -> Path | None:
    """Name a folder of recipes that the plugin ships; they are then found by name."""


@hookspec
def agekit_commands(commands: Commands) -> None:
    """Add commands to the command line: `commands.add("search", "search values of a recipe", arguments, search)`."""
