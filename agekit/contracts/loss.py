"""The contract of losses: declared operands in, one value a sample or a scalar out."""

from __future__ import annotations

import inspect
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from .component import option
from .operand import Form, Measure, Operand
from .reference import Reference
from .space import SCORE

if TYPE_CHECKING:
    from torch import Tensor


class Loss(Measure):
    """Declared operands in; [n], one value a sample, or a scalar out.

    Pure: no state, no sign, no weight, no player, no device. The engine averages over samples, weighs and logs. One
    that draws declares a keyword `generator` (a `torch.Generator`) and draws from nothing else. Its positional
    parameters are the operands, in their declared order.
    """

    @property
    def samplewise(self) -> bool:
        """Whether it makes one value a sample, of that sample alone, so that a batch can be taken in portions.

        `samplewise: ClassVar[bool] = True` says so of a whole class.
        """
        return False

    @abstractmethod
    def __call__(self, *operands: Any, **drawing: Any) -> Tensor:
        """The value: [n] or []."""


@dataclass(frozen=True)
class Law:
    """What is known of a law of codes: its mean [d] and covariance [d, d], in float64, and whether it is normal."""

    mean: Tensor
    covariance: Tensor
    normal: bool


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

    def limit(self, reference: Reference, law: Law) -> float | None:  # noqa: ARG002 - for those that know it
        """Its value against a reference, in the limit of many codes of a law of which so much is known.

        None, the default, where that does not tell the value. `agekit lab` shows errors against it.
        """
        return None


class Reciprocity(Loss):
    """How far each output is from its target: two tensors of one kind and shape -> [n]."""

    samplewise: ClassVar[bool] = True
    operands = {"of": Operand(), "to": Operand(like="of")}


class Adversarial(Loss):
    """What a critic's score [n] costs the one who plays a role: [n].

    `real` and `fake` are the critic's own roles, on data and on imitations; `fool` is the imitator's.
    """

    samplewise: ClassVar[bool] = True
    operands = {"of": Operand(kind=SCORE)}
    role: Literal["real", "fake", "fool"] = option(help="whose part is played on this score")
