"""Two ranks equal one on the joined batch: checked by two processes of a real process group, started once."""

from __future__ import annotations

import atexit
import functools
import multiprocessing
import os
import sys
import tempfile
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from ..contracts import SHELVES
from .losses import close, is_samplewise, shown, value_and_slope
from .operands import DIM, Batch, Example, N
from .subject import Broken, NotApplicable, Subject
from .worlds import first_examples

RANKS = 2
START_SECONDS, ANSWER_SECONDS = 300.0, 60.0
"""How long the processes are waited for: at first, and for an answer."""
Places = tuple[str, ...]
Request = tuple[list[str], str, str, Places, Places]
"""Where modules are looked for, a shelf's key, and the places of a component, of references and of data sets."""


def ranks(subject: Subject) -> None:
    """On each of two ranks a loss of the gathered batch is that of one process; a samplewise one is, of own samples.

    So nothing may be taken from the rank, from its own part of the batch, or from its own past; and no gradient may be
    lost on the way between ranks.
    """
    examples = first_examples(subject)
    joined = [value_and_slope(example.value, example.draw(N, DIM)) for example in examples]
    references, datasets = (tuple(map(place, classes)) for classes in (subject.references, subject.datasets))
    answers = _pair().ask((sys.path, subject.shelf.key, place(subject.component), references, datasets))
    for index, (example, (whole, slope)) in enumerate(zip(examples, joined, strict=True)):
        for rank, answer in enumerate(answers):
            value, found = (torch.tensor(numbers, dtype=whole.dtype) for numbers in answer[index])
            part = _rows_of(rank) if is_samplewise(example.measure) else slice(None)
            wanted = whole[part] if whole.ndim else whole
            for what, here, there in (("", value, wanted), ("the gradient ", found, slope[part])):
                if not close(here, there, 1e-9):
                    changed = f"{what}{shown(there)} on the joined batch becomes {shown(here)}"
                    raise Broken(f"{example}: {changed} on rank {rank} of {RANKS}")


def place(component: type) -> str:
    """Where another process finds a class. Raises `NotApplicable` where it cannot."""
    found: Any = sys.modules.get(component.__module__)
    for part in component.__qualname__.split("."):
        found = getattr(found, part, None)
    if found is not component or component.__module__ == "__main__":
        raise NotApplicable("another process cannot import it; a class at the top level of a module can be")
    return f"{component.__module__}:{component.__qualname__}"


def _found(place: str) -> Any:
    module, _, name = place.partition(":")
    return functools.reduce(getattr, name.split("."), import_module(module))


class Pair:
    """Two processes in one group, each with a pipe to this one."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="agekit-ranks-")
        spawn = multiprocessing.get_context("spawn")
        pipes = [spawn.Pipe() for _ in range(RANKS)]
        self.pipes = [ours for ours, _ in pipes]
        meeting = str(Path(self._folder.name) / "meeting")
        self.processes = [
            spawn.Process(target=serve, args=(rank, meeting, theirs), daemon=True)
            for rank, (_, theirs) in enumerate(pipes)
        ]
        for process in self.processes:
            process.start()
        for _, theirs in pipes:
            theirs.close()
        atexit.register(self.close)
        self._answers(START_SECONDS)

    def ask(self, request: Request) -> list[list[Any]]:
        """What each rank makes of a component. Raises `Broken` where one fails or does not answer."""
        for pipe in self.pipes:
            pipe.send(request)
        answers = self._answers(ANSWER_SECONDS)
        for rank, (problem, _) in enumerate(answers):
            if problem:
                raise Broken(f"on rank {rank} of {RANKS} it raised {problem}")
        return [values for _, values in answers]

    def _answers(self, seconds: float) -> list[tuple[str, list[Any]]]:
        """An answer of each; where one is missing, both are ended, and others are started when they are needed."""
        try:
            if all(pipe.poll(seconds) for pipe in self.pipes):
                return [pipe.recv() for pipe in self.pipes]
        except EOFError:
            seconds = 0
        self.close()
        _pair.cache_clear()
        raise Broken(f"two ranks gave no answer: {f'{seconds:.0f} s are over' if seconds else 'one of them has ended'}")

    def close(self) -> None:
        """End the processes."""
        for pipe in self.pipes:
            pipe.close()
        for process in self.processes:
            process.terminate()
            process.join()
        self._folder.cleanup()


@functools.cache
def _pair() -> Pair:
    return Pair()


def serve(rank: int, meeting: str, pipe: Connection) -> None:
    """Answer requests as one rank of the group, until the pipe ends."""
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(RANKS))
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=RANKS)
    pipe.send(("", []))
    while True:
        try:
            request: Request = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(("", _answer(rank, request)))
        except Exception as error:  # noqa: BLE001 - told to the one who asks
            pipe.send((f"{type(error).__name__}: {error}", []))


def _answer(rank: int, request: Request) -> list[Any]:
    sys.path[:], key, component, *others = request
    shelf = next(shelf for shelf in SHELVES if shelf.key == key)
    subject = Subject(shelf, "", _found(component), *(tuple(map(_found, places)) for places in others))
    return [[part.tolist() for part in _on(rank, example)] for example in first_examples(subject)]


def _rows_of(rank: int) -> slice:
    return slice(rank * (N // RANKS), (rank + 1) * (N // RANKS))


def _on(rank: int, example: Example) -> tuple[Tensor, Tensor]:
    """The loss of the batch that is gathered from the ranks, or, of a samplewise one, of this rank's own samples."""
    part = example.draw(N, DIM).rows(_rows_of(rank))
    if not is_samplewise(example.measure):
        part = Batch(tuple(map(_gathered, part.raws)), DIM)
    return value_and_slope(example.value, part)


def _gathered(part: Tensor) -> Tensor:
    parts = [torch.empty_like(part) for _ in range(RANKS)]
    dist.all_gather(parts, part.contiguous())
    return torch.cat(parts)
