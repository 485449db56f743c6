"""The contract of metrics: declared operands in, one row a sample, and named numbers of all rows."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .operand import Measure
from .space import Space

if TYPE_CHECKING:
    from torch import Tensor


class Metric(Measure):
    """What is judged, and never trained: numbers of all samples together, made of what is kept of each.

    Pure, like a loss. `rows` is called on one batch after another, without autograd, and its positional parameters are
    the operands in their declared order; `values` is called once. A value that is not finite is reported as it is.
    """

    @abstractmethod
    def rows(self, *operands: Any) -> Tensor:
        """What is kept of each sample of a batch: [n, …]. Raises `ValueError` where the operands do not fit."""

    @abstractmethod
    def values(self, rows: Tensor, spaces: Mapping[str, Space]) -> Mapping[str, float]:
        """The numbers, by name, of the rows of all samples, which are in the CPU's memory.

        `spaces` are those of the operands: the names of classes, for one, are in there.
        """
