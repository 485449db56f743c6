"""What the console tells of a run, and of several."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..report.console import RunConsole, clock, command, shorten
from ..sweep.study import Trial
from ..train.compute import describe
from ..train.run import Run
from ..train.sources import programs

FLAGS = {"steps": "run.stop_after", "seed": "run.seed", "device": "compute.device"}
"""The keys that flags set."""


def said_by_flags(given: argparse.Namespace) -> dict[str, str]:
    """The settings of the flags that were given, by flag."""
    said = {name: getattr(given, name, None) for name in FLAGS}
    return {f"--{name}": f"{FLAGS[name]}={value}" for name, value in said.items() if value is not None}


@dataclass
class Listener:
    """Passes on to the console what a run tells."""

    console: RunConsole
    json: bool
    study: Path | None = None
    """The folder of the study, where the run is one of several."""

    def turns_to(self, trial: Trial, number: int, total: int) -> None:
        self.console = RunConsole(self.console.console)  # each run has a header of its own
        self.console.console.print(f"{'' if number == 1 else chr(10)}run {number} of {total}: {trial.said}")

    def failed(self, trial: Trial, reason: str) -> None:
        self.console.stop()
        self.console.facts([("failed", trial.said), ("why", reason.replace("\n", "; "))])

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
        facts.append(("curves", f"{command()} board {shorten(self.study or run.folder.path.parent)}"))
        if interrupted:
            facts.append(("go on", f"{command()} resume {shorten(self.study or run.folder.path)}"))
        self.console.facts(facts)
        if self.json:
            line = {"run": str(run.folder.path), "step": run.game.steps_done, "finished": not interrupted}
            print(json.dumps(line))
