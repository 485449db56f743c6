"""Whose terms a controller watches, what they come to at best, and whether it may. No torch in here."""

from __future__ import annotations

from collections.abc import Mapping

from ..contracts import CODE, Controller, Divergence, Measure, Reference
from ..errors import nearest
from ..recipe.language import Expression
from ..recipe.source import Key
from .bind import Binder
from .bound import Recipe
from .graph import Graph, Scope

Place = tuple[str, str]
"""Where a term stands: the name of its player, and its own."""


def watched(controller: Controller, player: str) -> dict[str, Place]:
    """The terms that a controller of one of a player's terms watches, by the names it gives them."""
    places = {name: name.partition(".") for name in controller.watches()}
    return {name: (first, last) if dot else (player, first) for name, (first, dot, last) in places.items()}


def ideal_of(
    measure: Measure, operands: Mapping[str, Expression], scope: Scope, reference: Reference | None
) -> float | None:
    """What a term or a metric comes to where the codes follow the reference exactly; 0 for what is no divergence.

    None where a divergence knows it not, or is not of codes.
    """
    if not isinstance(measure, Divergence):
        return 0.0
    graph = Graph(scope)
    try:
        codes = graph.nodes[graph.add(operands["of"])].space.kind == CODE
        return measure.ideal(reference) if codes and reference else None
    except ValueError:  # it knows none for this reference; an operand that makes no sense is reported elsewhere
        return None


def check_controllers(recipe: Recipe, scope: Scope, binder: Binder) -> None:
    """Note what controllers watch that is not there, and those that cannot work on what they watch."""
    players = recipe.stages[0].players
    terms = {(player.name, term.name): term for player in players for term in player.terms}
    written = _written(binder)
    for (player, name), term in terms.items():
        if not isinstance(term.weight, Controller):
            continue
        key: Key = ("players", player, "terms", name, "weight")
        places = watched(term.weight, player)
        for missing in [called for called, place in places.items() if place not in written]:
            binder.wrong(key, f"watches {missing!r}, and no term is called so; {_meant(missing, player, written)}")
        if terms.keys() >= {*places.values()}:
            seen = {called: terms[place] for called, place in places.items()}
            ideals = {n: ideal_of(one.loss, one.operands, scope, recipe.reference) for n, one in seen.items()}
            try:
                term.weight.check(f"{player}.{name}", ideals)
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
