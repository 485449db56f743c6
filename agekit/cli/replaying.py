"""`agekit replay`."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ..errors import AgekitError
from ..files import write_json
from ..game.batches import as_stored
from ..game.load import load_recipe
from ..report.console import RunConsole, make_console, shorten
from ..report.metrics import plain
from ..report.pictures import as_png, enlarged, grid, save_png
from ..train.folder import open_run
from ..train.replay import Listener, Replayed
from ..train.replay import replay as play_again
from . import common
from .components import print_table
from .training import ANEW

SHOWN = 8
"""So many samples are named."""


def replay(given: argparse.Namespace) -> int:
    """Play a step of a run again, and show what of it is no number, and where that arises."""
    folder = open_run(given.run)
    for text in given.set:
        if (key := text.partition("=")[0].strip()) not in ANEW:
            raise AgekitError(f"--set {key}: a step is played as it was; only {', '.join(ANEW)} change")
    recipe = load_recipe(
        folder.recipe, common.plugins(), given.set, common.said_by_flags(given), folder.read_mark()["recipe"]
    )
    console = RunConsole(make_console(stderr=given.json))
    listener = Listener(console.preparing, lambda done, total: console.working("playing", done, total))
    with common.watched(console):
        found = play_again(recipe, folder, given.step, listener, trust=given.trust)
    if given.out:
        with common.writing(given.out):
            _keep(given.out, found)
    if given.json:
        findings = [
            {**asdict(one), "value": plain(one.value), "gradient": plain(one.gradient)} for one in found.findings
        ]
        print(json.dumps({"step": given.step, "from": found.begun, "findings": findings, "after": found.after}))
        return 0
    _show(console, found, given)
    return 0


def _show(console: RunConsole, found: Replayed, given: argparse.Namespace) -> None:
    facts = [("step", f"{given.step}, played again from {found.begun}")]
    if found.fault:
        said = ", ".join(
            f"{one.player} {one.term or 'gradient'} {one.value} in update {one.update + 1}" for one in found.fault.found
        )
        facts.append(("the run", f"had {said}"))
    console.facts(facts)
    titles = ["player", "update", "term", "value", "gradient", "first that is no number"]
    rows = [
        (
            one.player,
            str(one.update + 1),
            one.term,
            f"{one.value:.4g}",
            f"{one.gradient:.4g}",
            _place(one.first, one.samples),
        )
        for one in found.findings
    ]
    print_table(titles, rows)
    facts = [("afterwards", f"{found.after} is not finite" if found.after else "all weights and buffers are finite")]
    if given.out:
        facts.append(("samples", f"{shorten(given.out)}: those of each update, by number and as pictures"))
    console.facts(facts)


def _place(first: str, samples: tuple[int, ...]) -> str:
    if not samples:
        return first or "-"
    more = f" and {len(samples) - SHOWN} more" if len(samples) > SHOWN else ""
    return f"{first}, of the samples {', '.join(map(str, samples[:SHOWN]))}{more}"


def _keep(out: Path, found: Replayed) -> None:
    """Write each update's samples: their numbers, and their pictures where they are some."""
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "batches.json", found.batches)
    shape = found.game.fields["x"].shape if "x" in found.game.fields else ()
    if len(shape) != 3 or shape[0] not in (1, 3):
        return
    for player, updates in found.batches.items():
        for update, samples in enumerate(updates):
            taken = found.game.data().take(np.array(samples), ["x"])["x"]
            picture = enlarged(grid(as_stored(taken)), taken.shape[2])
            save_png(out / f"{player}-{update + 1}.png", as_png(picture, {"samples": " ".join(map(str, samples))}))
