"""Check a CUDA device, and measure agekit's speed on it: docs/benchmarks/<device>.md, in less than eight minutes.

python -m benchmarks.gpu check [--device cuda] [--seconds 90] [--steps 2000] [--out docs/benchmarks]

What the device computes is held against the CPU in float64 first. With `--device cpu` the same code runs where there is
no such device; what needs one is then said not to be taken.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from .correct import Check, checks
from .data_path import Epochs, data_row
from .games import Maker
from .machine import cores, machine, slug
from .page import write
from .rounds import HOUSE
from .rows import Goal, Row, table
from .steps import Plan, step_rows
from .whole import PUBLISHED, rate_row
from .worker import Setup

GOALS = {
    "tf32": Goal(4, at_least=True),
    "bf16": Goal(8, at_least=True),
    "by hand": Goal(1.03, at_least=False),
    "attainable": Goal(0.5, at_least=True),
    "data": Goal(100, at_least=True),
    "memory": Goal(0.8, at_least=False),
}
NOT_HERE = "this is no CUDA device"


def measured(given: argparse.Namespace, device: torch.device) -> Iterator[Row]:
    """Every row, as it is taken."""
    cuda = device.type == "cuda"
    setup = Setup(
        "engine",
        device=str(device),
        threads=given.threads,
        width=given.width,
        batch=given.batch,
        images=max(256, given.images),
    )
    plan = Plan(setup, "wall", given.seconds, given.repeats, GOALS if cuda else {}, "tf32", apart=not given.together)
    yield from step_rows(plan)
    epochs = Epochs(device, given.images, given.batch, given.threads, given.rounds, "wall")
    yield data_row(GOALS["data"] if cuda else None, epochs)
    for one in PUBLISHED:
        if cuda or given.scale < 1:
            widths = [f"networks.{name}.width={given.width}" for name in "eg"]
            row = rate_row(one, device, given.steps, widths, given.scale)
            yield row if cuda else Row(row.measure, row.goal, note=NOT_HERE)
        else:
            yield Row(f"the whole published {one.said}", one.goal, note=NOT_HERE)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.gpu check", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--seconds", type=float, default=90, help="for the steps; five rounds are taken anyway")
    parser.add_argument("--steps", type=int, default=2000, help="by which the rates of whole recipes are taken")
    parser.add_argument("--repeats", type=int, default=20, help="steps that a contender takes in its turn")
    parser.add_argument("--rounds", type=int, default=5, help="of the data")
    parser.add_argument("--threads", type=int, default=cores(), help="of every contender")
    parser.add_argument("--width", type=int, default=64, help="of the networks; the goals are for 64")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--images", type=int, default=8192, help="files that are made up")
    parser.add_argument("--scale", type=float, default=1, help="share of the published recipes' images")
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out, which takes a minute")
    parser.add_argument("--only-correct", action="store_true", help="measure no speed")
    parser.add_argument("--together", action="store_true", help="all contenders in one process, for a quick look")
    parser.add_argument("--out", type=Path, default=HOUSE / "docs" / "benchmarks")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Check, measure, and write the page; the status is 1 where something is computed wrongly."""
    given, began = parse(arguments), time.monotonic()
    device = torch.device(given.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        print(f"no CUDA device here: {torch.__version__} sees none; --device cpu runs the same code", file=sys.stderr)
        return 2
    torch.set_num_threads(given.threads)
    found: list[Check] = []
    for check in checks(Maker(device, min(given.width, 16), min(given.batch, 16)), compiled=not given.no_compile):
        found.append(check)
        print(" | ".join(check.cells()), flush=True)
    wrong = [check for check in found if check.holds is False]
    rows: list[Row] = []
    for row in measured(given, device) if not (wrong or given.only_correct) else ():
        rows.append(row)
        print(f"{row.measure}: {row.cells()[3]} (goal {row.goal or 'none'})", flush=True)
    told = machine(device, given.threads) | {"took": f"{time.monotonic() - began:.0f} s"}
    path = write(given.out, slug(device), f"Speed on {slug(device)}", "make gpu-check", told, rows, found)
    print(f"\n{table(rows)}\n{path}")
    for check in wrong:
        print(f"WRONG: {check.what}: {check.found}", file=sys.stderr)
    return 1 if wrong else 0
