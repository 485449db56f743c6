"""The contract of losses: declared operands in, one value a sample or a scalar out."""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from .component import Component, option
from .reference import Reference
from .space import SCORE

if TYPE_CHECKING:
    from torch import Tensor


Form = Literal["samples", "reference", "distribution"]


@dataclass(frozen=True)
class Operand:
    """What a loss asks of one of its operands.

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


class Loss(Component):
    """Declared operands in; [n], one value a sample, or a scalar out.

    Pure: no state, no sign, no weight, no player, no device. The engine averages over samples, weighs and logs. One
    that draws declares a keyword `generator` (a `torch.Generator`) and draws from nothing else. Its positional
    parameters are the operands, in their declared order.
    """

    operands: ClassVar[Mapping[str, Operand]]

    @abstractmethod
    def __call__(self, *operands: Any, **drawing: Any) -> Tensor:
        """The value: [n] or []."""


class Divergence(Loss):
    """How far a cloud of codes [n, d] is from a reference or from another cloud [m, d]: a scalar.

    `compares` says what the second argument may be: a `reference`, `samples`, or `both`; one that takes samples only is
    handed draws of the reference where the recipe says `y`. One with its reference fixed is called with the codes
    alone, and so has no operand `to`.
    """

    compares: ClassVar[Literal["reference", "samples", "both"]] = "both"
    operands: ClassVar[dict[str, Operand]] = {}

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        if "operands" in cls.__dict__:
            return
        kinds = inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
        taken = [p for p in inspect.signature(cls.__call__).parameters.values() if p.kind in kinds][1:]
        cls.operands = {"of": Operand(vectors=True)}
        if len(taken) == 2:
            forms: tuple[Form, ...] = ("reference", "samples") if cls.compares == "both" else (cls.compares,)
            cls.operands["to"] = Operand(vectors=True, like="of", default="y", takes=frozenset(forms))

    def ideal(self, reference: Reference) -> float:  # noqa: ARG002 - for those that need it
        """Its value, in the limit of many codes, where the codes follow the reference exactly."""
        return 0.0


class Reciprocity(Loss):
    """How far each output is from its target: two tensors of one kind and shape -> [n]."""

    operands = {"of": Operand(), "to": Operand(like="of")}


class Adversarial(Loss):
    """What a critic's score [n] costs the one who plays a role: [n].

    `real` and `fake` are the critic's own roles, on data and on imitations; `fool` is the imitator's.
    """

    operands = {"of": Operand(kind=SCORE)}
    role: Literal["real", "fake", "fool"] = option(help="whose part is played on this score")
