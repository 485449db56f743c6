"""What the commands take that judge, compare, show and export runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .argument import add, trust


def evaluation(commands: Any) -> None:
    """`agekit eval`."""
    judged = add(commands, "eval", "evaluation", "judge a run: every number with its protocol", "evaluate_run")
    judged.add_argument("run", metavar="RUN", type=Path, help="the run's folder; it may still be training")
    judged.add_argument(
        "--metrics",
        metavar="NAME",
        nargs="+",
        help="metrics of its recipe, of what views suggest, or registered ones, such as fid (default: the first two)",
    )
    judged.add_argument(
        "--seeds", metavar="N", type=int, default=3, help="take each so often, of other draws (default: 3)"
    )
    judged.add_argument("--count", metavar="N", type=int, help="samples of data (default: what is held out, or 1024)")
    judged.add_argument(
        "--generated", metavar="N", type=int, help="samples made of draws (default: as many as of data)"
    )
    judged.add_argument("--split", metavar="S", help="the part of the data set, such as test, or: training")
    judged.add_argument(
        "--batch-norm", choices=("recalibrated", "running", "batch"), help="statistics (default: as the recipe says)"
    )
    judged.add_argument("--which", choices=("last", "best"), help="which checkpoint (default: both that are there)")
    judged.add_argument("--weights", choices=("raw", "ema"), help="put running averages for networks, or the reverse")
    judged.add_argument(
        "--extractor", metavar="NAME", help="the operator that features are taken by, such as inception"
    )
    judged.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="metrics.NAME={ … }, data.root; repeatable"
    )
    judged.add_argument("--device", metavar="D", help="auto, cpu, cuda, cuda:1")
    trust(judged)
    judged.add_argument("--json", action="store_true", help="one line of JSON for each checkpoint")


def comparing(commands: Any) -> None:
    """Runs beside one another."""
    runs = add(commands, "runs", "comparing", "list runs: recipe, seed, age, steps, state, metrics")
    runs.add_argument("runs", metavar="RUNS", type=Path, nargs="?", default=Path("runs"), help="default: runs")
    runs.add_argument("--json", action="store_true", help="one line of JSON for each run")
    compare = add(
        commands, "compare", "compare", "show how runs, or groups of seeds, differ: recipes, compute, numbers"
    )
    compare.add_argument(
        "runs",
        metavar="RUN",
        nargs="+",
        help="a run, a folder of runs, a pattern, or how their names begin",
    )
    compare.add_argument("--metrics", metavar="NAME", nargs="+", help="these metrics alone")
    compare.add_argument("--pictures", metavar="FILE", type=Path, help="views of all, of the same draws and data")
    compare.add_argument("--device", metavar="D", help="auto, cpu, cuda, cuda:1, for pictures")
    trust(compare)
    compare.add_argument("--json", action="store_true", help="all of it as one line of JSON")
    report = add(commands, "report", "reporting", "write one page about runs: curves, pictures, numbers, recipes")
    report.add_argument(
        "runs", metavar="RUN", type=Path, nargs="+", help="runs, or folders of runs; they may still be training"
    )
    report.add_argument(
        "-o", "--out", metavar="FILE", type=Path, default=Path("report.html"), help="default: report.html"
    )


def upkeep(commands: Any) -> None:
    """Looking after runs' folders."""
    verify = add(
        commands, "verify", "verifying", "check that all of a run's files are as they were written", "verify_runs"
    )
    verify.add_argument("runs", metavar="RUN", type=Path, nargs="+", help="runs' folders, or those of several runs")
    verify.add_argument("--json", action="store_true", help="one line of JSON for each run")


