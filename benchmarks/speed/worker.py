"""One contender in a process of its own, which takes steps when it is told to, and says how long they took.

It reads lines of JSON from its standard input and answers each with one. A process of its own keeps a contender's
allocator, threads and peak memory apart from the others', and a word between steps lets contenders alternate.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
import torch._dynamo  # which every optimizer imports at its first step: no part of what is measured
from torch import Tensor

from agekit.game.game import Game
from agekit.memory import keep_memory
from agekit.train.compute import prepare_compute

from ..pairwise import peak, resident
from .by_hand import ByHand, Convolutions, captured
from .games import recipe_of
from .reference import DIM, Reference, on_sphere


@dataclass(frozen=True)
class Setup:
    """Who steps, where, and how precisely."""

    contender: str
    precision: str = "fp32"
    device: str = "cpu"
    threads: int = 1
    width: int = 64
    batch: int = 64
    images: int = 1024
    recipe: str = "age_celeba"
    settings: tuple[str, ...] = ()

    def line(self) -> str:
        """As a worker reads it."""
        return json.dumps(asdict(self))


Step = Callable[[], Any]

ENDLESS = 10**6
"""Epochs that no benchmark comes to the end of."""


def made_up(images: int, side: int = 64) -> np.ndarray:
    """Random pictures, uint8 [images, 3, side, side]."""
    return np.random.default_rng(0).integers(0, 256, (images, 3, side, side), dtype=np.uint8)


def engine(setup: Setup, pictures: np.ndarray) -> Step:
    """agekit's own step."""
    recipe = recipe_of(
        setup.recipe,
        f"compute.precision={setup.precision}",
        f"compute.device={setup.device}",
        f"compute.threads={setup.threads}",
        f"data.batch={setup.batch}",
        f"stages.0.epochs={ENDLESS}",
        *(f"networks.{name}.width={setup.width}" for name in "eg"),
        *setup.settings,
    )
    game = Game(recipe, {"x": pictures}, {"x": recipe.dataset.fields()["x"]}, prepare_compute(recipe.compute))
    return game.step


def reference(setup: Setup, pictures: np.ndarray) -> Step:
    """The reference loop, its pictures in memory; whether convolutions round to TF32 is left as torch has it."""
    torch.set_num_threads(setup.threads)
    torch.backends.cudnn.benchmark = True
    device = torch.device(setup.device)
    images = torch.from_numpy(pictures).to(device)

    def draw_x() -> Tensor:
        return images[torch.randint(len(images), (setup.batch,), device=device)].float().div_(127.5).sub_(1)

    return Reference(setup.width, device, draw_x, _codes(setup, device)).step


def by_hand(setup: Setup, pictures: np.ndarray) -> Step:
    """The step written by hand with the engine's tricks, as repeatable as the engine's."""
    device = _prepared(setup)
    keep_memory()
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    images = torch.from_numpy(pictures).to(device)

    least, middle = torch.tensor([-1.0, 127.5], device=device)

    def draw_x() -> Tensor:
        chosen = images[torch.randint(len(images), (setup.batch,), device=device)]
        if device.type == "cpu":  # where bytes are laid out sooner than floats
            return torch.stack(chosen.unbind(1), dim=-1).permute(0, 3, 1, 2).div(127.5).sub_(1)
        values = torch.empty(chosen.shape, device=device, memory_format=torch.channels_last)
        return torch.addcdiv(least, chosen, middle, out=values)

    half, graphs = setup.precision == "bf16", device.type == "cuda"
    return ByHand(setup.width, device, draw_x, _codes(setup, device), half=half, graphs=graphs).step


def convolutions(setup: Setup, _: np.ndarray) -> Step:
    """The convolutions alone, channels last."""
    return _convolutions(setup, channels_last=True)


def contiguous_convolutions(setup: Setup, _: np.ndarray) -> Step:
    """The convolutions alone, channels first."""
    return _convolutions(setup, channels_last=False)


def _convolutions(setup: Setup, *, channels_last: bool) -> Step:
    device, half = _prepared(setup), setup.precision == "bf16"
    keep_memory()
    alone = Convolutions(setup.width, setup.batch, device, half=half, channels_last=channels_last)
    return captured(alone.step) if device.type == "cuda" else alone.step


CONTENDERS: Mapping[str, Callable[[Setup, np.ndarray], Step]] = {
    "engine": engine,
    "reference": reference,
    "by hand": by_hand,
    "convolutions": convolutions,
    "contiguous convolutions": contiguous_convolutions,
}


def _prepared(setup: Setup) -> torch.device:
    """The device, with threads and TF32 as the engine sets them, and nothing else of its settings."""
    torch.set_num_threads(setup.threads)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = setup.precision != "fp32"
    torch.backends.cudnn.benchmark = True
    return torch.device(setup.device)


def _codes(setup: Setup, device: torch.device) -> Callable[[], Tensor]:
    return lambda: on_sphere(torch.randn(setup.batch, DIM, device=device))


class Meter:
    """Takes steps of a contender; its memory is counted from when the pictures are there and nothing is built.

    On CUDA it is what is kept of the device, recordings included, once the first steps are taken: what was tried
    before, such as the workspaces of algorithms, has been given back by then.
    """

    def __init__(self, setup: Setup) -> None:
        self.device = torch.device(setup.device)
        pictures = made_up(setup.images)
        recipe_of(setup.recipe)  # all that is imported for it, whoever the contender is
        self.before = resident() if self.device.type == "cpu" else pictures.nbytes / 2**20
        self._warm = False
        self.step = CONTENDERS[setup.contender](setup, pictures)

    def take(self, steps: int) -> dict[str, float]:
        """The seconds of a step, as they pass and on the CPU."""
        self._wait()
        start, cpu_start = time.perf_counter(), time.process_time()
        for _ in range(steps):
            self.step()
        self._wait()
        seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
        if self.device.type == "cuda" and not self._warm:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.device)
        self._warm = True
        return {"seconds": seconds / steps, "cpu_seconds": cpu_seconds / steps}

    def memory(self) -> dict[str, float]:
        """The most memory so far, in MB, above what was there before; on the CPU also with that."""
        if self.device.type == "cuda":
            return {"above": torch.cuda.max_memory_reserved(self.device) / 2**20 - self.before}
        return {"above": peak() - self.before, "whole": peak()}

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def main() -> int:
    """Answer until the input ends."""
    read = json.loads(sys.stdin.readline())
    meter = Meter(Setup(**{**read, "settings": tuple(read["settings"])}))
    answers = sys.stdout
    sys.stdout = sys.stderr  # so that nothing else is said there
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        answer = meter.memory() if asked == "memory" else meter.take(asked)
        print(json.dumps(answer), file=answers, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
