"""Whose terms a controller watches, and whether it may. No torch in here."""

from __future__ import annotations

from ..contracts import Controller, Divergence, Reference
from ..errors import nearest
from ..recipe.source import Key
from .bind import Binder
from .bound import Player, Recipe, Term

Place = tuple[str, str]
"""Where a term stands: the name of its player, and its own."""


def watched(controller: Controller, player: str) -> dict[str, Place]:
    """The terms that a controller of one of a player's terms watches, by the names it gives them."""
    places = {name: name.partition(".") for name in controller.watches()}
    return {name: (first, last) if dot else (player, first) for name, (first, dot, last) in places.items()}


def ideal_of(term: Term, reference: Reference | None) -> float:
    """What a term's divergence comes to where the codes follow the reference exactly; 0 for any other loss."""
    return term.loss.ideal(reference) if reference and isinstance(term.loss, Divergence) else 0.0


def check_controllers(recipe: Recipe, binder: Binder) -> None:
    """Note what controllers watch that is not there, and those that cannot work on what they watch."""
    players = recipe.stages[0].players
    written = _written(binder)
    ideals = {(p.name, term.name): ideal_of(term, recipe.reference) for p in players for term in p.terms}
    for player in players:
        for term in player.terms:
            if isinstance(term.weight, Controller):
                key: Key = ("players", player.name, "terms", term.name, "weight")
                _check(term.weight, player, key, written, ideals, binder)


def _check(
    controller: Controller, player: Player, key: Key, written: set[Place], ideals: dict[Place, float], binder: Binder
) -> None:
    places = watched(controller, player.name)
    for name in [name for name, place in places.items() if place not in written]:
        binder.wrong(key, f"watches {name!r}, and no term is called so; {_meant(name, player.name, written)}")
    if ideals.keys() >= {*places.values()}:
        try:
            controller.check({name: ideals[place] for name, place in places.items()})
        except ValueError as error:
            binder.wrong(key, str(error))


def _meant(name: str, player: str, written: set[Place]) -> str:
    """Which term was probably meant: another player's of this name, or the nearest."""
    others = sorted(".".join(place) for place in written if place[1] == name)
    own = {term for owner, term in written if owner == player}
    return f"did you mean {others[0]}?" if others else nearest(name, own | {".".join(place) for place in written})


def _written(binder: Binder) -> set[Place]:
    """All terms, also those that could not be bound: they are reported already, and what watches them is not."""
    players = {name: table for name, table in binder.table("players").items() if isinstance(table, dict)}
    terms = {name: table.get("terms") for name, table in players.items()}
    return {(name, term) for name, table in terms.items() if isinstance(table, dict) for term in table}
