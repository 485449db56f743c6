"""What `agekit search` takes. Optuna is not imported before it is called."""

from __future__ import annotations

import argparse
from pathlib import Path


def search(given: argparse.Namespace) -> int:
    """Search values of a recipe."""
    from .command import search

    return search(given)


def arguments(command: argparse.ArgumentParser) -> None:
    """What the command takes."""
    command.add_argument("recipe", metavar="RECIPE", help="a recipe's file, or the name of one that is shipped")
    command.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="override a value; repeatable")
    command.add_argument(
        "--over",
        metavar="KEY=RANGE",
        action="append",
        required=True,
        help="a key, and choices (32,64), or a range (1..8, 0.1..0.9, 1e-4..1e-2:log); repeatable",
    )
    goal = command.add_mutually_exclusive_group(required=True)
    goal.add_argument("--lowest", metavar="METRIC.VALUE", help="the number that is to be low; without VALUE, the first")
    goal.add_argument("--highest", metavar="METRIC.VALUE", help="the number that is to be high")
    command.add_argument("--trials", metavar="N", type=int, default=20, help="end with so many in all (default: 20)")
    command.add_argument(
        "--out", metavar="RUNS", type=Path, default=Path("runs"), help="folder of runs (default: runs)"
    )
    command.add_argument(
        "--name", metavar="NAME", help="name of its folder (default: made of the recipe and what is searched)"
    )
    command.add_argument("--storage", metavar="URL", help="a database, for several machines (default: a file)")
    pruners = ("none", "median", "halving")
    command.add_argument("--pruner", choices=pruners, default="none", help="end what lags behind early (default: none)")
    command.add_argument("--sampler", choices=("tpe", "random"), default="tpe", help="default: tpe")
    command.add_argument("--steps", metavar="N", type=int, help="end each run after N steps")
    command.add_argument("--seed", metavar="S", type=int, help="of every run (run.seed), and of what is tried")
    command.add_argument("--device", metavar="D", help="auto, cpu, cuda, cuda:1 (compute.device)")
    command.add_argument("--retry", action="store_true", help="try again what failed before")
    command.add_argument("--dry-run", action="store_true", help="only show what would be searched")
    command.add_argument("--trust", action="store_true", help="run exported programs (from = FILE.pt2), which are code")
    command.add_argument("--json", action="store_true", help="one line of JSON for each trial that ends")
