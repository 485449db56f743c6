"""The data of a run: what is trained on, and what is held out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from ..contracts import Dataset
from ..data.division import divided
from ..data.overlap import common
from ..data.prepare import prepare
from ..data.prepared import Prepared
from ..errors import DataError, RunError
from ..files import unsealed
from ..game.blame import blamed
from ..game.bound import Recipe
from ..game.game import Game
from ..game.judged import other_field
from ..game.ranks import ALONE, Ranks
from .features import Features
from .folder import RunFolder

Report = Callable[[str, int, int], None]
"""What is told while samples are prepared: of which part (training or held-out), how many are done, of how many."""


CHANCE = 0.01
"""The share of held-out samples that may be trained on, too: data sets have doubles, and are published so."""

INSTEAD = "data.held_out.share=0.1 sets some of the training samples aside, data.held_out=false holds none out"


@dataclass(frozen=True)
class RunData:
    """The prepared samples of a run; `doubles` of those held out are trained on, too."""

    training: Prepared
    held_out: Prepared | None
    cache: Path
    doubles: int = 0

    @property
    def features(self) -> Features:
        """Where features of these samples are kept."""
        of = f"{self.training.fingerprint} {self.held_out.fingerprint if self.held_out else None}"
        return Features(self.cache / "features", of)

    def game(self, recipe: Recipe, device: torch.device, ranks: Ranks = ALONE) -> Game:
        """The game of a recipe on these samples."""
        held_out = self.held_out.arrays if self.held_out else None
        return Game(recipe, self.training.arrays, self.training.fields, device, held_out, ranks)


def prepare_all(recipe: Recipe, cache: Path, progress: Report | None = None) -> RunData:
    """Prepare what a recipe trains on, and what it holds out.

    Raises `DataError` where one of them is missing or damaged, where the two do not have the same fields, or where what
    is held out is trained on, more than by chance.
    """

    def prepared(dataset: Dataset, part: str) -> Prepared:
        return _prepared(recipe.dataset_name, dataset, cache, partial(progress, part) if progress else None)

    training, held_out = _set_aside(recipe, prepared(recipe.dataset, "training"))
    if recipe.held_out and not recipe.set_aside:
        try:
            held_out = prepared(recipe.held_out, "held-out")
        except DataError as error:
            raise type(error)(f"data.held_out: {error}\n{INSTEAD}") from error
    if held_out is None:
        return RunData(training, None, cache)
    if problem := other_field(held_out.fields, training.fields):
        raise DataError(f"{recipe.dataset_name}: {problem}")
    doubles = common(held_out, training)
    if doubles > CHANCE * len(held_out) and not recipe.set_aside:
        found = f"{doubles:,} of the {len(held_out):,} held-out samples are trained on, too"
        raise DataError(f"data.held_out: {found}; options that name other samples fit, or\n{INSTEAD}")
    return RunData(training, held_out, cache, doubles)


def prepare_training(recipe: Recipe, cache: Path) -> Prepared:
    """Prepare what a recipe trains on, alone. Raises `DataError` where it is missing or damaged."""
    return _set_aside(recipe, _prepared(recipe.dataset_name, recipe.dataset, cache))[0]


def _prepared(name: str, dataset: Dataset, cache: Path, progress: Callable[[int, int], None] | None = None) -> Prepared:
    with blamed(f"dataset {name}: {type(dataset).__name__} of {type(dataset).__module__.partition('.')[0]}"):
        return prepare(name, dataset, cache, progress=progress)


def _set_aside(recipe: Recipe, samples: Prepared) -> tuple[Prepared, Prepared | None]:
    """What is trained on, and the share that the recipe sets aside."""
    if recipe.held_out_share is None:
        return samples, None
    return divided(samples, recipe.held_out_share, recipe.run.seed)


def check_unchanged(folder: RunFolder, data: RunData, *, held_out: bool = True) -> None:
    """Raise `RunError` where the data, or what is held out where that counts, is not what a run began with."""
    for part, here, there in _changes(folder, data):
        if held_out or part == "data":
            raise RunError(
                f"{folder.path}: the {part} has changed since the run began: "
                f"its fingerprint is {here[:12]}, and was {there[:12]}; agekit resume --despite data goes on with it"
            )


def mark_changes(folder: RunFolder, data: RunData, step: int) -> None:
    """Note in a run's mark that from this step on it has other data than before, where it has."""
    changes = list(_changes(folder, data))
    if not changes:
        return
    mark = unsealed(folder.read_mark())
    for part, here, there in changes:
        mark.setdefault("changes", []).append({"step": step, "what": part, "from": there, "to": here})
        marked = mark["data"] if part == "data" else mark["data"].setdefault("held_out", {})
        marked["fingerprint"] = here
    folder.write_mark(mark)


def _changes(folder: RunFolder, data: RunData) -> Iterator[tuple[str, str, str]]:
    """The parts of the data that are not what a run's mark says, with their fingerprints, here and there."""
    marked = folder.marked_data()
    for part, found, was in (("data", data.training, marked), ("held-out data", data.held_out, marked.held_out)):
        here, there = found.fingerprint if found else "none", was.fingerprint if was else "none"
        if here != there:
            yield part, here, there
