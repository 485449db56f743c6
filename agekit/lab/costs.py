"""Costs: time and memory of one call of a divergence, and how they grow."""

from __future__ import annotations

import math
import statistics
import time
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ..contracts import Reference
from ..game.blame import sampled
from ..game.randomness import Part, generator
from . import memory
from .candidates import Candidate
from .measure import CPU, Settings

CALLS = 5
"""Calls of which the fastest counts, after a first one that does not."""

GROWTH = (1, 2, 4)
"""Multiples of the batch, and of the dimension, by which the exponents are fitted."""


@dataclass(frozen=True)
class Cost:
    """One call on n codes of a dimension: its time forward and backward, and the memory above the codes.

    Times are those of the processor, in all threads together: what else runs on the machine is not in them.
    """

    label: str
    batch: int
    dim: int
    forward_seconds: float
    backward_seconds: float
    peak_bytes: int


@dataclass(frozen=True)
class Scaling:
    """The exponents of a candidate: both passes take time as n^time_n and d^time_d; memory likewise."""

    label: str
    time_n: float
    time_d: float
    memory_n: float
    memory_d: float


Resized = Callable[[int], Reference]
"""The reference, in another dimension."""


def costs(candidate: Candidate, resized: Resized, settings: Settings) -> list[Cost]:
    """The costs at each batch size that the candidate takes, and at the sizes and dimensions that show its growth."""
    dim, largest = settings.reference.dim, settings.largest
    sizes = [(n, dim) for n in (*settings.batches, *(largest * factor for factor in GROWTH))]
    sizes += [(largest, dim * factor) for factor in GROWTH]
    measured = []
    for n, d in dict.fromkeys(sizes):
        with suppress(ValueError):  # it may not take so few codes of so many dimensions, or not fit into memory
            measured.append(cost(candidate, resized(d), n, settings.seed))
    return measured


def cost(candidate: Candidate, reference: Reference, batch: int, seed: int) -> Cost:
    """The least time of several calls, and the memory of one. Raises `ValueError` where these codes are not taken."""
    with memory.refusing(f"a call on {batch:,} codes of dimension {reference.dim}"):
        codes = sampled(reference, batch, generator(CPU, seed, "costs", batch)).requires_grad_()
        key = seed, "costs"
        with Peak(codes) as peak:
            candidate.gradient(candidate.value(codes, reference, *key), codes)
        timed = [_timed(candidate, codes, reference, *key) for _ in range(CALLS)]
    forward, backward = (min(seconds) for seconds in zip(*timed, strict=True))
    return Cost(candidate.label, batch, reference.dim, forward, backward, peak.most)


def scaling(label: str, measured: Sequence[Cost], settings: Settings) -> Scaling:
    """Fit the exponents to the costs of one candidate; nan where there are fewer than two sizes."""
    dim, largest = settings.reference.dim, settings.largest
    by_n = [(each.batch, each) for each in measured if each.dim == dim and each.batch >= largest]
    by_d = [(each.dim, each) for each in measured if each.batch == largest]
    return Scaling(
        label,
        slope([(n, each.forward_seconds + each.backward_seconds) for n, each in by_n]),
        slope([(d, each.forward_seconds + each.backward_seconds) for d, each in by_d]),
        slope([(n, each.peak_bytes) for n, each in by_n]),
        slope([(d, each.peak_bytes) for d, each in by_d]),
    )


def slope(points: Sequence[tuple[float, float]]) -> float:
    """The exponent b of y = a x^b through these points, by least squares of logarithms.

    >>> round(slope([(1, 3), (2, 12), (4, 48)]), 6)
    2.0
    """
    if len(points) < 2 or any(y <= 0 for _, y in points):
        return math.nan
    return statistics.linear_regression([math.log(x) for x, _ in points], [math.log(y) for _, y in points]).slope


def _timed(candidate: Candidate, codes: Tensor, reference: Reference, *key: Part) -> tuple[float, float]:
    start = time.process_time()
    value = candidate.value(codes, reference, *key)
    between = time.process_time()
    candidate.gradient(value, codes)
    return between - start, time.process_time() - between


class Peak(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts, while it is entered, the bytes of all tensors alive at once beside those given: `most` is the peak.

    What an operation needs inside itself and frees again does not show. The count is the same on every machine.
    """

    def __init__(self, *given: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.alive = self.most = 0
        self._seen = weakref.WeakSet(tensor.untyped_storage() for tensor in given)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call an operation of torch, and note what it made."""
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor) and (storage := tensor.untyped_storage()) not in self._seen:
                self._seen.add(storage)
                self.alive += storage.nbytes()
                weakref.finalize(storage, self._free, storage.nbytes())
        self.most = max(self.most, self.alive)
        return made

    def _free(self, count: int) -> None:
        self.alive -= count
