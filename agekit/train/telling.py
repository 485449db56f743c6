"""What the console tells of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..report.console import RunConsole, clock, command, shorten
from .compute import describe
from .run import Run
from .sources import programs

Heard = Callable[[int, Mapping[str, Mapping[str, float]]], None]
"""What is told the metrics of a run as it goes: the step, and the numbers of each metric."""


@dataclass
class Teller:
    """Passes on to the console what a run tells; and its metrics, whenever they are taken, to whoever wants them."""

    console: RunConsole
    ended: Callable[[Run, bool], None] | None = None
    """Who else is told that it ends, and whether it was interrupted."""
    study: Path | None = None
    """The folder of the study, where the run is one of several."""
    heard: Heard | None = None
    nproc: int | None = None
    """On how many processes the command plays it, where it says so."""

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
        names = ", ".join(game.compiled)
        norm, wanted = run.recipe.compute.batch_norm, run.recipe.run.stop_after or 0
        beyond = f"; its stages have no more, and {wanted:,} were asked for" if wanted > run.total_steps else ""
        facts = [
            ("recipe", f"{run.recipe.name}, seed {run.recipe.run.seed}"),
            ("data", f"{run.recipe.dataset_name}, {len(data):,} samples{dropped}{held_out}"),
            ("networks", f"{sizes} parameters"),
            ("device", describe(game.device, run.recipe.compute, game.recipe.compute)),
            *([("compiled", f"{names}, in the first steps: for a minute or more")] if game.compiled else []),
            *([("ranks", f"{game.ranks.count}, batch-norm {norm}")] if game.ranks.count > 1 else []),
            ("steps", f"{run.total_steps:,}, {game.steps_per_epoch:,} an epoch{beyond}"),
            ("folder", shorten(run.folder.path)),
        ]
        facts += [("code", f"{name}: {shorten(file)}, trusted") for name, file in programs(game).items()]
        if run.resumed:
            none = "from its beginning, for there is no checkpoint of a later step"
            facts.append(("resumed", f"from step {game.steps_done:,}" if game.steps_done else none))
        self.console.starts(facts, game.steps_done)
        for damage in run.damaged:
            self.console.console.print(f"warning: {damage}; an earlier checkpoint is used")
        for name, reason in list(data.dropped.items())[:5]:
            self.console.console.print(f"left out  {name}: {reason}")

    def stepped(self, run: Run) -> None:
        self.console.stepped(run.game.steps_done, run.total_steps)

    def logged(self, run: Run, line: dict[str, Any]) -> None:
        self.console.logged(line, run.total_steps)
        if self.heard and "metrics" in line:
            self.heard(int(line["step"]), numbers(line))

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
            facts.append(("go on", self.way_on(run)))
        self.console.facts(facts)
        if self.ended:
            self.ended(run, interrupted)

    def way_on(self, run: Run) -> str:
        """The command that goes on with a run, or with the study that it is of."""
        flag = "" if self.nproc is None else f" --nproc {self.nproc}"
        return f"{command()} resume {shorten(self.study or run.folder.path)}{flag}"


def numbers(line: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """The metrics of a line of metrics.jsonl, where one that is not finite is a text."""
    return {name: {key: float(value) for key, value in one.items()} for name, one in line["metrics"].items()}
