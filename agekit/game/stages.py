"""What may change from one stage to the next, and what goes on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import Problem
from ..recipe.source import Document, Key, dotted
from .bound import Recipe

BUILT = {"source", "average_of", "class_names", "class_mapping"}
"""The keys of a network that say how it is built."""


def same_throughout(first: Recipe, later: Recipe, document: Document, position: int) -> list[Problem]:
    """What a stage may not change, since weights, data and codes go on from the stage before."""

    def built(recipe: Recipe) -> Mapping[str, Any]:
        return {
            n: (spec.component, spec.sees, spec.makes, *spec.keys.model_dump(include=BUILT).values())
            for n, spec in recipe.networks.items()
        }

    same: dict[Key, tuple[Any, Any]] = {
        ("data",): (first.dataset, later.dataset),
        ("data", "held_out"): ((first.held_out, first.held_out_share), (later.held_out, later.held_out_share)),
        ("data", "fields"): (first.derived, later.derived),
        ("latent",): (first.reference, later.reference),
        ("networks",): (built(first), built(later)),
        ("compute",): (first.compute, later.compute),
        ("run", "seed"): (first.run.seed, later.run.seed),
    }
    keys: list[Key] = [("stages", position, *part) for part, (before, after) in same.items() if before != after]
    return [Problem(dotted(key), "cannot change between stages", document.origin(key)) for key in keys]


def carriable(before: Recipe, later: Recipe, document: Document, position: int) -> list[Problem]:
    """An optimizer's state is that of its rule and of its parameters: where either changes, it cannot be carried."""
    if later.stages[0].keys.optimizer == "fresh":
        return []
    sat = {player.name: player for player in before.stages[0].players}
    changed = [
        player.name
        for player in later.stages[0].players
        if (same := sat.get(player.name))
        and (same.owns != player.owns or type(same.optimizer) is not type(player.optimizer))
    ]
    key: Key = ("stages", position)
    said = 'has another optimizer, or owns other networks, than in the stage before: optimizer = "fresh" fits'
    return [Problem(dotted(key), f"{name} {said}", document.origin(key)) for name in changed]
