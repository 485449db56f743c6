"""Operands: what a loss or a metric asks of the expressions that a recipe binds to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from .component import Component

Form = Literal["samples", "reference", "distribution"]


@dataclass(frozen=True)
class Operand:
    """What a loss or a metric asks of one of its operands.

    kind: the kind it must have; None takes any.
    like: the operand whose kind and shape it must have exactly.
    scores: the operand, of a field of classes, for which it must hold a score a class.
    default: the expression, where the recipe says none; without one, the recipe must say it.
    vectors: one sample is a vector, so that a batch is [n, d].
    takes: which forms it may have: plain samples, the reference itself, or a network's distribution. What is offered
        in a form that it does not take is sampled first.
    differentiated: the loss itself takes derivatives with respect to it, so that it is handed over requiring them.
    """

    kind: str | None = None
    like: str | None = None
    scores: str | None = None
    default: str | None = None
    vectors: bool = False
    takes: frozenset[Form] = frozenset({"samples"})
    differentiated: bool = False


class Measure(Component):
    """Declared operands, to which a recipe binds expressions: a loss or a metric."""

    operands: ClassVar[Mapping[str, Operand]]
