"""agekit-geomloss: optimal transport between clouds of codes, on geomloss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import agekit


@agekit.hookimpl
def agekit_register(registries: Any) -> None:
    """Put the component on its shelf."""
    from . import sinkhorn

    registries.divergences.add("sinkhorn", sinkhorn.Sinkhorn)


@agekit.hookimpl
def agekit_recipes() -> Path:
    """Name the folder of the recipes."""
    return Path(__file__).parent / "recipes"
