"""Clouds: codes that are drawn anew as often as one likes, and what is known of their law."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..contracts import Law, Reference
from ..game.blame import accused, sampled
from .departures import DEPARTURES, Departure

Draw = Callable[[int, torch.Generator], Tensor]

NULL = "null"
"""The name of the cloud that follows the reference."""

PROBE = 64
"""Codes by which it is found out what a departure, or a reference's own map, does."""


@dataclass(frozen=True)
class Cloud:
    """Codes by their name: how so many are drawn, and what is known of their law."""

    name: str
    draw: Draw
    law: Law | None = None


def null(reference: Reference) -> Cloud:
    """Draws of the reference."""
    return Cloud(NULL, lambda n, generator: sampled(reference, n, generator))


def departed(reference: Reference) -> list[Cloud]:
    """The departures from a reference that are departures there: on the sphere a scale, for one, is none.

    Codes are mapped back to where the reference's draws are. What is known of a law holds where that moves nothing.
    """
    return [cloud for departure in DEPARTURES if (cloud := _departed(reference, departure))]


def halfway(reference: Reference) -> list[Cloud]:
    """The departures, each half as far, along the reference's own way.

    Far from the reference, the logarithm in one divergence says little of the square in another.
    """

    def between(far: Cloud) -> Draw:
        def draw(n: int, generator: torch.Generator) -> Tensor:
            state = generator.get_state()
            near = sampled(reference, n, generator)
            end = far.draw(n, generator.set_state(state))
            with accused(reference):
                return reference.between(near, end, torch.full((n, 1), 0.5).to(near))

        return draw

    return [Cloud(far.name, between(far)) for far in departed(reference)]


def placing(reference: Reference) -> Callable[[Tensor], Tensor]:
    """The map to where the draws of a reference are: its own, where that leaves them as they are; or else none.

    That of the cube, tanh, does not: it is meant for raw codes.
    """

    def project(codes: Tensor) -> Tensor:
        with accused(reference):
            return reference.project(codes)

    draws = _probe(reference)
    return project if torch.allclose(project(draws), draws, atol=1e-5) else lambda codes: codes


def _departed(reference: Reference, departure: Departure) -> Cloud | None:
    place, unit = placing(reference), reference.variance**0.5

    def moved(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        draws = sampled(reference, n, generator)
        return draws, departure.change(draws / unit, generator) * unit

    def draw(n: int, generator: torch.Generator) -> Tensor:
        return place(moved(n, generator)[1])

    draws, changed = moved(PROBE, _first())
    if _same(place(changed), draws):
        return None
    law = departure.law(reference.dim, reference.law == "standard normal") if _same(place(changed), changed) else None
    if law:
        law = Law(unit * law.mean, unit**2 * law.covariance, law.normal)
    return Cloud(departure.name, draw, law)


def _probe(reference: Reference) -> Tensor:
    return sampled(reference, PROBE, _first())


def _first() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def _same(a: Tensor, b: Tensor) -> bool:
    return torch.allclose(a, b, rtol=1e-4, atol=1e-5)
