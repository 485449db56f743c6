"""Short runs of tiny games: played, stopped, killed, compared, damaged."""

import json
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # type: ignore[import-untyped]

from agekit import plugins
from agekit.cli import main
from agekit.train.folder import RunFolder, open_run
from agekit.train.play import play
from agekit.train.run import resume, start

from .tiny import TINY, recipe_of

PARTS = ("weights", "optimizers", "statistics", "controllers")
STAGED = (
    TINY.replace("batch   = 8", "batch   = 8\nflip    = true").replace("steps            = 12", "metrics_every = 5")
    + """
[data.held_out]
split = "test"
count = 30

[metrics]
far   = { reciprocity = "l1", of = "g(e(x))", to = "x" }
codes = { divergence = "kl_gaussian", of = "e(g(z))", count = 20 }

[networks.t]
average_of = "g"
decay      = 0.9

[[stages]]
name  = "first"
steps = 5

[[stages]]
name       = "second"
steps      = 7
data.batch = 20
players.encoder.terms.reconstruct.weight = 7.5
metrics.codes = false
metrics.spread = { metric = "spread", of = "e(x)", statistics = "running" }
"""
)


class Quiet:
    """A listener that says nothing, and does something after a step."""

    def __init__(self, after=0, action=None):
        self.after, self.action = after, action

    def preparing(self, part, done, total): ...

    def judging(self, done, total): ...

    def begins(self, run): ...

    def logged(self, run, line): ...

    def ends(self, run, interrupted): ...

    def stepped(self, run):
        if self.action and run.game.steps_done == self.after:
            self.action()


class Killed(Exception):
    pass


def killed():
    raise Killed


def begin(name, text=STAGED, listener=None, settings=()):
    """Start a run and play it, to its end or until its listener has it otherwise."""
    listener = listener or Quiet()
    run = start(recipe_of(*settings, text=text), plugins.load(), Path("runs"), name, listener)
    play(run, listener)
    return run


def go_on(name, text=STAGED, listener=None, settings=()):
    listener = listener or Quiet()
    run = resume(recipe_of(*settings, text=text), open_run(Path("runs") / name), listener)
    play(run, listener)
    return run


def left_behind(name):
    """What must be the same, byte for byte: tensors as files, counters, metrics without the clock."""
    folder = RunFolder(Path("runs") / name)
    last = sorted(folder.checkpoints.iterdir())[-1]
    state = json.loads((last / "state.json").read_text())
    lines = [json.loads(line) for line in folder.metrics.read_text().splitlines()]
    assert all(line.pop("clock")["images_per_second"] > 0 for line in lines)
    tensors = {part: (last / f"{part}.safetensors").read_bytes() for part in PARTS}
    return last.name, tensors, state["optimizers"], state["stage_step"], [json.dumps(line) for line in lines]


def agekit_run(*arguments):
    """Run the tiny recipe from the command line; the status."""
    Path("tiny.toml").write_text(TINY)
    return main(["run", "tiny.toml", *arguments])


def events_of(folder):
    accumulator = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0, "tensors": 0})
    accumulator.Reload()
    return accumulator


def damage(file):
    blob = bytearray(file.read_bytes())
    blob[-1] ^= 1
    file.write_bytes(blob)
