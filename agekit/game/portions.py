"""A batch in portions: which of its samples are computed together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload


@dataclass(frozen=True)
class Portion:
    """The samples of a batch, from `start` up to `stop`, that are computed together."""

    start: int
    stop: int
    batch: int

    @property
    def rows(self) -> slice:
        return slice(self.start, self.stop)

    @property
    def size(self) -> int:
        return self.stop - self.start

    @property
    def share(self) -> float:
        """What its mean counts in the mean of the batch."""
        return self.size / self.batch

    @property
    def whole(self) -> bool:
        """Whether it is the batch."""
        return self.size == self.batch


@dataclass(frozen=True)
class Portions(Sequence[Portion]):
    """A batch in so many portions, the first of which may have a sample more; each is made when it is asked for."""

    batch: int
    number: int

    def __len__(self) -> int:
        return self.number

    @overload
    def __getitem__(self, index: int) -> Portion: ...
    @overload
    def __getitem__(self, index: slice) -> list[Portion]: ...
    def __getitem__(self, index: int | slice) -> Portion | list[Portion]:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(self.number))]
        if not -self.number <= index < self.number:
            raise IndexError(index)
        index %= self.number
        size, larger = divmod(self.batch, self.number)
        start = index * size + min(index, larger)
        return Portion(start, start + size + (index < larger), self.batch)


def portions(batch: int, most: int | None, ranks: int = 1) -> Portions:
    """A batch in as few portions of at most so many samples as there can be, the same number for each rank.

    Those of a rank come one after another; no two sizes differ by more than one. Raises `ValueError` where there are
    more portions than samples.

    >>> [portion.size for portion in portions(130, 64)], [portion.size for portion in portions(130, 64, ranks=2)]
    ([44, 43, 43], [33, 33, 32, 32])
    """
    most = most or -(-batch // ranks)
    count = ranks * -(-batch // (ranks * most))
    if count > batch:
        raise ValueError(f"a batch of {batch} cannot be divided among {ranks} ranks in portions of at most {most}")
    return Portions(batch, count)
