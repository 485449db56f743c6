"""Compare AGE with its ablations and its neighbours on cartoon faces, at equal steps: docs/compare.md and its picture.

python -m benchmarks.compare [--steps 2800] [--seed 0] [--out runs/compare] [--page docs/compare.md]

Systems play two at a time, each in a process of one thread. What a finished one left in --out is kept, so that the same
command goes on where it was stopped. It needs agekit-baselines, and is written with agekit's public names alone.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from safetensors.torch import load_file

import agekit

from .compare_page import SHOWN, grid, page
from .keeping import Result, keep, kept, made_by, play, save

SYSTEMS = {
    "age_toyfaces": "AGE",
    "age_toyfaces_no_reciprocity": "no reciprocity",
    "age_toyfaces_generator_recon": "generator-recon",
    "age_toyfaces_direct": "direct",
    "age_toyfaces_mmd": "MMD",
    "vae_toyfaces": "VAE",
    "ali_toyfaces": "ALI",
    "dcgan_toyfaces": "DCGAN",
    "wae_mmd_toyfaces": "WAE-MMD",
}
PROBE, READERS = "factor_probe", ("p", "h")
BATCH = 64
ROUGH = 0.2
"""How far a sketch may be from a face: the distance, at the median, of two real faces of one kind."""


def common(given: argparse.Namespace) -> list[str]:
    """The settings that are the same for everything that is trained."""
    data = [f"data.batch={BATCH}", f"data.count={given.faces}"]
    data += [f'data.held_out={{ split = "test", count = {given.count} }}']
    return [f"run.seed={given.seed}", *data, 'compute.device="cpu"', "compute.threads=1"]


def settings(name: str, given: argparse.Namespace, threshold: float) -> list[str]:
    """A system's settings: its length, its widths, the networks of the probe, and what is measured."""
    networks = agekit.load(name).networks
    said = [*common(given), f"run.steps={given.steps}", *(f"networks.{n}.width={given.width}" for n in networks)]
    for reader in READERS:
        table = agekit.load(PROBE).document.tree["networks"][reader]
        source = {"from": str(given.out / f"{reader}.safetensors")}
        said += [f"networks.{reader}.{key}={json.dumps(value)}" for key, value in {**table, **source}.items()]
    faces = 'metric = "face_probe", of = "g(z)", factors = "p(g(z))", style = "h(g(z))"'
    said.append(f"metrics.faces={{ {faces}, threshold = {threshold}, rough = {ROUGH} }}")
    if "e" in networks:
        measures = 'reciprocity = "l1"', 'metric = "sharpness"', 'metric = "edges"'
        for measure, metric in zip(measures, ("reconstruction", "sharpness", "edges"), strict=True):
            said.append(f'metrics.{metric}={{ {measure}, of = "g(e(x))", to = "x" }}')
        said += ['metrics.codes={ divergence = "gaussian_kl", of = "e(x)" }', 'views.inputs="x"']
    return said


def probe(given: argparse.Namespace) -> Result:
    """Train the probe, and judge it on held-out faces."""
    said, path = [*common(given), f"run.steps={given.probe_steps}"], given.out / f"{PROBE}.json"
    maker = made_by(PROBE, said)
    if result := kept(path, maker):
        return result
    game = agekit.build(agekit.load(PROBE, *said))
    seconds = play(game, PROBE, game.total_steps)
    for reader in READERS:
        save(game.networks[reader].state_dict(), given.out / f"{reader}.safetensors")
    return keep(path, maker, {"seconds": seconds, "metrics": agekit.judge(game)})


def system(name: str, given: argparse.Namespace, threshold: float) -> Result:
    """Train a system, judge it, and keep pictures of it."""
    said, path = settings(name, given, threshold), given.out / f"{name}.json"
    maker = made_by(name, said)
    if result := kept(path, maker):
        return result
    game = agekit.build(agekit.load(name, *said))
    seconds = play(game, name, game.total_steps)
    views = ["samples", *(["reconstructions", "inputs"] if "e" in game.networks else [])]
    save({view: agekit.show(game, view, SHOWN).of for view in views}, path.with_suffix(".safetensors"))
    return keep(path, maker, {"seconds": seconds, "metrics": agekit.judge(game)})


def main(arguments: Sequence[str] | None = None) -> int:
    """Train what is not there yet, and write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=2800, help="of each system")
    parser.add_argument("--probe-steps", type=int, default=1500, help="of the probe")
    parser.add_argument("--width", type=int, default=8, help="of every network of the systems")
    parser.add_argument("--faces", type=int, default=8192, help="that are trained on")
    parser.add_argument("--count", type=int, default=2048, help="held-out faces, and samples, that are judged")
    parser.add_argument("--seed", type=int, default=0, help="of everything")
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS), metavar="RECIPE")
    parser.add_argument("--processes", type=int, default=2, help="side by side")
    parser.add_argument("--out", type=Path, default=Path("runs/compare"), help="where finished runs are kept")
    parser.add_argument("--page", type=Path, default=Path("docs/compare.md"), help="the picture is put beside it")
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    probed = probe(given)
    one = partial(system, given=given, threshold=probed["metrics"]["faces"]["distance_p99"])
    with ProcessPoolExecutor(given.processes, mp_context=get_context("spawn")) as pool:
        results = dict(zip(given.systems, pool.map(one, given.systems), strict=True))
    write(given, probed, results)
    print(f"{given.page} is written, {(time.perf_counter() - start) / 60:.1f} minutes after the start")
    return 0


def write(given: argparse.Namespace, probed: Result, results: Mapping[str, Result]) -> None:
    """Write the page and the picture."""
    picture = given.page.with_suffix(".png")
    protocol = {**vars(given), "picture": picture.name, "batch": BATCH, "rough": ROUGH}
    given.page.write_text(page(protocol, probed, {SYSTEMS[n]: r for n, r in results.items()}), encoding="utf-8")
    grid({SYSTEMS[name]: load_file(given.out / f"{name}.safetensors") for name in results}).save(picture)


if __name__ == "__main__":
    sys.exit(main())
