"""`agekit run` and `agekit resume`."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from typing import Any

from ..errors import AgekitError
from ..game.check import bind
from ..recipe.compose import load as read_document
from ..report.console import RunConsole, clock, make_console, shorten
from ..train.compute import describe
from ..train.folder import open_run
from ..train.run import Run, play, start
from ..train.run import resume as take_up
from . import common

ANEW = ("data.root=", "run.stop_after=", "compute.device=", "compute.threads=")
"""What `resume` may be told anew: none of it changes what is computed, though rounding may differ elsewhere."""


def run(given: argparse.Namespace) -> int:
    """Train a recipe."""
    loaded = common.plugins()
    settings = [*given.set]
    for key, value in (("run.stop_after", given.steps), ("run.seed", given.seed), ("compute.device", given.device)):
        if value is not None:
            settings.append(f"{key}={value}")
    recipe = common.recipe(given.recipe, settings, loaded)
    listener = Listener(RunConsole(make_console(stderr=given.json)), given.json)
    try:
        return _play(start(recipe, loaded, given.out, given.name, listener), listener)
    finally:
        listener.console.stop()


def resume(given: argparse.Namespace) -> int:
    """Go on with a run; what may be said anew is where its data lies, where it is computed, and when it ends."""
    folder = open_run(given.run)
    settings = list(given.set)
    if given.steps is not None:
        settings.append(f"run.stop_after={given.steps}")
    for text in settings:
        if not text.startswith(ANEW):
            key = text.partition("=")[0]
            raise AgekitError(f"--set {key}: a run goes on as it began; only {', '.join(k[:-1] for k in ANEW)} change")
    document = read_document(folder.recipe, settings)
    recipe = bind(document, common.plugins().registries, folder.read_mark()["recipe"])
    listener = Listener(RunConsole(make_console(stderr=given.json)), given.json)
    try:
        return _play(take_up(recipe, folder, listener), listener)
    finally:
        listener.console.stop()


def _play(started: Run, listener: Listener) -> int:
    return 0 if play(started, listener) else 130


@dataclass
class Listener:
    """Passes on to the console what a run tells."""

    console: RunConsole
    json: bool

    def preparing(self, done: int, total: int) -> None:
        self.console.preparing(done, total)

    def begins(self, run: Run) -> None:
        game = run.game
        sizes = ", ".join(f"{n} {sum(p.numel() for p in net.parameters()):,}" for n, net in game.networks.items())
        dropped = f", {len(run.data.dropped)} broken ones left out" if run.data.dropped else ""
        facts = [
            ("recipe", f"{run.recipe.name}, seed {run.recipe.run.seed}"),
            ("data", f"{run.recipe.dataset_name}, {len(run.data):,} samples{dropped}"),
            ("networks", f"{sizes} parameters"),
            ("device", describe(game.device, run.recipe.compute)),
            ("steps", f"{run.total_steps:,}, {game.steps_per_epoch:,} an epoch"),
            ("folder", shorten(run.folder.path)),
        ]
        if game.steps_done:
            facts.append(("resumed", f"from step {game.steps_done:,}"))
        self.console.starts(facts, game.steps_done)
        for damage in run.damaged:
            self.console.console.print(f"warning: {damage}; an earlier checkpoint is used")
        for name, reason in list(run.data.dropped.items())[:5]:
            self.console.console.print(f"left out  {name}: {reason}")

    def stepped(self, run: Run) -> None:
        self.console.stepped(run.game.steps_done, run.total_steps)

    def logged(self, run: Run, line: dict[str, Any]) -> None:
        self.console.logged(line, run.total_steps)

    def ends(self, run: Run, interrupted: bool) -> None:
        self.console.stop()
        folder = shorten(run.folder.path)
        elapsed = clock(run.watch.elapsed_seconds)
        facts = [
            ("stopped" if interrupted else "done", f"step {run.game.steps_done:,} after {elapsed}"),
            ("folder", folder),
        ]
        pictures = [p for name in run.game.views if (p := run.folder.pictures / f"{name}.png").exists()]
        facts += [("pictures" if not index else "", shorten(p)) for index, p in enumerate(pictures)]
        facts.append(("curves", f"agekit board {shorten(run.folder.path.parent)}"))
        if interrupted:
            facts.append(("go on", f"agekit resume {folder}"))
        self.console.facts(facts)
        if self.json:
            line = {"run": str(run.folder.path), "step": run.game.steps_done, "finished": not interrupted}
            print(json.dumps(line))
