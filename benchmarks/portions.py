"""Measure a step of a recipe in portions of its batch: peak memory and time, each size in a process of its own.

python -m benchmarks.portions [--recipe age_celeba] [--batch 512] [--sizes 512 128 64 32] [--device cpu]
                              [--precision fp32] [--steps 1]

Samples are noise of the data set's shapes. Every player takes its turns once to warm up on a GPU, and not on a CPU; the
memory is what the process took at most on a CPU, beyond what it had with the networks built, and what tensors took at
most on a GPU, the networks included.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np
import torch

import agekit
from agekit.game.game import Game
from agekit.train.compute import prepare_compute

MB = 2**20


def built(recipe: str, batch: int, size: int, device: str, precision: str) -> Game:
    """The game, on noise."""
    whole = agekit.load(recipe)
    stages = [f"stages.{i}.data.batch={batch}" for i in range(len(whole.stages)) if "stages" in whole.document.tree]
    settings = (f"data.batch={batch}", *stages, f"compute.micro_batch={size}", f'compute.device="{device}"')
    bound = agekit.load(recipe, *settings, f'compute.precision="{precision}"', "compute.deterministic=false")
    fields = bound.dataset.fields()
    chance = np.random.default_rng(0)
    arrays = {
        name: chance.integers(0, len(field.classes) or 256, (2 * batch, *(s or 64 for s in field.shape)), np.uint8)
        for name, field in fields.items()
    }
    return Game(bound, arrays, fields, prepare_compute(bound.compute))


def measured(given: argparse.Namespace, size: int) -> dict[str, float]:
    """Seconds and CPU seconds of a step, and MiB at most."""
    game = built(given.recipe, given.batch, size, given.device, given.precision)
    if on_gpu := game.device.type == "cuda":
        game.step()
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start, cpu = time.perf_counter(), time.process_time()
    for _ in range(given.steps):
        game.step()
    if on_gpu:
        torch.cuda.synchronize()
    peak = torch.cuda.max_memory_allocated() / MB if on_gpu else None
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    seconds, cpu = (time.perf_counter() - start) / given.steps, (time.process_time() - cpu) / given.steps
    return {"seconds": seconds, "cpu_seconds": cpu, "mebibytes": after - before if peak is None else peak}


def main() -> None:
    """Measure every size in turn, and print a row of each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--recipe", default="age_celeba")
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 128, 64, 32])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--steps", type=int, default=1)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measured(given, given.one)))
        return
    print(f"{given.recipe}, batch {given.batch}, {given.device}, {given.precision}: a step")
    print(f"{'portion':>8} {'MiB':>8} {'seconds':>9} {'CPU seconds':>12}")
    for size in given.sizes:
        command = [sys.executable, "-m", "benchmarks.portions", *sys.argv[1:], "--one", str(size)]
        made = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603 - ourselves
        row = json.loads(made.splitlines()[-1])
        print(f"{size:>8} {row['mebibytes']:>8.0f} {row['seconds']:>9.3f} {row['cpu_seconds']:>12.2f}", flush=True)


if __name__ == "__main__":
    main()
