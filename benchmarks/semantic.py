"""Measure the semantic loss: AGE with and without it, on the same seeds and compute, for docs/semantic.md.

python -m benchmarks.semantic [--steps 300] [--seeds 3] [--faces FOLDER] [--out runs/semantic] [--page docs/semantic.md]

Runs play two at a time, each in a process of one thread. What a finished one left in --out is kept, so that the same
command goes on where it was stopped. --faces, or AGEKIT_CELEBAMASK, names a folder of real faces with parse maps;
without it this part is left out, and the page says so. It needs agekit-semantic, and uses agekit's public names alone.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from safetensors.torch import load_file
from torch.utils.flop_counter import FlopCounterMode

import agekit

from .keeping import Result, keep, kept, made_by, play, save
from .semantic_page import SHOWN, grid, page

RECIPE = "age_toyfaces_semantic"
AGREE = '{ loss = "parse_agreement", of = "s(g(e(x)))", to = "s(x)", weight = 1 }'
RECONSTRUCT = '{ reciprocity = "l1", of = "g(e(x))", to = "x", weight = 5 }'
ARMS: dict[str, tuple[str, ...]] = {
    "none": (),
    "encoder": (f"players.encoder.terms.agree={AGREE}",),
    "generator": (f"players.generator.terms.agree={AGREE}",),
    "pixels": (f"players.generator.terms.reconstruct={RECONSTRUCT}",),
}
"""Who carries the agreement; and, without it, the generator that is given L_X: it, too, is told of single samples."""

PARSERS = {"s": 0, "q": 1}
"""The parser of the loss, and another that judges it; the seeds from which they are trained."""

METRICS = {
    "own_iou": '{ metric = "iou", of = "s(g(e(x)))", to = "parse(s(x))" }',
    "iou": '{ metric = "iou", of = "q(g(e(x)))", to = "parse(q(x))" }',
    "layout": '{ divergence = "energy", of = "areas(q(g(z)))", to = "areas(q(x))" }',
    "l1": '{ reciprocity = "l1", of = "g(e(x))", to = "x" }',
    "sharpness": '{ metric = "sharpness", of = "g(e(x))", to = "x" }',
    "codes": '{ divergence = "kl_sphere", of = "e(x)" }',
    "fakes": '{ divergence = "kl_sphere", of = "e(g(z))" }',
}


@dataclass(frozen=True)
class World:
    """A data set: its settings, its held-out samples, the parser's recipe and depth, and lengths in steps."""

    name: str
    data: tuple[str, ...]
    held_out: str
    parser: str
    depth: int
    parser_steps: int
    steps: int
    seeds: int

    def settings(self, seed: int) -> list[str]:
        """What is the same for everything that is trained on it."""
        return [
            *self.data,
            f"data.held_out={self.held_out}",
            f"run.seed={seed}",
            'compute.device="cpu"',
            "compute.threads=1",
        ]


@dataclass(frozen=True)
class Job:
    """A game to be played: after how many steps it is judged, by the name of each row that this makes."""

    world: World
    arm: str
    seed: int
    marks: Mapping[str, int]

    @property
    def name(self) -> str:
        """What its result is kept under."""
        return f"{self.world.name}-{self.arm}-{self.seed}"

    def settings(self, out: Path) -> list[str]:
        """Narrow networks, learning rates for a short run, both parsers frozen, the agreement with its carriers."""
        said = [*self.world.settings(self.seed), f"run.steps={max(self.marks.values())}", "data.batch=32"]
        said += ["networks.g.width=16", "networks.e.width=16"]
        said += [f"players.{player}.optimizer.lr=1e-3" for player in ("encoder", "generator")]
        for name in PARSERS:
            source = out / f"{self.world.name}-{name}.safetensors"
            said.append(
                f'networks.{name}={{ parser = "unet", width = 16, depth = {self.world.depth}, from = "{source}" }}'
            )
        said += ["metrics.parses=false", *(f"metrics.{name}={table}" for name, table in METRICS.items())]
        return [*said, "players.generator.terms.agree=false", *ARMS[self.arm]]


def train(parser: tuple[World, str], out: Path) -> Result:
    """Train one of the parsers, and judge it on held-out faces."""
    world, name = parser
    said = [*world.settings(PARSERS[name]), f"run.steps={world.parser_steps}", f"networks.s.depth={world.depth}"]
    path, maker = out / f"{world.name}-{name}.json", made_by(world.parser, said)
    if result := kept(path, maker):
        return result
    game = agekit.build(agekit.load(world.parser, *said))
    seconds = play(game, path.stem, game.total_steps)
    save(game.networks["s"].state_dict(), path.with_suffix(".safetensors"))
    return keep(path, maker, {"seconds": seconds, "metrics": agekit.judge(game)["parses"]})


