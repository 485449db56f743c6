"""agekit-optuna: search over the values of a recipe, on Optuna."""

from __future__ import annotations

from typing import TYPE_CHECKING

import agekit

if TYPE_CHECKING:
    from agekit.commands import Commands


@agekit.hookimpl
def agekit_commands(commands: Commands) -> None:
    """Add `agekit search`."""
    from .arguments import arguments, search

    commands.add("search", "search values of a recipe for the best metric; again: goes on", arguments, search)
