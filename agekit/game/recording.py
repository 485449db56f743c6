"""Updates that are recorded once and replayed ever after: on CUDA as graphs, so that nothing waits for launches."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from ..errors import PluginError
from .batches import Brought
from .bound import BoundStage
from .randomness import Draws, KeptDraws, Part
from .step import Made

Work = Callable[[], None]
Play = Callable[[Draws, Brought, Mapping[str, float | Tensor]], Made]
"""An update, from its draws, its samples and the weights of its terms; it moves what its player owns."""

REHEARSALS = 2
"""So many updates are played before one is recorded: what is made once, such as optimizers' states, is there then."""


class Unrecordable(Exception):
    """Work cannot be recorded, for this reason; nothing was done."""


class Recorder(Protocol):
    """Records work on a device. `rates` is the type in which optimizers' kernels read learning rates."""

    rates: torch.dtype

    def begin(self) -> None:
        """Begin anew: whoever holds what was recorded has let go of it."""

    def rehearse(self, work: Work) -> str:
        """Do work in the way in which it will be recorded; why it cannot be, where that shows."""

    def record(self, work: Work, generators: Sequence[torch.Generator]) -> Work:
        """Record work, without doing it, and return what does it. Raises `Unrecordable`."""


class Routine:
    """An update of a player, played anew each time from the same places in memory: rehearsed, recorded, replayed.

    Where it cannot be recorded it goes on being played, and `refused` says why.
    """

    def __init__(self, recorder: Recorder, play: Play, device: torch.device, dtype: torch.dtype) -> None:
        self.recorder, self.play, self.device, self.dtype = recorder, play, device, dtype
        self.refused = ""
        self._draws = KeptDraws(device)
        self._brought: dict[str, Tensor] = {}
        self._weights: dict[str, Tensor] = {}
        self._put_last: dict[str, float] = {}
        self._made: Made | None = None
        self._rehearsed = 0
        self._replay: Work | None = None

    def __call__(self, key: tuple[Part, ...], brought: Brought, weights: Mapping[str, float | Tensor]) -> Made:
        """Play the update of this key."""
        self._draws.turn(*key)
        self._put(brought, weights)
        if self._replay is None and self._rehearsed == REHEARSALS and not self.refused:
            self._record()
            self._draws.turn(*key)
        if self._replay is not None:
            self._replay()
            return self._left().copied()  # the next replay writes over what it left
        if self.refused:
            self._work()
            return self._left()
        reason = self.recorder.rehearse(self._work)
        self._rehearsed += 1
        self.refused = reason if self._rehearsed == REHEARSALS else ""
        return self._left()

    def _work(self) -> None:
        self._made = self.play(self._draws, self._brought, self._weights)

    def _left(self) -> Made:
        assert self._made is not None  # noqa: S101 - it was played
        return self._made

    def _record(self) -> None:
        try:
            self._replay = self.recorder.record(self._work, self._draws.generators)
        except Unrecordable as error:
            self.refused = str(error)
            self._draws = KeptDraws(self.device)  # those that were given away may count as captured for ever

    def _put(self, brought: Brought, weights: Mapping[str, float | Tensor]) -> None:
        """Put samples and weights where the recording reads them, without waiting for the device."""
        for name, value in brought.items():
            if name not in self._brought:
                self._brought[name] = torch.empty_like(value)
            self._brought[name].copy_(value, non_blocking=True)
        for name, weight in weights.items():
            if name not in self._weights:
                kind = weight.dtype if isinstance(weight, Tensor) else self.dtype
                self._weights[name] = torch.zeros((), dtype=kind, device=self.device)
            if isinstance(weight, Tensor):
                self._weights[name].copy_(weight)
            elif self._put_last.get(name) != weight:
                self._weights[name].fill_(weight)
                self._put_last[name] = weight


class CudaGraphs:
    """Records on a CUDA device: every recording is a graph, all of them share their memory, and replay one by one."""

    rates = torch.float32

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.begin()

    def begin(self) -> None:
        """Take another pool of memory: one that all recordings have let go of cannot be recorded into again."""
        self._stream = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
        self._pool = torch.cuda.graph_pool_handle()

    def rehearse(self, work: Work) -> str:
        """Do work on the stream where it will be recorded; where it waits for the device, and so cannot be."""
        here = torch.cuda.current_stream(self.device)
        self._stream.wait_stream(here)
        try:
            with torch.cuda.stream(self._stream), waits() as found:
                work()
        finally:  # who goes on after an error must not overtake what it left under way
            here.wait_stream(self._stream)
        return found[0] if found else ""

    def record(self, work: Work, generators: Sequence[torch.Generator]) -> Work:
        """Capture work as a graph, which draws from these generators as they stand when it is replayed."""
        here, graph = torch.cuda.current_stream(self.device), torch.cuda.CUDAGraph()
        for one in generators:
            graph.register_generator_state(one)
        try:  # other threads may go on pinning memory
            with torch.cuda.graph(graph, self._pool, self._stream, capture_error_mode="thread_local"):
                work()
        except (RuntimeError, PluginError) as error:
            torch.cuda.set_stream(here)
            own = torch.cuda.default_generators[self.device.index or 0]
            own.graphsafe_set_state(torch.Generator(self.device).graphsafe_get_state())  # or it counts as captured
            self.begin()
            if isinstance(error, torch.OutOfMemoryError):
                raise
            raise Unrecordable(str(error).splitlines()[0]) from error
        return graph.replay


@contextmanager
def waits() -> Iterator[list[str]]:
    """Meanwhile, whatever waits for the CUDA device is noted, with the line of code that does."""
    found: list[str] = []
    before = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield found
        finally:
            torch.cuda.set_sync_debug_mode(before)
    for one in caught:
        if "synchronizing CUDA operation" in str(one.message):
            found.append(f"{Path(one.filename).name}, line {one.lineno}, waits for the device")
        elif "Synchronization debug mode" not in str(one.message):
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)


def unrecordable(optimizer: torch.optim.Optimizer, stage: BoundStage) -> str:
    """Why no update of a player can be recorded, whatever it computes; empty where nothing speaks against it."""
    if stage.sentinel.skips:
        return "sentinel.skips: to know what is to be skipped, each update waits for the device"
    if not all(group.get("fused") for group in optimizer.param_groups):
        return "its optimizer is not one kernel that reads its learning rate on the device"
    return ""


def make_recordable(optimizer: torch.optim.Optimizer, rates: torch.dtype, device: torch.device) -> None:
    """Let an optimizer read its learning rate on the device, and know that it will be recorded."""
    optimizer._warned_capturable_if_run_uncaptured = True  # rehearsals are no mistake
    for group in optimizer.param_groups:
        group["lr"] = torch.full((), float(group["lr"]), dtype=rates, device=device)
        if "capturable" in group:
            group["capturable"] = True
