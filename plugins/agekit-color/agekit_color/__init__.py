"""agekit-color: grey photographs get their colours back, several ways. CIE Lab, a residual generator, Stanford Cars."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import agekit


@agekit.hookimpl
def agekit_register(registries: Any) -> None:
    """Put the components on their shelves."""
    from . import cars, metrics, operators, residual

    registries.generators.add("color_residual", residual.ColorResidual)
    registries.operators.add("luminance", operators.Luminance)
    registries.operators.add("chroma", operators.Chroma)
    registries.operators.add("rgb", operators.RGB)
    registries.metrics.add("luminance_error", metrics.LuminanceError)
    registries.metrics.add("color_diversity", metrics.ColorDiversity)
    registries.datasets.add("cars", cars.Cars)


@agekit.hookimpl
def agekit_recipes() -> Path:
    """Name the folder of the recipes."""
    return Path(__file__).parent / "recipes"
