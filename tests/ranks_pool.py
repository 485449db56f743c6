"""Processes that play games together: three, started once, of which two or all take part in a task."""

from __future__ import annotations

import atexit
import functools
import importlib
import math
import multiprocessing
import os
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist

import agekit
from agekit.errors import RecipeError
from agekit.game.controllers import Values
from agekit.game.normalise import Synchronised
from agekit.game.ranks import Ranks

from . import divided
from .divided import Found
from .tiny import game_of

SIZE = 3


class Pool:
    """Three processes, each with a pipe to this one."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="agekit-pool-")
        spawn = multiprocessing.get_context("spawn")
        pipes = [spawn.Pipe() for _ in range(SIZE)]
        self.pipes = [ours for ours, _ in pipes]
        meeting = str(Path(self.folder.name) / "meeting")
        self.processes = [
            spawn.Process(target=serve, args=(rank, meeting, theirs), daemon=True)
            for rank, (_, theirs) in enumerate(pipes)
        ]
        for process in self.processes:
            process.start()
        atexit.register(self.close)

    def ask(self, count: int, function: Callable[..., Any], *arguments: Any, **named: Any) -> list[Any]:
        """What a function makes on each of so many ranks."""
        for pipe in self.pipes[:count]:
            pipe.send((function.__module__, function.__name__, count, arguments, named))
        answers = [pipe.recv() for pipe in self.pipes[:count]]
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers

    def close(self) -> None:
        for process in self.processes:
            process.terminate()
            process.join()
        self.folder.cleanup()


@functools.cache
def pool() -> Pool:
    """The processes."""
    return Pool()


def of_divergence(ranks: Ranks, *arguments: Any) -> Found:
    """The updates of `divided.against` on ranks."""
    return divided.updates(divided.against(*arguments, ranks=ranks))


def normalised(ranks: Ranks, shape: tuple[int, ...], dtype: torch.dtype, sizes: tuple[int, ...]) -> list[torch.Tensor]:
    """What batch-norm makes of this rank's rows, its statistics, and gradients of first and second order."""
    whole = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(dtype) + 3
    rows = whole.split(sizes)[ranks.rank].clone().requires_grad_() if ranks.count > 1 else whole.requires_grad_()
    layer = (torch.nn.BatchNorm2d if len(shape) == 4 else torch.nn.BatchNorm1d)(shape[1], momentum=0.3).to(dtype)
    with torch.no_grad():
        layer.weight.copy_(torch.arange(1.0, shape[1] + 1))
    with Synchronised(ranks) if ranks.count > 1 else nullcontext():
        made = layer(rows)
    weights = torch.arange(whole.numel(), dtype=dtype).reshape(shape).split(sizes)
    factor = weights[ranks.rank] if ranks.count > 1 else torch.cat(weights)
    (first,) = torch.autograd.grad((made.pow(3) * factor.sin()).sum(), rows, create_graph=True)
    second = torch.autograd.grad(first.square().sum(), [rows, layer.weight])
    shared = [second[1]]
    ranks.add(shared)
    buffers = [one for one in layer.buffers() if one.is_floating_point()]
    return [made.detach(), first.detach(), second[0], shared[0], *buffers]


class Marking(agekit.Encoder):
    """An encoder that keeps the mean of what it saw last, and goes by it."""

    def build(self, sees: tuple[agekit.Space, ...], makes: agekit.Space) -> torch.nn.Module:
        return Marked(math.prod(size or 1 for size in sees[0].shape), makes.shape[0] or 1)


class Marked(torch.nn.Module):
    def __init__(self, size: int, dim: int) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(size, dim)
        self.register_buffer("mark", torch.zeros(dim))
        self.mark: torch.Tensor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = self.linear(x.flatten(1)) + self.mark
        if self.training:
            self.mark = made.detach().mean(dim=0)
        return made


def played(ranks: Ranks, steps: int, *settings: str) -> tuple[dict[str, torch.Tensor], Values]:
    """Weights, buffers and controllers' states after some steps of the tiny game, and the last terms."""
    game = divided.lively(game_of(*settings, components={"marking": ("encoders", Marking)}, ranks=ranks))
    for _ in range(steps):
        report = game.step()
    return dict(game.named_tensors()) | dict(game.controllers.named_tensors()), report.terms


def refused(ranks: Ranks, *settings: str) -> str:
    """Why a game cannot be played on ranks."""
    with pytest.raises(RecipeError) as caught:
        game_of(*settings, ranks=ranks)
    return str(caught.value)


def joined(ranks: Ranks, *sizes: int) -> torch.Tensor:
    """The rows of all ranks: each has its number, so often as it has samples."""
    return ranks.join(torch.full((sizes[ranks.rank], 2), ranks.rank), sizes)


def said(ranks: Ranks, *words: str) -> tuple[list[str], Any, bool]:
    """What each rank says, what the first one does, and whether the last one has it so."""
    ranks.wait()
    return ranks.gather(words[ranks.rank]), ranks.tell({"by": ranks.rank}), ranks.any(ranks.rank + 1 == ranks.count)


def of_recipe(ranks: Ranks, *arguments: Any, **named: Any) -> Found:
    """The updates of `divided.small` on ranks."""
    return divided.updates(divided.small(*arguments, **named, ranks=ranks))


def serve(rank: int, meeting: str, pipe: Connection) -> None:
    """Answer tasks as one of the ranks, until the pipe ends."""
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=SIZE)
    groups = {count: dist.new_group(list(range(count))) for count in range(1, SIZE + 1)}
    while True:
        try:
            module, name, count, arguments, named = pipe.recv()
        except EOFError:
            return
        try:
            function = getattr(importlib.import_module(module), name)
            group = groups[count]
            ranks = Ranks(rank, count, group, group, group, local=rank, local_count=count)
            pipe.send(function(ranks, *arguments, **named))
        except Exception as error:  # noqa: BLE001 - told to the one who asks
            pipe.send(error)
