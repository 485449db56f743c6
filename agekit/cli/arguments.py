"""What the command line takes: every command, its arguments, and the room that handles it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import PluginError
from . import arguments_runs
from .argument import Parser, add, ranks, recipe, trust

if TYPE_CHECKING:
    from ..commands import Command

EPILOG = "Plugins may add commands: agekit plugins lists them."
DESCRIPTION = "Experiments with latent-divergence losses: a recipe is a game of players, terms and expressions."


def parser(version: str) -> tuple[argparse.ArgumentParser, Any]:
    """The parser of the whole command line, and its commands, to which those of plugins are added."""
    whole = Parser("agekit", description=DESCRIPTION, epilog=EPILOG, allow_abbrev=False)
    whole.add_argument("--version", action="version", version=f"agekit {version}")
    commands = whole.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _training(commands)
    _sweep(commands)
    arguments_runs.evaluation(commands)
    arguments_runs.comparing(commands)
    arguments_runs.looking(commands)
    arguments_runs.upkeep(commands)
    arguments_runs.export(commands)
    arguments_runs.replaying(commands)
    _recipes(commands)
    _lab(commands)
    _components(commands)
    _data(commands)
    return whole, commands


def own() -> frozenset[str]:
    """The names of agekit's own commands."""
    return frozenset(parser("")[1].choices)


def add_plugged(commands: Any, plugged: Mapping[str, Command], word: str) -> None:
    """Add the commands of plugins; what the one that is asked for takes is told by its plugin alone.

    Raises `PluginError` where that fails.
    """
    for name, command in plugged.items():
        added = commands.add_parser(name, help=command.summary, description=command.summary, allow_abbrev=False)
        added.add_argument("--traceback", action="store_true", help="show where an error arose")
        added.set_defaults(handler=command.handler, several=command.several)
        if name == word:
            try:
                command.arguments(added)
            except Exception as error:
                said = f"{type(error).__name__}: {error}"
                raise PluginError(
                    f"command {name} of plugin {command.owner} cannot say what it takes: {said}"
                ) from error


def _compute(command: argparse.ArgumentParser) -> None:
    command.add_argument("--device", metavar="D", help="auto, cpu, cuda, cuda:1 (compute.device)")
    command.add_argument("--precision", metavar="P", help="auto, fp32, tf32, bf16, fp64 (compute.precision)")
    command.add_argument(
        "--micro-batch", metavar="N", type=int, help="samples in memory at once, of any batch (compute.micro_batch)"
    )
    for switch, said in {
        "channels-last": "lay images out channels last",
        "compile": "compile networks by torch.compile",
        "graphs": "record updates as CUDA graphs",
        "deterministic": "promise repeatable bytes",
    }.items():
        command.add_argument(
            f"--{switch}", action=argparse.BooleanOptionalAction, help=f"{said} (compute.{switch.replace('-', '_')})"
        )


def _training(commands: Any) -> None:
    run = add(commands, "run", "training", "train a recipe")
    recipe(run)
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
    _compute(run)
    ranks(run)
    trust(run)
    run.add_argument("--json", action="store_true", help="end with one line of JSON that names the run")
    run.set_defaults(despite=[])  # its ranks, when they are started again, go on with the run
    resume = add(commands, "resume", "training", "go on with a run from its last checkpoint")
    resume.add_argument("run", metavar="RUN", type=Path, help="the run's folder, or that of several runs")
    resume.add_argument("--steps", metavar="N", type=int, help="end after N steps, counted from the run's first")
    resume.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="where the data lies (data.root), or compute.device; repeatable",
    )
    ranks(resume)
    resume.add_argument(
        "--despite",
        metavar="WHAT",
        action="append",
        choices=("data", "metrics"),
        default=[],
        help="go on although this changed since: data (noted with the run), or metrics; repeatable",
    )
    trust(resume)
    resume.add_argument("--json", action="store_true", help="end with one line of JSON that names the run")


