"""The contracts of metrics: rows of samples, or whole sets of them, in; named numbers out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from .operand import Measure
from .space import Space

if TYPE_CHECKING:
    from torch import Tensor


class Judged(Measure):
    """What is judged, and never trained: numbers, by name, of all samples together.

    Pure, like a loss. A value that is not finite is reported as it is.
    """

    def provenance(self) -> Mapping[str, str]:
        """What its numbers depend on besides its operands and options, for protocols: the hash of fixed weights."""
        return {}


class Metric(Judged):
    """What is judged, and never trained: numbers of all samples together, made of what is kept of each.

    `rows` is called on one batch after another, without autograd, and its positional parameters are the operands in
    their declared order; `values` is called once. A value that is not finite is reported as it is.
    """

    @abstractmethod
    def rows(self, *operands: Any) -> Tensor:
        """What is kept of each sample of a batch: [n, …]. Raises `ValueError` where the operands do not fit."""

    @abstractmethod
    def values(self, rows: Tensor, spaces: Mapping[str, Space]) -> Mapping[str, float]:
        """The numbers, by name, of the rows of all samples, which are in the CPU's memory.

        `spaces` are those of the operands: the names of classes, for one, are in there.
        """


class Comparison(Judged):
    """What is judged of whole sets of samples, such as features of generated pictures beside those of real ones.

    No sample of one set belongs to one of another, so that they may differ in number. It is called once, with what the
    operands come to on all their samples, in the CPU's memory. One that draws declares a keyword `generator`, as a loss
    does. `on` says of which data it is where it is named on the command line: of that which was trained on, or, by
    default, of that which is held out.
    """

    on: ClassVar[Literal["training"] | None] = None

    @abstractmethod
    def __call__(self, *sets: Any, **drawing: Any) -> Mapping[str, float]:
        """The numbers, by name, of sets [n, …], [m, …]. Raises `ValueError` where these do not fit."""