def compare(job: Job, out: Path) -> Result:
    """Play a game, and judge it at each of its marks; pictures of the first seed are kept, too."""
    said, path = job.settings(out), out / f"{job.name}.json"
    maker = made_by(RECIPE, said, job.marks)
    if result := kept(path, maker):
        return result
    game, rows = agekit.build(agekit.load(RECIPE, *said)), {}
    for row, steps in sorted(job.marks.items(), key=lambda mark: mark[1]):
        seconds = play(game, job.name, steps)
        rows[row] = {metric: main_value(values) for metric, values in agekit.judge(game).items()}
        if steps == job.world.steps and job.seed == 0:
            shown = agekit.show(game, "parses", SHOWN), agekit.show(game, "reconstructions", SHOWN)
            names = ("parses", "true_parses", "reconstructions", "inputs")
            pictures = [picture for pair in shown for picture in (pair.of, pair.beside) if picture is not None]
            save(dict(zip(names, pictures, strict=True)), path.with_suffix(".safetensors"))
    return keep(path, maker, {"seconds": seconds, "rows": rows})


def main_value(values: Mapping[str, float]) -> float:
    """The number of a metric that stands in the table: the mean of several classes, or the first."""
    return values["mean_iou"] if "mean_iou" in values else next(iter(values.values()))


def jobs_of(world: World, out: Path) -> list[Job]:
    """Every arm with every seed. AGE alone goes on until it has had the operations of either arm with the agreement."""
    costs = {arm: flops(Job(world, arm, 0, {arm: world.steps}), out) for arm in ("none", "encoder", "generator")}
    marks = {arm: {arm: world.steps} for arm in ARMS}
    for arm in ("encoder", "generator"):
        marks["none"][f"none, as {arm}"] = round(world.steps * costs[arm] / costs["none"])
    return [Job(world, arm, seed, marks[arm]) for seed in range(world.seeds) for arm in ARMS]


def flops(job: Job, out: Path) -> int:
    """The floating-point operations of a step, forwards and backwards, as torch counts them."""
    game = agekit.build(agekit.load(RECIPE, *job.settings(out)))
    with FlopCounterMode(display=False) as counter:
        game.step()
    return int(counter.get_total_flops())


def worlds(given: argparse.Namespace) -> list[World]:
    """The generated faces, and real ones where they are at hand."""
    toy = ('data.dataset="toyfaces"', "data.size=32", "data.count=4096")
    held_out = '{ split = "test", count = 1024 }'
    found = [World("toyfaces", toy, held_out, "parser_toyfaces", 2, given.parser_steps, given.steps, given.seeds)]
    if given.faces:
        real = ('data.dataset="celebamask"', "data.size=32", f"data.root={json.dumps(given.faces)}", "data.flip=true")
        steps = given.face_parser_steps, given.face_steps, given.face_seeds
        found.append(World("celebamask", real, '{ split = "test" }', "parser_faces", 3, *steps))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Train what is not there yet, and write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=300, help="of each game on generated faces")
    parser.add_argument("--seeds", type=int, default=3, choices=range(1, 9), help="of each game on generated faces")
    parser.add_argument("--parser-steps", type=int, default=800, help="of each parser of generated faces")
    parser.add_argument("--faces", default=os.environ.get("AGEKIT_CELEBAMASK", ""), help="folder of real faces")
    parser.add_argument("--face-steps", type=int, default=200, help="of each game on real faces")
    parser.add_argument("--face-seeds", type=int, default=3, choices=range(1, 9), help="of each game on real faces")
    parser.add_argument("--face-parser-steps", type=int, default=300, help="of each parser of real faces")
    parser.add_argument("--processes", type=int, default=2, help="side by side")
    parser.add_argument("--out", type=Path, default=Path("runs/semantic"), help="where finished runs are kept")
    parser.add_argument("--page", type=Path, default=Path("docs/semantic.md"), help="the picture is put beside it")
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    start, there = time.perf_counter(), worlds(given)
    with ProcessPoolExecutor(given.processes, mp_context=get_context("spawn")) as pool:
        parsers = [(world, name) for world in there for name in PARSERS]
        trained = dict(zip(parsers, pool.map(partial(train, out=given.out), parsers), strict=True))
        jobs = [job for world in there for job in jobs_of(world, given.out)]
        played = dict(zip([job.name for job in jobs], pool.map(partial(compare, out=given.out), jobs), strict=True))
    write(given, {f"{world.name}-{name}": result for (world, name), result in trained.items()}, played, jobs)
    print(f"{given.page} is written, {(time.perf_counter() - start) / 60:.1f} minutes after the start")
    return 0


def write(
    given: argparse.Namespace, parsers: Mapping[str, Result], played: Mapping[str, Result], jobs: Sequence[Job]
) -> None:
    """Write the page, and the picture, which shows generated faces only."""
    rows: dict[str, dict[str, list[Mapping[str, float]]]] = {}
    marks: dict[str, dict[str, int]] = {}
    for job in jobs:
        for row, values in played[job.name]["rows"].items():
            rows.setdefault(job.world.name, {}).setdefault(row, []).append(values)
            marks.setdefault(job.world.name, {})[row] = job.marks[row]
    picture = given.page.with_suffix(".png")
    given.page.write_text(page({**vars(given), "picture": picture.name}, parsers, rows, marks), encoding="utf-8")
    grid({arm: load_file(given.out / f"toyfaces-{arm}-0.safetensors") for arm in ARMS}).save(picture)


if __name__ == "__main__":
    sys.exit(main())