def looking(commands: Any) -> None:
    """Looking at a run."""
    sample = _seen(commands, "sample", "looking", "draw pictures from a run", "samples.png")
    sample.add_argument("--n", metavar="N", type=int, default=64, help="how many (default: 64)")
    sample.add_argument("--seed", metavar="S", type=int, help="other draws (default: those of the run's pictures)")
    _seen(commands, "reconstruct", "looking", "pass your own pictures through a run", "reconstructions.png", "+")
    ways = _seen(
        commands, "interpolate", "looking", "go from picture to picture, or from draw to draw", "ways.png", "*"
    )
    ways.add_argument("--n", metavar="N", type=int, default=8, help="ways between draws (default: 8)")
    ways.add_argument("--steps", metavar="N", type=int, default=8, help="of each way, ends included (default: 8)")
    ways.add_argument("--seed", metavar="S", type=int, help="other draws (default: those of the run's pictures)")
    encode = _seen(commands, "encode", "codes", "write the codes of pictures", "codes.safetensors", "*")
    edit = _seen(commands, "edit", "codes", "move pictures along an attribute of the run's data", "edits.png", "+")
    edit.add_argument(
        "--towards", metavar="NAME", action="append", required=True, help="an attribute, as smile; repeatable"
    )
    edit.add_argument(
        "--strengths",
        metavar="S,S,…",
        default="-2,-1,0,1,2",
        help="in standard deviations of it (default: -2,-1,0,1,2; written --strengths=-1,1)",
    )
    edit.add_argument(
        "--count", metavar="N", type=int, default=4096, help="training samples to learn it from (default: 4096)"
    )
    nearest = _seen(commands, "nearest", "codes", "find the nearest training samples of pictures", "nearest.png", "+")
    nearest.add_argument("--k", metavar="K", type=int, default=7, help="neighbours of each (default: 7)")
    nearest.add_argument("--by", choices=("codes", "pixels"), default="codes", help="what is compared (default: codes)")
    nearest.add_argument("--table", metavar="FILE", type=Path, help="their names and distances (default: beside --out)")
    for command in (encode, edit, nearest):
        command.add_argument(
            "--set",
            metavar="KEY=VALUE",
            action="append",
            default=[],
            help="where the data lies (data.root); repeatable",
        )
    board = add(commands, "board", "board", "open TensorBoard on a folder of runs, on this machine only")
    board.add_argument("runs", metavar="RUNS", type=Path, nargs="?", default=Path("runs"), help="default: runs")
    board.add_argument("--port", metavar="P", type=int, default=6006, help="default: 6006")


def _seen(commands: Any, name: str, room: str, help: str, out: str, images: str = "") -> argparse.ArgumentParser:
    """A command that looks at a run: pictures in, where it takes some, and a file or a folder out."""
    command = add(commands, name, room, help)
    command.add_argument("run", metavar="RUN", type=Path, help="the run's folder")
    if images:
        said = {"+": "", "*": " (none: draws, or the run's own data)"}[images]
        command.add_argument("images", metavar="IMAGE", type=Path, nargs=images, help=f"pictures, or folders{said}")
    kinds = "" if out.endswith(".safetensors") else "FILE.png for a grid, or a folder for a file each; "
    command.add_argument("-o", "--out", metavar="OUT", type=Path, default=Path(out), help=f"{kinds}default: {out}")
    command.add_argument("--view", metavar="VIEW", help="which view of the recipe (default: the first that fits)")
    command.add_argument("--device", metavar="D", help="auto, cpu, cuda, cuda:1")
    trust(command)
    return command


def export(commands: Any) -> None:
    """What others read."""
    export = add(commands, "export", "export", "write networks of a run as files for others, checked against the run")
    export.add_argument("run", metavar="RUN", type=Path, help="the run's folder")
    formats = ("safetensors", "torch-export", "onnx")
    export.add_argument("--format", choices=formats, default=formats[0], help="default: safetensors")
    export.add_argument("--networks", metavar="NAME", nargs="+", help="which networks (default: all that are trained)")
    export.add_argument("--checkpoint", choices=("last", "best"), default="last", help="which one (default: last)")
    export.add_argument(
        "--weights", choices=("raw", "ema"), default="raw", help="ema: running averages, where there are"
    )
    statistics = ("recalibrated", "running")
    export.add_argument(
        "--statistics", choices=statistics, help="of batch-norm (default: as views have them, or running)"
    )
    target = export.add_mutually_exclusive_group()
    target.add_argument("--out", metavar="FOLDER", type=Path, help="default: RUN/export")
    target.add_argument("--hub", metavar="FOLDER", type=Path, help="for a model hub: card, weights, recipe, pictures")


def replaying(commands: Any) -> None:
    """`agekit replay`."""
    replay = add(commands, "replay", "replaying", "play a step of a run again, and show where a number is none")
    replay.add_argument("run", metavar="RUN", type=Path, help="the run's folder")
    replay.add_argument("--step", metavar="N", type=int, required=True, help="which step, counted from 1")
    replay.add_argument("-o", "--out", metavar="FOLDER", type=Path, help="write the samples of its updates there")
    replay.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="where the data lies (data.root); repeatable"
    )
    replay.add_argument("--device", metavar="D", help="auto, cpu, cuda, cuda:1")
    trust(replay)
    replay.add_argument("--json", action="store_true", help="one line of JSON")
