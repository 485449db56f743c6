"""The processes that play one game together, each on its own part of every batch, and what passes between them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from ..errors import LostRank


@dataclass(frozen=True)
class Ranks:
    """One of `count` processes; alone, it exchanges nothing.

    `tensors` is the group over which tensors pass. What is no tensor of the game passes without the device: `votes`,
    where all are to come at about the same time, so that one who does not is lost; and `words`, where the others wait
    for the first without end, whatever it is at, and it for them with `patience`. Everything here is called by all
    ranks, in the same order. `local` is the rank's number among the `local_count` of its machine.
    """

    rank: int = 0
    count: int = 1
    tensors: dist.ProcessGroup | None = None
    votes: dist.ProcessGroup | None = None
    words: dist.ProcessGroup | None = None
    patience: timedelta = timedelta(minutes=10)
    local: int = 0
    local_count: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the rank that writes and speaks."""
        return self.rank == 0

    def join(self, rows: Tensor, sizes: Sequence[int]) -> Tensor:
        """The rows of all ranks, of which each has as many as `sizes` says, one rank's below another's."""
        if self.count == 1:
            return rows
        padded = rows.new_zeros(max(sizes), *rows.shape[1:])
        padded[: len(rows)] = rows
        parts = [torch.empty_like(padded) for _ in sizes]
        with lost():
            dist.all_gather(parts, padded, group=self.tensors)
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    def add(self, tensors: Iterable[Tensor]) -> None:
        """Replace each tensor by its sum over all ranks."""
        if self.count == 1:
            return
        for group in _alike(tensors):
            flat = torch.cat([one.reshape(-1) for one in group])
            with lost():
                dist.all_reduce(flat, group=self.tensors)
            _unpack(flat, group)

    def spread(self, tensors: Iterable[Tensor]) -> None:
        """Replace each tensor by that of the first rank."""
        if self.count == 1:
            return
        for group in _alike(tensors):
            flat = torch.cat([one.reshape(-1) for one in group])
            with lost():
                dist.broadcast(flat, group=self.tensors, group_src=0)
            _unpack(flat, group)

    def any(self, said: bool) -> bool:
        """Whether it is so on some rank."""
        if self.count == 1:
            return said
        votes = torch.tensor(int(said))
        with lost():
            dist.all_reduce(votes, group=self.votes)
        return bool(votes)

    def gather(self, word: Any) -> list[Any]:
        """What each rank says, in their order: anything that JSON can hold."""
        if self.count == 1:
            return [word]
        own = _written(word)
        with lost():
            sizes = [torch.zeros(1, dtype=torch.int64) for _ in range(self.count)]
            dist.all_gather(sizes, torch.tensor([len(own)]), group=self.votes)
            padded = torch.zeros(int(max(sizes)), dtype=torch.uint8)
            padded[: len(own)] = own
            parts = [torch.empty_like(padded) for _ in sizes]
            dist.all_gather(parts, padded, group=self.votes)
        return [_read(part[: int(size)]) for part, size in zip(parts, sizes, strict=True)]

    def tell(self, word: Any = None) -> Any:
        """What the first rank says; the others wait for it without end."""
        if self.count == 1:
            return word
        said = _written(word)
        with lost():
            size = torch.tensor([len(said)])
            self._from_first(size)
            said = said if self.first else torch.empty(int(size), dtype=torch.uint8)
            self._from_first(said)
        return _read(said)

    def _from_first(self, word: Tensor) -> None:
        work = dist.broadcast(word, group=self.words, group_src=0, async_op=True)
        if work is not None:
            work.wait(self.patience) if self.first else work.wait()

    def wait(self) -> None:
        """Wait without end until all ranks are here."""
        if self.count > 1:
            with lost():
                dist.all_reduce(torch.zeros(1), group=self.words)


ALONE = Ranks()


@contextmanager
def lost() -> Iterator[None]:
    """Meanwhile, a rank that does not answer is a `LostRank`."""
    try:
        yield
    except RuntimeError as error:
        raise LostRank(f"another rank has ended: {str(error).splitlines()[0]}") from error


def _written(word: Any) -> Tensor:
    return torch.frombuffer(bytearray(json.dumps(word).encode()), dtype=torch.uint8)


def _read(word: Tensor) -> Any:
    return json.loads(bytes(word.tolist()))


def _alike(tensors: Iterable[Tensor]) -> list[list[Tensor]]:
    """The tensors by their type: those of one type pass at once."""
    groups: dict[torch.dtype, list[Tensor]] = {}
    for one in tensors:
        groups.setdefault(one.dtype, []).append(one)
    return list(groups.values())


@torch.no_grad()
def _unpack(flat: Tensor, into: Sequence[Tensor]) -> None:
    for one, part in zip(into, torch.split(flat, [one.numel() for one in into]), strict=True):
        one.copy_(part.view_as(one))


class Added(torch.autograd.Function):
    """The sum of each rank's tensor; its gradient is the sum of all ranks' gradients, at any order of derivatives."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, ranks: Ranks) -> Tensor:
        ctx.ranks = ranks
        summed = tensor.clone()
        ranks.add([summed])
        return summed

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return added(gradients[0], ctx.ranks), None


def added(tensor: Tensor, ranks: Ranks) -> Tensor:
    """The sum of each rank's tensor, which can be differentiated: each rank's loss is a part of one."""
    summed: Tensor = Added.apply(tensor, ranks)  # type: ignore[no-untyped-call]
    return summed
