"""`agekit run` and `agekit resume`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import AgekitError
from ..game.load import load_recipe
from ..report.console import RunConsole, clock, command, make_console, shorten
from ..train.compute import describe
from ..train.folder import open_run
from ..train.run import Run, play, start
from ..train.run import resume as take_up
from ..train.sources import programs
from . import common

ANEW = ("data.root", "data.held_out.root", "run.stop_after", "compute.device", "compute.threads")
"""What `resume` may be told anew: none of it changes what is computed, though rounding may differ elsewhere."""

FLAGS = {"--steps": "run.stop_after", "--seed": "run.seed", "--device": "compute.device"}
"""The keys that flags set."""


def run(given: argparse.Namespace) -> int:
    """Train a recipe."""
    loaded = common.plugins()
    flags = _said({"--steps": given.steps, "--seed": given.seed, "--device": given.device})
    recipe = common.recipe(given.recipe, given.set, loaded, flags)
    listener = Listener(RunConsole(make_console(stderr=given.json)), given.json)
    try:
        return _play(start(recipe, loaded, given.out, given.name, listener, trust=given.trust), listener)
    finally:
        listener.console.stop()


def resume(given: argparse.Namespace) -> int:
    """Go on with a run; what may be said anew is where its data lies, where it is computed, and when it ends."""
    folder = open_run(given.run)
    for text in given.set:
        key = ".".join(part.strip() for part in text.partition("=")[0].split("."))
        if key not in ANEW:
            raise AgekitError(f"--set {key}: a run goes on as it began; only {', '.join(ANEW)} change")
    flags = _said({"--steps": given.steps})
    recipe = load_recipe(folder.recipe, common.plugins(), given.set, flags, folder.read_mark()["recipe"])
    listener = Listener(RunConsole(make_console(stderr=given.json)), given.json)
    try:
        return _play(take_up(recipe, folder, listener, trust=given.trust), listener)
    finally:
        listener.console.stop()


def _said(values: Mapping[str, object]) -> dict[str, str]:
    """The settings of the flags that were given, by flag."""
    return {flag: f"{FLAGS[flag]}={value}" for flag, value in values.items() if value is not None}


def _play(started: Run, listener: Listener) -> int:
    return 0 if play(started, listener) else 130


@dataclass
class Listener:
    """Passes on to the console what a run tells."""

    console: RunConsole
    json: bool

    def preparing(self, part: str, done: int, total: int) -> None:
        self.console.preparing(part, done, total)

    def judging(self, done: int, total: int) -> None:
        self.console.judging(done, total)

    def begins(self, run: Run) -> None:
        game = run.game
        sizes = ", ".join(f"{n} {sum(p.numel() for p in net.parameters()):,}" for n, net in game.networks.items())
        data = run.data.training
        dropped = f", {len(data.dropped)} broken ones left out" if data.dropped else ""
        held_out = f", {len(run.data.held_out):,} held out" if run.data.held_out else ""
        held_out += f", {run.data.doubles:,} of them trained on, too" if run.data.doubles else ""
        facts = [
            ("recipe", f"{run.recipe.name}, seed {run.recipe.run.seed}"),
            ("data", f"{run.recipe.dataset_name}, {len(data):,} samples{dropped}{held_out}"),
            ("networks", f"{sizes} parameters"),
            ("device", describe(game.device, run.recipe.compute)),
            ("steps", f"{run.total_steps:,}, {game.steps_per_epoch:,} an epoch"),
            ("folder", shorten(run.folder.path)),
        ]
        facts += [("code", f"{name}: {shorten(file)}, trusted") for name, file in programs(game).items()]
        if game.steps_done:
            facts.append(("resumed", f"from step {game.steps_done:,}"))
        self.console.starts(facts, game.steps_done)
        for damage in run.damaged:
            self.console.console.print(f"warning: {damage}; an earlier checkpoint is used")
        for name, reason in list(data.dropped.items())[:5]:
            self.console.console.print(f"left out  {name}: {reason}")

    def stepped(self, run: Run) -> None:
        self.console.stepped(run.game.steps_done, run.total_steps)

    def logged(self, run: Run, line: dict[str, Any]) -> None:
        self.console.logged(line, run.total_steps)

    def ends(self, run: Run, interrupted: bool) -> None:
        self.console.stop()
        if run.finished and (judged := run.watch.judged):
            taken = {name: one.protocol.said for name, one in judged.items()}
            self.console.judged({name: one.values for name, one in judged.items()}, taken)
        folder = shorten(run.folder.path)
        elapsed = clock(run.watch.elapsed_seconds)
        facts = [
            ("stopped" if interrupted else "done", f"step {run.game.steps_done:,} after {elapsed}"),
            ("folder", folder),
        ]
        pictures = [p for name in run.game.views if (p := run.folder.pictures / f"{name}.png").exists()]
        facts += [("pictures" if not index else "", shorten(p)) for index, p in enumerate(pictures)]
        facts.append(("curves", f"{command()} board {shorten(run.folder.path.parent)}"))
        if interrupted:
            facts.append(("go on", f"{command()} resume {folder}"))
        self.console.facts(facts)
        if self.json:
            line = {"run": str(run.folder.path), "step": run.game.steps_done, "finished": not interrupted}
            print(json.dumps(line))
