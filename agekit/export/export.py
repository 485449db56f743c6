"""Exporting: every network in a format, read again from its file, and compared with the run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from ..errors import AgekitError, RunError
from ..evaluate.judging import checkpoints_of
from ..game.game import Game
from ..game.load import load_recipe
from ..game.views import Gallery
from ..plugins import Loaded
from ..train import checkpoint as saved
from ..train.compute import prepare_compute
from ..train.folder import RunFolder
from .formats import FORMATS, Applying
from .parts import Part, parts_of

TOLERANCE = 1e-5
"""How far what is read may be from the run, as a share of the largest number that the run makes, or of 1."""

COUNTS = (1, 5)
"""The batch sizes at which both are compared; a program is made at neither."""


@dataclass(frozen=True)
class Wanted:
    """What is to be exported; what is None is as it comes. No networks are all that are trained."""

    form: str = "safetensors"
    networks: tuple[str, ...] = ()
    checkpoint: str = "last"
    weights: str = "raw"
    statistics: str | None = None


@dataclass(frozen=True)
class Exported:
    """A network that was written: what it is, its file, how far that is from the run, and the code that loads it."""

    part: Part
    file: Path
    difference: float
    code: str


def opened(folder: RunFolder, loaded: Loaded, which: str) -> tuple[Gallery, saved.Checkpoint]:
    """A run as it stood at a checkpoint, on the CPU; no data is needed."""
    recipe = load_recipe(folder.recipe, loaded, name=folder.read_mark()["recipe"])
    recipe = replace(recipe, compute=recipe.compute.model_copy(update={"device": "cpu"}))
    game = Game(recipe, None, folder.marked_data().fields, prepare_compute(recipe.compute))
    gallery, checkpoint = Gallery(game), checkpoints_of(folder, which)[which]
    saved.restore(checkpoint, game, gallery)
    return gallery, checkpoint


def export(gallery: Gallery, wanted: Wanted, to: Path, loaded: Loaded) -> list[Exported]:
    """Write the networks of a run to a folder, each checked against the run.

    Raises `AgekitError` where a network does not fit the format, or comes back as another; `RunError` where the disk
    does not take it.
    """
    form = FORMATS[wanted.form]
    done = []
    for part in parts_of(gallery, wanted.networks, wanted.weights, wanted.statistics):
        file = to / f"{part.name}{form.suffix}"
        try:
            to.mkdir(parents=True, exist_ok=True)
            form.write(part, file)
        except OSError as error:
            raise RunError(f"{file} cannot be written: {error.strerror or error}") from error
        difference = compared(part, form.read(file, loaded), file)
        done.append(Exported(part, file, difference, form.code(part, file.name)))
    return done


@torch.no_grad()
def compared(part: Part, applying: Applying, file: Path) -> float:
    """The largest difference from the run. Raises `AgekitError` where it is too large, and removes the file."""
    worst = 0.0
    for count in COUNTS:
        inputs = part.inputs(count)
        ours, theirs = part.made(inputs), applying(*inputs)
        scale = max(1.0, ours.abs().max().item())
        found = (ours - theirs).abs().max().item() / scale if ours.shape == theirs.shape else float("inf")
        worst = max(worst, found)
        if not found <= TOLERANCE:
            file.unlink(missing_ok=True)
            raise AgekitError(
                f"{part.name} comes back from {file.name} as another: for a batch of {count} it differs from the run "
                f"by {found:.2g}, where {TOLERANCE:g} at most fits; the file is not kept"
            )
    return worst
