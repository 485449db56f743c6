"""agekit-semantic: a parsing network behind the generator. Its architecture, its data, losses, and their recipes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import agekit


@agekit.hookimpl
def agekit_register(registries: Any) -> None:
    """Put the components on their shelves."""
    from . import celebamask, losses, operators, unet

    registries.parsers.add("unet", unet.UNet)
    registries.losses.add("parse_agreement", losses.ParseAgreement)
    registries.losses.add("parse_confidence", losses.ParseConfidence)
    registries.operators.add("areas", operators.Areas)
    registries.operators.add("parse", operators.Parse)
    registries.operators.add("overlay", operators.Overlay)
    registries.datasets.add("celebamask", celebamask.CelebAMask)


@agekit.hookimpl
def agekit_recipes() -> Path:
    """Name the folder of the recipes."""
    return Path(__file__).parent / "recipes"