def _sweep(commands: Any) -> None:
    sweep = add(commands, "sweep", "sweeping", "train a recipe with every combination of values; again: goes on")
    recipe(sweep)
    sweep.add_argument(
        "--over", metavar="KEY=V,V,…", action="append", required=True, help="a key, and its values; repeatable"
    )
    sweep.add_argument("--seeds", metavar="N", type=int, help="seeds of each, from the recipe's on (default: 1)")
    sweep.add_argument("--out", metavar="RUNS", type=Path, default=Path("runs"), help="folder of runs (default: runs)")
    sweep.add_argument("--name", metavar="NAME", help="name of its folder (default: made of the recipe and the values)")
    sweep.add_argument("--steps", metavar="N", type=int, help="end each run after N steps")
    sweep.add_argument("--seed", metavar="S", type=int, help="the first seed (run.seed)")
    _compute(sweep)
    sweep.add_argument("--retry", action="store_true", help="try again what failed before")
    sweep.add_argument("--dry-run", action="store_true", help="only show what would be trained")
    trust(sweep)
    sweep.add_argument("--json", action="store_true", help="one line of JSON for each run that ends")


def _recipes(commands: Any) -> None:
    plan = add(commands, "plan", "recipes", "show what a recipe will compute, in which mode, at what cost")
    recipe(plan)
    _compute(plan)
    plan.add_argument("--ranks", metavar="N", type=int, default=1, help="as N processes would play it (default: 1)")
    validate = add(commands, "validate", "recipes", "check recipes, without touching data or a device")
    validate.add_argument("recipes", metavar="RECIPE", nargs="+", help="files, or names of recipes that are shipped")
    validate.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="override a value; repeatable"
    )
    copy = add(commands, "copy", "recipes", "copy a shipped recipe, to edit it")
    copy.add_argument("recipe", metavar="NAME", help="the recipe's name")
    copy.add_argument("to", metavar="FILE", type=Path, nargs="?", help="default: NAME.toml, here")
    schema = add(commands, "schema", "recipes", "write the JSON Schema of recipes, for editors")
    schema.add_argument("--out", metavar="FILE", type=Path, help="default: standard output")


def _lab(commands: Any) -> None:
    lab = add(commands, "lab", "lab", "measure divergences: bias, power against departures, gradient noise, cost")
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
    trust(lab)


def _components(commands: Any) -> None:
    listing = add(commands, "list", "components", "list what is registered", "list_components")
    listing.add_argument("shelf", metavar="SHELF", nargs="?", help="one shelf, such as divergences, or recipes")
    show = add(commands, "show", "components", "show a component: formula, source, options; or a recipe")
    show.add_argument("kind", metavar="KIND", help="such as divergence, or recipe")
    show.add_argument("name", metavar="NAME", help="such as kl_sphere")
    add(commands, "plugins", "components", "list plugins: origin, version, health")
    check = add(commands, "check", "checking", "put a plugin's components through the conformance kit")
    check.add_argument("plugin", metavar="PLUGIN", help="the plugin, its package, or agekit itself")
    plugin = add(commands, "plugin", "plugin_new", "plugins: begin one", "new")
    inner = plugin.add_subparsers(title="commands", metavar="COMMAND", required=True)
    new = add(inner, "new", "plugin_new", "write a package with one component, a recipe and a test, ready to install")
    new.add_argument("name", metavar="NAME", help="such as my-divergence")
    new.add_argument("--kind", metavar="KIND", default="divergence", help="such as reciprocity (default: divergence)")
    new.add_argument("--to", metavar="FOLDER", type=Path, help="where to put it (default: here)")


def _data(commands: Any) -> None:
    data = add(commands, "data", "data", "data sets: list, prepare, get", "list_datasets")
    inner = data.add_subparsers(title="commands", metavar="COMMAND", required=True)
    add(inner, "list", "data", "list data sets, and which are at hand", "list_datasets")
    prepare = add(inner, "prepare", "data", "prepare the data of a recipe")
    recipe(prepare)
    get = add(inner, "get", "data", "download a data set, after showing its licence")
    get.add_argument("name", metavar="NAME", help="the data set")
    get.add_argument("--yes", action="store_true", help="accept the licence without being asked")
    get.add_argument("--to", metavar="FOLDER", type=Path, help="where to (default: the data folder of agekit)")
