"""What the command line takes: every command, its arguments, and the room that handles it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

DESCRIPTION = "Experiments with latent-divergence losses: a recipe is a game of players, terms and expressions."


def parser(version: str) -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    whole = argparse.ArgumentParser("agekit", description=DESCRIPTION, allow_abbrev=False)
    whole.add_argument("--version", action="version", version=f"agekit {version}")
    commands = whole.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _training(commands)
    _sweep(commands)
    _evaluation(commands)
    _comparing(commands)
    _looking(commands)
    _export(commands)
    _recipes(commands)
    _lab(commands)
    _components(commands)
    _data(commands)
    return whole


def _add(commands: Any, name: str, room: str, help: str, handler: str = "") -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=help, description=help, allow_abbrev=False)
    command.add_argument("--traceback", action="store_true", help="show where an error arose")
    command.set_defaults(room=room, handler=handler or name)
    return command


def _recipe(command: argparse.ArgumentParser) -> None:
    command.add_argument("recipe", metavar="RECIPE", help="a recipe's file, or the name of one that is shipped")
    command.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="override a value; repeatable")


def _trust(command: argparse.ArgumentParser) -> None:
    command.add_argument("--trust", action="store_true", help="run exported programs (from = FILE.pt2), which are code")


def _training(commands: Any) -> None:
    run = _add(commands, "run", "training", "train a recipe")
    _recipe(run)
    run.add_argument("--out", metavar="RUNS", type=Path, default=Path("runs"), help="folder of runs (default: runs)")
    run.add_argument("--name", metavar="NAME", help="name of the run (default: the recipe's, with a fresh number)")
    run.add_argument("--steps", metavar="N", type=int, help="end after N steps")
    run.add_argument("--seed", metavar="S", type=int, help="seed of every draw (run.seed)")
    run.add_argument(
        "--seeds",
        metavar="N",
        type=int,
        help="train it N times, with this seed and the next ones, as one group",
    )
    run.add_argument("--device", metavar="D", help="auto, cpu, cuda, cuda:1 (compute.device)")
    _trust(run)
    run.add_argument("--json", action="store_true", help="end with one line of JSON that names the run")
    resume = _add(commands, "resume", "training", "go on with a run from its last checkpoint")
    resume.add_argument("run", metavar="RUN", type=Path, help="the run's folder, or that of several runs")
    resume.add_argument("--steps", metavar="N", type=int, help="end after N steps, counted from the run's first")
    resume.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="where the data lies (data.root), or compute.device; repeatable",
    )
    _trust(resume)
    resume.add_argument("--json", action="store_true", help="end with one line of JSON that names the run")


def _sweep(commands: Any) -> None:
    sweep = _add(commands, "sweep", "sweeping", "train a recipe with every combination of values; again: goes on")
    _recipe(sweep)
    sweep.add_argument(
        "--over", metavar="KEY=V,V,…", action="append", required=True, help="a key, and its values; repeatable"
    )
    sweep.add_argument("--seeds", metavar="N", type=int, help="seeds of each, from the recipe's on (default: 1)")
    sweep.add_argument("--out", metavar="RUNS", type=Path, default=Path("runs"), help="folder of runs (default: runs)")
    sweep.add_argument("--name", metavar="NAME", help="name of its folder (default: made of the recipe and the values)")
    sweep.add_argument("--steps", metavar="N", type=int, help="end each run after N steps")
    sweep.add_argument("--seed", metavar="S", type=int, help="the first seed (run.seed)")
    sweep.add_argument("--device", metavar="D", help="auto, cpu, cuda, cuda:1 (compute.device)")
    sweep.add_argument("--retry", action="store_true", help="try again what failed before")
    sweep.add_argument("--dry-run", action="store_true", help="only show what would be trained")
    _trust(sweep)
    sweep.add_argument("--json", action="store_true", help="one line of JSON for each run that ends")


def _evaluation(commands: Any) -> None:
    judged = _add(commands, "eval", "evaluation", "judge a run: every number with its protocol", "evaluate_run")
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
    _trust(judged)
    judged.add_argument("--json", action="store_true", help="one line of JSON for each checkpoint")


def _comparing(commands: Any) -> None:
    runs = _add(commands, "runs", "comparing", "list runs: recipe, seed, age, steps, state, metrics")
    runs.add_argument("runs", metavar="RUNS", type=Path, nargs="?", default=Path("runs"), help="default: runs")
    runs.add_argument("--json", action="store_true", help="one line of JSON for each run")
    compare = _add(
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
    _trust(compare)
    compare.add_argument("--json", action="store_true", help="all of it as one line of JSON")
    report = _add(commands, "report", "reporting", "write one page about runs: curves, pictures, numbers, recipes")
    report.add_argument("runs", metavar="RUN", type=Path, nargs="+", help="runs' folders; they may still be training")
    report.add_argument(
        "-o", "--out", metavar="FILE", type=Path, default=Path("report.html"), help="default: report.html"
    )


def _looking(commands: Any) -> None:
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
    board = _add(commands, "board", "board", "open TensorBoard on a folder of runs, on this machine only")
    board.add_argument("runs", metavar="RUNS", type=Path, nargs="?", default=Path("runs"), help="default: runs")
    board.add_argument("--port", metavar="P", type=int, default=6006, help="default: 6006")


def _seen(commands: Any, name: str, room: str, help: str, out: str, images: str = "") -> argparse.ArgumentParser:
    """A command that looks at a run: pictures in, where it takes some, and a file or a folder out."""
    command = _add(commands, name, room, help)
    command.add_argument("run", metavar="RUN", type=Path, help="the run's folder")
    if images:
        said = {"+": "", "*": " (none: draws, or the run's own data)"}[images]
        command.add_argument("images", metavar="IMAGE", type=Path, nargs=images, help=f"pictures, or folders{said}")
    kinds = "" if out.endswith(".safetensors") else "FILE.png for a grid, or a folder for a file each; "
    command.add_argument("-o", "--out", metavar="OUT", type=Path, default=Path(out), help=f"{kinds}default: {out}")
    command.add_argument("--view", metavar="VIEW", help="which view of the recipe (default: the first that fits)")
    command.add_argument("--device", metavar="D", help="auto, cpu, cuda, cuda:1")
    _trust(command)
    return command


def _export(commands: Any) -> None:
    export = _add(commands, "export", "export", "write networks of a run as files for others, checked against the run")
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


def _recipes(commands: Any) -> None:
    plan = _add(commands, "plan", "recipes", "show what a recipe will compute, in which mode, at what cost")
    _recipe(plan)
    validate = _add(commands, "validate", "recipes", "check recipes, without touching data or a device")
    validate.add_argument("recipes", metavar="RECIPE", nargs="+", help="files, or names of recipes that are shipped")
    validate.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="override a value; repeatable"
    )
    copy = _add(commands, "copy", "recipes", "copy a shipped recipe, to edit it")
    copy.add_argument("recipe", metavar="NAME", help="the recipe's name")
    copy.add_argument("to", metavar="FILE", type=Path, nargs="?", help="default: NAME.toml, here")
    schema = _add(commands, "schema", "recipes", "write the JSON Schema of recipes, for editors")
    schema.add_argument("--out", metavar="FILE", type=Path, help="default: standard output")


def _lab(commands: Any) -> None:
    lab = _add(commands, "lab", "lab", "measure divergences: bias, power against departures, gradient noise, cost")
    lab.add_argument(
        "names",
        metavar="NAME",
        nargs="*",
        help="divergences, as in mmd:kernel=rbf,to=z2 (default: all of agekit's own)",
    )
    lab.add_argument(
        "--reference",
        metavar="R",
        help="sphere, uniform, … (default: gaussian; with --match, the first at which OLD is 0)",
    )
    lab.add_argument("--dim", metavar="D", type=int, help="dimension of the codes (default: 64)")
    lab.add_argument("--batch", metavar="N,N,…", help="batch sizes (default: 16,64,256,1024; with --match 64)")
    lab.add_argument("--repetitions", metavar="N", type=int, default=24, help="draws of each cloud (default: 24)")
    lab.add_argument("--seed", metavar="S", type=int, default=0, help="of every draw (default: 0)")
    lab.add_argument(
        "--out",
        metavar="FOLDER",
        type=Path,
        default=Path("lab"),
        help="where to save, under a fresh number (default: lab)",
    )
    lab.add_argument("--in-game", metavar="RUN", type=Path, help="on the codes of a run, against its reference")
    lab.add_argument(
        "--match", metavar=("OLD", "NEW"), nargs=2, help="the weight at which NEW has the gradient norm of OLD"
    )
    _trust(lab)


def _components(commands: Any) -> None:
    listing = _add(commands, "list", "components", "list what is registered", "list_components")
    listing.add_argument("shelf", metavar="SHELF", nargs="?", help="one shelf, such as divergences, or recipes")
    show = _add(commands, "show", "components", "show a component: formula, source, options; or a recipe")
    show.add_argument("kind", metavar="KIND", help="such as divergence, or recipe")
    show.add_argument("name", metavar="NAME", help="such as kl_sphere")
    _add(commands, "plugins", "components", "list plugins: origin, version, health")
    check = _add(commands, "check", "checking", "put a plugin's components through the conformance kit")
    check.add_argument("plugin", metavar="PLUGIN", help="the plugin, its package, or agekit itself")
    plugin = _add(commands, "plugin", "plugin_new", "plugins: begin one", "new")
    inner = plugin.add_subparsers(title="commands", metavar="COMMAND", required=True)
    new = _add(inner, "new", "plugin_new", "write a package with one component, a recipe and a test, ready to install")
    new.add_argument("name", metavar="NAME", help="such as my-divergence")
    new.add_argument("--kind", metavar="KIND", default="divergence", help="such as reciprocity (default: divergence)")
    new.add_argument("--to", metavar="FOLDER", type=Path, help="where to put it (default: here)")


def _data(commands: Any) -> None:
    data = _add(commands, "data", "data", "data sets: list, prepare, get", "list_datasets")
    inner = data.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add(inner, "list", "data", "list data sets, and which are at hand", "list_datasets")
    prepare = _add(inner, "prepare", "data", "prepare the data of a recipe")
    _recipe(prepare)
    get = _add(inner, "get", "data", "download a data set, after showing its licence")
    get.add_argument("name", metavar="NAME", help="the data set")
    get.add_argument("--yes", action="store_true", help="accept the licence without being asked")
    get.add_argument("--to", metavar="FOLDER", type=Path, help="where to (default: the data folder of agekit)")
