"""The published recipes whole: their rates, by many steps at full size; and, by themselves, from data to the last step.

python -m benchmarks.gpu recipes [--device cuda] [--steps N] [--celeba FOLDER] [--cifar10 FOLDER]

Pictures are made up where no folder is given, as many and in the layout of the official ones.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from agekit.game.bound import length_of
from agekit.game.game import Game
from agekit.game.step import Coming
from agekit.game.vitals import Monitor
from agekit.report.metrics import read_metrics
from agekit.train.compute import prepare_compute

from .data_path import made_up
from .games import recipe_of
from .machine import machine, slug
from .page import write
from .rounds import HOUSE
from .rows import Goal, Row

LOOKED_AT = 50
"""So often terms and vital signs are asked for while a rate is taken, and read a step later, as a run does."""


@dataclass(frozen=True)
class Published:
    """A published recipe: what it trains on, how long it may take, and how many of its steps its rate is taken by."""

    recipe: str
    said: str
    images: int
    side: int
    goal: Goal


PUBLISHED = (
    Published("age_celeba", "CelebA recipe, 162,770 images, 5 + 1 epochs", 162_770, 64, Goal(60, False, "s")),
    Published("age_cifar10", "CIFAR-10 recipe, 50,000 images, 150 epochs", 50_000, 32, Goal(180, False, "s")),
)


def rate_row(one: Published, device: torch.device, steps: int, settings: Sequence[str] = (), scale: float = 1) -> Row:
    """The seconds that all steps of a recipe would take, by the rate of so many of each stage."""
    recipe = recipe_of(one.recipe, f"compute.device={device}", *settings)
    count = int(one.images * scale)
    pictures = np.random.default_rng(0).integers(0, 256, (count, 3, one.side, one.side), dtype=np.uint8)
    game = Game(recipe, {"x": pictures}, {"x": recipe.dataset.fields()["x"]}, prepare_compute(recipe.compute))
    total, told = 0.0, []
    for position, stage in enumerate(game.recipe.stages):
        if position:
            game.enter(position)
        length = length_of(stage, one.images)
        seconds = step_seconds(game, steps)
        total += seconds * length
        told.append(f"{length:,} steps at batch {stage.batch}, {1000 * seconds:.3g} ms each")
    return Row(
        f"the whole published {one.said}",
        one.goal,
        (total,),
        f"{total:.1f} s",
        note=f"{'; '.join(told)}; by the rate of {steps:,} steps, terms and vital signs asked for every {LOOKED_AT}; "
        "without pictures and checkpoints",
    )


def step_seconds(game: Game, steps: int) -> float:
    """The seconds of a step, by so many as the stage has, after ten of them, or a few where there are few."""
    first = min(10, game.stage_steps // 2)
    steps = min(steps, game.stage_steps - first)
    for _ in range(first):
        game.step()
    wait(game.device)
    monitor, asked = Monitor(game), list[Coming]()
    start = time.perf_counter()
    for number in range(1, steps + 1):
        report = game.step()
        for one in asked:
            one.read()
        asked = [report.ask(game.device), monitor.ask(report.terms)] if number % LOOKED_AT == 0 else []
    wait(game.device)
    return (time.perf_counter() - start) / steps


def wait(device: torch.device) -> None:
    """Wait until the device has done all it was told to."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def whole_row(one: Published, folder: Path, runs: Path, settings: Sequence[str]) -> Row:
    """A run from its data to its last step, by the command that everybody uses."""
    said = [f"data.root={folder}", *settings]
    command = [sys.executable, "-m", "agekit", "run", one.recipe, "--out", str(runs), "--name", one.recipe]
    start = time.perf_counter()
    subprocess.run(  # noqa: S603 - this very code
        [*command, *(word for setting in said for word in ("--set", setting))],
        check=True,
        cwd=HOUSE,
        env={**os.environ, "AGEKIT_CACHE": str(runs / "cache"), "PYTHONPATH": os.pathsep.join([str(HOUSE), *sys.path])},
    )
    seconds = time.perf_counter() - start
    lines = list(read_metrics(runs / one.recipe / "metrics.jsonl"))
    last = lines[-1]
    terms = {f"{player}.{name}": f"{value:.3g}" for player, of in last["terms"].items() for name, value in of.items()}
    return Row(
        f"the whole published {one.said}",
        one.goal,
        (last["clock"]["elapsed_seconds"],),
        f"{last['clock']['elapsed_seconds']:.1f} s",
        f"with the data and the start {seconds:.1f} s",
        note=f"{last['step']:,} steps with all that a run writes; at its end {json.dumps(terms)}",
    )


def cifar(folder: Path, count: int) -> Path:
    """Random pictures in CIFAR-10's binary layout: five files that hold as many together."""
    place = folder / "cifar-10-batches-bin"
    place.mkdir(parents=True)
    random = np.random.default_rng(0)
    for number in range(1, 6):
        records = random.integers(0, 256, (count // 5, 1 + 3 * 32 * 32), dtype=np.uint8)
        records[:, 0] %= 10
        (place / f"data_batch_{number}.bin").write_bytes(records.tobytes())
    return folder


def main(arguments: Sequence[str]) -> int:
    """Train both recipes, and write a page."""
    parser = argparse.ArgumentParser(prog="benchmarks.gpu recipes", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--celeba", type=Path, help="a folder of CelebA, in its official layout")
    parser.add_argument("--cifar10", type=Path, help="a folder of CIFAR-10, in an official layout")
    parser.add_argument("--images", type=int, help="so many made-up pictures of each, and no more")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of both recipes; repeatable")
    parser.add_argument("--out", type=Path, default=HOUSE / "docs" / "benchmarks")
    given = parser.parse_args(arguments)
    device, rows = torch.device(given.device), []
    with TemporaryDirectory() as temporary:
        makers = {"age_celeba": (given.celeba, made_up), "age_cifar10": (given.cifar10, cifar)}
        for one in PUBLISHED:
            there, make = makers[one.recipe]
            folder = there or make(Path(temporary) / one.recipe, given.images or one.images)
            settings = [f"compute.device={device}", *given.set]
            row = whole_row(one, folder.resolve(), Path(temporary) / "runs", settings)
            rows.append(row)
            print(f"{row.measure}: {row.cells()[3]} (goal {row.goal})", flush=True)
    told = machine(device, torch.get_num_threads())
    told["pictures"] = "made up, in the official layouts" if not (given.celeba or given.cifar10) else "as given"
    print(write(given.out, f"{slug(device)}-recipes", "The published recipes, whole", "make gpu-recipes", told, rows))
    return 0
