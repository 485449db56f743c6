"""The deaths of this game: what each is called, how it shows, and which keys of the recipe usually help."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ..contracts import Divergence, Reciprocity
from ..recipe.language import Call, Expression, Name, names, parse_expression
from .bound import BoundStage, Player, Recipe, Term
from .graph import DRAW
from .step import Number
from .vitals import Cloud, Vitals

Kind = Literal["point", "antipodes", "constant", "outright win", "not finite"]

POINT = 0.01
"""Codes with less of the variance that they should have are at a point."""

LINE = 0.95
"""Codes with more of their variance along one axis are on a line: on a sphere, at antipodes."""

WIDE = 0.5
"""Only codes with this share of the variance that they should have rest there: narrower ones are still on their way."""

CONSTANT = 0.05
"""What deviates less among draws, beside the data's deviation among samples, does not follow them."""

LEFT = 0.01
"""A critic with less of the loss of an indifferent one has won."""

Evidence = Mapping[str, Mapping[str, float | str]]
"""Numbers by name, by the expression they were taken of."""


@dataclass(frozen=True)
class Death:
    """A death: its name, what shows it, in words and in numbers, the keys that help, and the players concerned.

    That of numbers has the `step` that they arose in, which may be earlier than the one it is noticed after.
    """

    name: Kind
    said: str
    evidence: Evidence
    knobs: tuple[str, ...]
    players: tuple[str, ...]
    step: int | None = None

    def event(self) -> dict[str, Any]:
        """What is written of it, its step apart."""
        return {name: value for name, value in asdict(self).items() if name != "step"}

    @property
    def key(self) -> str:
        """What makes it the same death at the next look."""
        return f"{self.name}: {', '.join(self.players)}"


def signs(vitals: Vitals, stage: BoundStage) -> list[Death]:
    """The deaths that vital signs show, causes before what follows from them."""
    constant = [one for one in vitals.contrasts if one.share < CONSTANT]
    dead = tuple(one.of for one in constant)
    clouds = [one for one in vitals.clouds if not any(text in one.of for text in dead)]
    found = [
        _death("constant", {one.of: {"share": one.share}}, _owner(one.of, stage), stage, _constant(one.of, one.share))
        for one in constant
    ]
    for player in stage.players:
        found += _of_codes([one for one in clouds if _owner(one.of, stage) == player.name], player.name, stage)
    for one in vitals.verdicts:
        if one.left < LEFT:
            said = (
                f"{one.player} has {one.left:.1g} of an indifferent critic's loss on {one.of}; it has won below {LEFT}"
            )
            found.append(_death("outright win", {one.of: {"left": one.left}}, one.player, stage, said))
    return found


def _of_codes(clouds: list[Cloud], player: str, stage: BoundStage) -> Iterator[Death]:
    """The deaths of the codes that a player makes."""
    points = [one for one in clouds if one.spread < POINT]
    spread = [one for one in clouds if not one.drawn and one.spread >= POINT]
    lines = [one for one in clouds if one.spread >= WIDE and one.line > LINE and one.dim > 1]
    if points and spread and all(one.drawn for one in points):
        said = f"{player} sends all imitations to one point, and the data not: {_spreads(points)}, {_spreads(spread)}"
        yield _death("outright win", _numbers(points + spread), player, stage, said)
    elif points:
        said = f"codes are at a point: {_spreads(points)} of the variance they should have; alive above {POINT}"
        yield _death("point", _numbers(points), player, stage, said)
    if lines:
        shares = ", ".join(f"{one.of} {one.line:.3g}" for one in lines)
        said = f"codes are on a line, on a sphere at antipodes: {shares} of their variance lies along it"
        yield _death("antipodes", _numbers(lines), player, stage, said)


def not_finite(
    step: int, name: str, value: str, recipe: Recipe, stage: BoundStage, number: Number | None = None
) -> Death:
    """The death of numbers: the first that is none, at its step, and the update it is of."""
    half = recipe.compute.precision == "bf16"
    knobs = [f"players.{player.name}.optimizer.lr: smaller" for player in stage.players]
    knobs += ["the weights of the terms: smaller", *(["compute.precision: fp32"] if half else [])]
    said, evidence = f"step {step}: {name} is {value}", dict[str, float | str](step=float(step), value=value)
    if number:
        said += f" in update {number.update + 1}"
        evidence["update"] = float(number.update + 1)
    return Death("not finite", said, {name: evidence}, tuple(knobs), _all(stage), step)


def _constant(text: str, share: float) -> str:
    return f"{text} hardly follows its draws: it deviates {share:.2g} times as far as the data; alive above {CONSTANT}"


def _spreads(clouds: Iterable[Cloud]) -> str:
    return ", ".join(f"{one.of} has {one.spread:.2g}" for one in clouds)


def _numbers(clouds: Iterable[Cloud]) -> Evidence:
    return {one.of: {"spread": one.spread, "line": one.line} for one in clouds}


def _death(name: Kind, evidence: Evidence, player: str, stage: BoundStage, said: str) -> Death:
    who = next(one for one in stage.players if one.name == player)
    return Death(name, said, evidence, tuple(_knobs(name, who, stage, evidence)), (player,))


def _all(stage: BoundStage) -> tuple[str, ...]:
    return tuple(player.name for player in stage.players)


def _owner(text: str, stage: BoundStage) -> str:
    """The player that trains the outermost network of an expression that anyone trains."""
    owners = (stage.owner(name) for name in names(parse_expression(text)))
    return next(owner for owner in owners if owner)


def _knobs(name: Kind, player: Player, stage: BoundStage, evidence: Evidence) -> Iterator[str]:
    """What usually helps, as keys of the recipe."""
    here = f"players.{player.name}"
    yield f"{here}.optimizer.lr: smaller"
    if name == "outright win":
        yield from _against(player, stage)
        return
    if name == "antipodes":
        labels = {term.label for term in player.terms if isinstance(term.loss, Divergence)}
        for label in sorted(labels):
            yield f"another divergence than {label}: agekit lab shows which see antipodes"
    brought = "a draw" if name == "constant" else "the data"
    matches = [(one, term) for one in stage.players for term in one.terms if isinstance(term.loss, Reciprocity)]
    helping = [
        f"players.{one.name}.terms.{term.name}.weight: larger"
        for one, term in matches
        if any(_brings_back(term, text, draws=name == "constant") for text in evidence)
    ]
    yield from helping or [f"a reciprocity that brings {' and '.join(evidence)} back to {brought}"]


def _brings_back(term: Term, text: str, *, draws: bool) -> bool:
    """Whether a term sets what is made of a call beside the draws, or the data, that the call was made of."""
    of, to = term.operands["of"], term.operands["to"]
    leaf = isinstance(to, Name) and bool(DRAW.match(to.name)) == draws
    return leaf and str(of) != text and text in map(str, _calls(of))


def _against(player: Player, stage: BoundStage) -> Iterator[str]:
    """What takes from one player, and gives to the others."""
    here = f"players.{player.name}"
    if player.updates > 1:
        yield f"{here}.updates: fewer"
    for term in player.terms:
        if not isinstance(term.weight, int | float) or term.weight < 0:
            yield f"{here}.terms.{term.name}.weight: nearer to 0"
    yield from (f"players.{one.name}.updates: more" for one in stage.players if one is not player)


def _calls(expression: Expression) -> Iterator[Expression]:
    yield expression
    if isinstance(expression, Call):
        for argument in expression.arguments:
            yield from _calls(argument)
