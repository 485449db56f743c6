"""Samples that are gathered ahead, where the data does not fit on the device."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from torch import Tensor

Gathered = dict[str, Tensor]
Gather = Callable[[int], Gathered]
"""From a step to what its batch is made of, in memory from which it sets out without anybody waiting."""


class Ahead:
    """Gathers the batches of each stream one step ahead, in a thread of its own."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "agekit-ahead")
        self._coming: dict[str, tuple[int, Future[Gathered]]] = {}

    def take(self, stream: str, step: int, last: int, gather: Gather) -> Gathered:
        """The batch of a step, gathered by now where steps follow one another; the next is begun, up to the last."""
        known, coming = self._coming.pop(stream, (-1, None))
        now = coming.result() if coming and known == step else gather(step)
        if step < last:
            self._coming[stream] = step + 1, self._thread.submit(gather, step + 1)
        return now
