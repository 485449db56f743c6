"""Candidates: divergences as the command line names them, and what each is handed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor

from ..contracts import Component, Divergence, Reference, draws
from ..errors import Problem, RecipeError
from ..game.bind import Binder, keys_of
from ..game.blame import blamed, sampled
from ..game.randomness import Part, generator
from ..recipe.compose import value_of
from ..recipe.source import Document
from ..registry import Registries

BETWEEN_OPTIONS = re.compile(r",(?![^\[]*\])")
"""A comma that is in no list."""

C = TypeVar("C", bound=Component)


@dataclass(frozen=True)
class Candidate:
    """A divergence with its options, labelled as it was named.

    Where `drawn`, codes are compared with as many draws of the reference, in the place of the reference itself.
    """

    label: str
    divergence: Divergence
    drawn: bool

    def value(self, codes: Tensor, reference: Reference, *key: Part) -> Tensor:
        """What codes [n, d] come to: a scalar. What is drawn for it is a function of the key.

        Raises `ValueError` where the divergence does not take these codes, or this reference.
        """
        operands: list[Any] = [codes]
        if self.drawn:
            operands.append(sampled(reference, len(codes), generator(codes.device, *key, "z2")).to(codes.dtype))
        elif "to" in self.divergence.operands:
            operands.append(reference)
        chance = {"generator": generator(codes.device, *key)} if draws(type(self.divergence).__call__) else {}
        with self.blamed():
            return self.divergence(*operands, **chance).mean()

    def gradient(self, value: Tensor, codes: Tensor) -> Tensor:
        """The gradient of a value by the codes; 0 where it does not depend on them."""
        if not value.requires_grad:
            return torch.zeros_like(codes)
        with self.blamed():
            return torch.autograd.grad(value, codes)[0]

    def blamed(self) -> AbstractContextManager[None]:
        """Meanwhile, what the divergence raises names it; a `ValueError`, by which it refuses, stays one."""
        return blamed(f"divergence {self.label}", self.divergence)


def candidate(text: str, registries: Registries) -> Candidate:
    """The divergence that `mmd`, `mmd:kernel=rbf,scales=[1, 2]` or `mmd:to=z2` names.

    `to` says, as in a recipe, what codes are compared with: the reference `y`, or draws `z2` of it. Raises
    `RecipeError` with everything that is wrong.
    """
    label, table = parsed(text)
    to = table.pop("to", "y")
    divergence = component(Divergence, label, table, registries)
    operands = divergence.operands
    takes = operands["to"].takes if "to" in operands else frozenset()
    if operands.keys() - {"of", "to"}:
        raise _wrong(label, "", f"takes {', '.join(operands)}: the lab has codes alone")
    if to not in ("y", "z2"):
        raise _wrong(label, "to", f"found {to!r}, where y, the reference, or z2, draws of it, fits")
    if to == "z2" and "samples" not in takes:
        raise _wrong(label, "to", "found 'z2', and it takes no samples to compare with")
    return Candidate(label, divergence, drawn=to == "z2" or ("to" in operands and "reference" not in takes))


def candidates(texts: Iterable[str], registries: Registries) -> list[Candidate]:
    """All that are named; none that is named twice."""
    found = {each.label: each for each in (candidate(text, registries) for text in texts)}
    return list(found.values())


def reference_of(text: str, dim: int, registries: Registries) -> Reference:
    """The reference that `sphere` names, in this dimension. Raises `RecipeError` where there is none."""
    label, table = parsed(text)
    return component(Reference, label, {"dim": dim, **table}, registries)


def parsed(text: str) -> tuple[str, dict[str, Any]]:
    """A name with its options, without blanks, and the table of both, the name under the empty key.

    >>> parsed("mmd:kernel=rbf, scales=[1, 2]")
    ('mmd:kernel=rbf,scales=[1,2]', {'': 'mmd', 'kernel': 'rbf', 'scales': [1, 2]})
    """
    label = "".join(text.split())
    name, _, rest = label.partition(":")
    table: dict[str, Any] = {"": name}
    for part in BETWEEN_OPTIONS.split(rest) if rest else ():
        option, found, value = part.partition("=")
        if not found or not option:
            raise _wrong(label, "", f"found {part!r}, where OPTION=VALUE fits")
        table[option] = value_of(value)
    return label, table


def component(contract: type[C], label: str, table: dict[str, Any], registries: Registries) -> C:
    """The component of a parsed table. Raises `RecipeError`, as for a recipe that has this table."""
    binder = Binder(Document({}, {(): label}), registries)
    options = {name: value for name, value in table.items() if name}
    bound = binder.component(contract, {keys_of(contract)[0]: table[""], **options}, ())
    if bound is None or binder.problems:
        raise RecipeError(binder.problems)
    return bound[1]


def _wrong(label: str, key: str, message: str) -> RecipeError:
    return RecipeError([Problem(key, message, label)])
