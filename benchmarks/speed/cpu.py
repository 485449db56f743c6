"""Measure agekit's speed on the CPU: docs/benchmarks/cpu.md and cpu.json, in less than ten minutes on two quiet cores.

python -m benchmarks.speed.cpu [--threads N] [--clock wall|cpu] [--seconds 300] [--out docs/benchmarks]

On a machine that others use, too, `--threads 1 --clock cpu` counts the seconds that the processor spends.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from agekit.train.compute import has_bf16

from .data_path import Epochs, data_row
from .machine import cores, machine
from .page import write
from .rounds import HOUSE
from .rows import Goal, Row, table
from .start import start_row
from .steps import Plan, step_rows
from .worker import Setup

GOALS = {
    "fp32": Goal(1.3, at_least=True),
    "bf16": Goal(2.1, at_least=True),
    "by hand": Goal(1.03, at_least=False),
    "attainable": Goal(0.75, at_least=True),
    "data": Goal(30, at_least=True),
    "start": Goal(1.3, at_least=False),
    "memory": Goal(0.8, at_least=False),
}


def measured(given: argparse.Namespace) -> Iterator[Row]:
    """Every row, as it is taken."""
    setup = Setup("engine", threads=given.threads, width=given.width, batch=given.batch, images=max(256, given.images))
    yield start_row(GOALS["start"], given.clock, given.rounds)
    epochs = Epochs(torch.device("cpu"), given.images, given.batch, given.threads, given.rounds, given.clock)
    yield data_row(GOALS["data"], epochs)
    lacks = "" if has_bf16() else "this processor has no instructions for it, and takes minutes a step"
    yield from step_rows(Plan(setup, given.clock, given.seconds, 1, GOALS, apart=not given.together, no_bf16=lacks))


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--threads", type=int, default=cores(), help="of every contender")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="by which ratios are taken")
    parser.add_argument("--seconds", type=float, default=300, help="for the steps; five rounds are taken anyway")
    parser.add_argument("--rounds", type=int, default=7, help="of the other rows")
    parser.add_argument("--width", type=int, default=64, help="of the networks; the goals are for 64")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--images", type=int, default=1024, help="files that are made up")
    parser.add_argument("--together", action="store_true", help="all contenders in one process, for a quick look")
    parser.add_argument("--out", type=Path, default=HOUSE / "docs" / "benchmarks")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Measure, saying each row as it is taken, and write the page."""
    given, began = parse(arguments), time.monotonic()
    torch.set_num_threads(given.threads)
    rows = []
    for row in measured(given):
        rows.append(row)
        print(f"{row.measure}: {row.cells()[3]} (goal {row.goal or 'none'})", flush=True)
    told = machine(torch.device("cpu"), given.threads)
    told["clock"] = "seconds as they pass" if given.clock == "wall" else "seconds that the processor spends"
    told["took"] = f"{time.monotonic() - began:.0f} s"
    made_by = "make bench" + (f' ARGS="{" ".join(arguments)}"' if arguments else "")
    path = write(given.out, "cpu", "Speed on the CPU", made_by, told, rows)
    print(f"\n{table(rows)}\n{path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
