"""A small run with everything in it that a run can write, from its beginning or from where it was stopped."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from agekit import plugins
from agekit.cli import common, main
from agekit.train.folder import RunFolder

from ..runs import events_of
from ..tiny import TINY

RUN = Path("runs/run")
STEPS = 4
TEXT = (
    TINY[: TINY.index("[views]")]
    .replace("size    = 16\ncount   = 40", "size    = 16\ncount   = 20")
    .replace('"dcgan"', '"small"')
    .replace("updates = 2", "updates = 1")
    + """
[data.held_out]
split = "test"
count = 10

[networks.t]
average_of = "g"
decay      = 0.9

[metrics.far]
reciprocity = "l1"
of          = "g(e(x))"
to          = "x"
statistics  = "running"

[views]
samples = { of = "g(z)", count = 4 }
codes   = { of = "e(x)", count = 4, statistics = "running" }

[[stages]]
name  = "first"
steps = 2

[[stages]]
name       = "second"
steps      = 2
data.batch = 10

[run]
log_every        = 1
pictures_every   = 2
gradients_every  = 4
metrics_every    = 2
checkpoint_every = 1
keep             = 1
best             = "lowest far.value"
"""
)


def warm(scratch: Path) -> None:
    """Do once what all children would do again: load the plugins, and play a run, for all that it imports and keeps."""
    logging.getLogger("tensorboard").setLevel(logging.ERROR)  # that events are superseded is what resuming is about
    loaded = plugins.load()
    common.load = lambda *_, **__: loaded  # type: ignore[attr-defined]
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        settle(scratch / "warm", scratch / "warm" / "cache")
        train()


def settle(folder: Path, cache: Path) -> None:
    """Make a working directory with the recipe, and make it this process's, with a cache."""
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    os.environ["AGEKIT_CACHE"] = str(cache)
    Path("tiny.toml").write_text(TEXT, encoding="utf-8")


def train(*more: str) -> int:
    """Begin the run, as a user does, or go on with it."""
    if RUN.exists():
        return main(["resume", str(RUN), *more])
    return main(["run", "tiny.toml", "--name", RUN.name, *more])


def snapshot(place: Path) -> Mapping[str, Any]:
    """All that a run has left behind in a working directory, its cache included, but for what the clock says.

    It must be the same, byte for byte, whatever happened to the run.
    """
    events = RunFolder(place / RUN).events
    files = (path for path in sorted(place.rglob("*")) if path.is_file() and "tfevents" not in path.name)
    found = {str(path.relative_to(place)): contents(path) for path in files}
    found["curves"] = {
        tag: [(event.step, event.value) for event in scalars] for tag, scalars in _curves(events).items()
    }
    return found


def contents(path: Path) -> Any:
    """What a file holds, but for what the clock says."""
    if path.name == "metrics.jsonl":
        lines = [json.loads(line) for line in path.read_bytes().splitlines()]
        return [{key: value for key, value in line.items() if key != "clock"} for line in lines]
    if path.suffix == ".json":
        return _timeless(json.loads(path.read_text(encoding="utf-8")))
    return hashlib.sha256(path.read_bytes()).hexdigest()


CLOCKS = {"elapsed_seconds", "sha256_of_this", "started", "command", "seconds", "metrics_bytes", "metrics_sha256"}


def _timeless(value: Any) -> Any:
    """A value without what depends on the clock: times, and lengths and hashes of what has times in it."""
    if isinstance(value, dict):
        return {key: _timeless(inner) for key, inner in value.items() if key not in CLOCKS}
    return value


def _curves(events: Path) -> dict[str, Any]:
    accumulator = events_of(events)
    tags = [tag for tag in accumulator.Tags()["scalars"] if not tag.startswith("clock/")]
    return {tag: accumulator.Scalars(tag) for tag in tags}


def difference(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """The first difference between what two runs left behind; empty where they are alike."""
    if missing := sorted(wanted.keys() - found.keys()):
        return f"{missing[0]} is missing"
    if surplus := sorted(found.keys() - wanted.keys()):
        return f"{surplus[0]} is left over"
    return next((f"{name} differs" for name in wanted if found[name] != wanted[name]), "")
