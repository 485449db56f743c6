"""Reading all samples of a source, in parallel where that pays."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agekit.contracts import BrokenSample, DataField, Source
from agekit.errors import AgekitError, ComputeError, DataError, PluginError, told

CHUNK = 64
"""How many samples are read and handed over at a time."""

WORTHWHILE_SECONDS = 3.0
"""Work expected to take less is done in this process: starting others would take as long."""

DTYPES: Mapping[str, np.dtype[Any]] = {"image": np.dtype("u1"), "classes": np.dtype("u1"), "vector": np.dtype("<f4")}
"""How the values of a field are stored."""


@dataclass(frozen=True)
class Chunk:
    """Some samples in order: their rows by field, the names of those read, and of those dropped with the reasons."""

    rows: Mapping[str, NDArray[Any]]
    names: tuple[str, ...]
    dropped: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Reader:
    """Reads spans of a source, holding each sample to the fields that its data set declares."""

    source: Source
    fields: Mapping[str, DataField]

    def __call__(self, span: range) -> Chunk:
        samples, names, dropped = [], [], []
        for index in span:
            name = self.source.name(index)
            try:
                samples.append(self.sample(index))
                names.append(name)
            except BrokenSample as error:
                dropped.append((name, str(error)))
        rows = {field: np.stack([sample[field] for sample in samples]) for field in self.fields} if samples else {}
        return Chunk(rows, tuple(names), tuple(dropped))

    def sample(self, index: int) -> Mapping[str, NDArray[Any]]:
        """Read one sample. Raises `BrokenSample`, or `PluginError` where it is not as its data set declared."""
        try:
            sample = self.source.read(index)
        except (AgekitError, BrokenSample):
            raise
        except Exception as error:
            kind = type(self.source)
            said = f"{kind.__name__} of {kind.__module__.partition('.')[0]} raised {told(error)}"
            raise PluginError(f"sample {self.source.name(index)}: {said}") from error
        for name, field in self.fields.items():
            found = sample.get(name)
            if found is None or found.dtype != DTYPES[field.values] or not _fits(found.shape, field.shape):
                shown = "nothing" if found is None else f"{found.dtype} {list(found.shape)}"
                wanted = f"{DTYPES[field.values]} {['?' if size is None else size for size in field.shape]}"
                raise PluginError(f"{self.source.name(index)}: field {name} is {shown}, where {wanted} was declared")
        return sample


def sized(reader: Reader) -> Reader:
    """Fill in the sizes that only the data knows, from the first sample that can be read."""
    if all(None not in field.shape for field in reader.fields.values()):
        return reader
    for index in range(len(reader.source)):
        try:
            sample = reader.sample(index)
        except BrokenSample:
            continue
        fields = {name: replace(field, shape=sample[name].shape) for name, field in reader.fields.items()}
        return replace(reader, fields=fields)
    raise DataError(f"none of {len(reader.source)} samples can be read")


def read_all(reader: Reader, workers: int | None) -> Iterator[Chunk]:
    """Read every sample, in order, whatever the number of workers.

    With None, the first chunk is timed, and where the rest would take long, as many processes as there are cores to
    run on share it. Raises `ComputeError` where one of them is killed.
    """
    spans = _spans(len(reader.source))
    started = time.perf_counter()
    for span in islice(spans, 1):
        yield reader(span)
    left = len(reader.source) / CHUNK - 1
    if workers is None:
        worthwhile = (time.perf_counter() - started) * left > WORTHWHILE_SECONDS
        workers = _cores() if worthwhile else 1
    if workers > 1 and left > 0:
        yield from _in_parallel(reader, spans, workers)
    else:
        yield from map(reader, spans)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _fits(found: tuple[int, ...], declared: tuple[int | None, ...]) -> bool:
    return len(found) == len(declared) and all(b is None or a == b for a, b in zip(found, declared, strict=True))


def _spans(length: int) -> Iterator[range]:
    return (range(start, min(start + CHUNK, length)) for start in range(0, length, CHUNK))


def _in_parallel(reader: Reader, spans: Iterator[range], workers: int) -> Iterator[Chunk]:
    # spawn: a fork of a process in which torch has started its threads can hang.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(reader,))
    waiting: deque[Future[Chunk]] = deque()
    try:
        for span in spans:
            waiting.append(pool.submit(_read, span))
            if len(waiting) > 4 * workers:  # no more than this is held in memory
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise ComputeError(
            "a process that read the data ended unexpectedly (out of memory, or a script without "
            "`if __name__ == '__main__'`?); one worker reads without further processes"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


_reader: Reader | None = None


def _begin(reader: Reader) -> None:
    global _reader  # the one way to hand a process of a pool something once
    _reader = reader
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that waits for this one
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when the one that started it is killed; by itself it would wait for work for ever."""
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


def _read(span: range) -> Chunk:
    if _reader is None:
        raise RuntimeError("a worker process was not set up")
    return _reader(span)
