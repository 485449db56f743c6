"""A run's folder: what is in it, and how one is made or opened."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from ..contracts import DataField
from ..errors import RunError
from ..files import (
    folder_beside,
    is_whole,
    place,
    place_numbered,
    read_json,
    sealed,
    sealed_text,
    sha256_of,
    unsealed,
    write_json,
    write_text,
)

FORMAT = 1
MARK = "run.json"
NAME = re.compile(r"[\w][\w.+-]*\Z")
LONGEST = 200
"""So many bytes the name of a folder has at most; what is written beside it has some more, and 255 is the most."""


class MarkedSamples(BaseModel):
    """What a run's mark says about samples, as far as it is read again."""

    model_config = ConfigDict(frozen=True)

    fingerprint: str
    prepared: str = ""
    """The folder in the cache."""


class MarkedData(MarkedSamples):
    """What a run's mark says about its data: the samples it trains on, and those held out, where it has some."""

    fields: dict[str, DataField]
    held_out: MarkedSamples | None = None


class MarkedStage(BaseModel):
    """What a run's mark says about a stage: its steps, and the operations and samples of data of each step."""

    model_config = ConfigDict(frozen=True)

    name: str
    steps: int
    flops: int
    images: int


class Mark(BaseModel):
    """What makes a folder a run, as far as it is read again; the mark holds the whole provenance."""

    model_config = ConfigDict(frozen=True)

    recipe: str
    data: MarkedData
    seed: int = 0
    started: datetime | None = None
    device_name: str = ""
    stages: tuple[MarkedStage, ...] = ()


@dataclass(frozen=True)
class RunFolder:
    """The paths of a run."""

    path: Path

    @property
    def mark(self) -> Path:
        """What makes the folder a run: format, recipe's name, provenance."""
        return self.path / MARK

    @property
    def recipe(self) -> Path:
        """The resolved recipe; a run can be repeated from it alone."""
        return self.path / "recipe.toml"

    @property
    def plan(self) -> Path:
        return self.path / "plan.txt"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def lock(self) -> Path:
        """Who trains it holds this file."""
        return self.path / "lock"

    @property
    def events(self) -> Path:
        return self.path / "events"

    @property
    def pictures(self) -> Path:
        return self.path / "pictures"

    @property
    def evaluations(self) -> Path:
        """What `agekit eval` wrote of it."""
        return self.path / "evaluations"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def faults(self) -> Path:
        """What is known of steps whose numbers were none."""
        return self.path / "faults"

    @property
    def best(self) -> Path:
        """Where the best checkpoint is kept, by the metric that the recipe names."""
        return self.path / "best"

    def read_mark(self) -> dict[str, Any]:
        """What the mark says."""
        mark: dict[str, Any] = read_json(self.mark)
        return mark

    def write_mark(self, mark: dict[str, Any]) -> None:
        """Write what the mark says."""
        write_json(self.mark, sealed({"format": FORMAT, **mark}))

    def marked_data(self) -> MarkedData:
        """What the mark says about the run's data."""
        return self.marked().data

    def marked(self) -> Mark:
        """What the mark says, as far as it is read again."""
        return Mark.model_validate(self.read_mark())


def create(runs: Path, name: str | None, recipe: str, plan: str, mark: dict[str, Any]) -> RunFolder:
    """Make RUNS/NAME, or RUNS/<recipe>-NNNN with a number that was never used, and write its first files.

    Raises `RunError` where the name is malformed or taken, or the folder cannot be written.
    """
    check_name(runs, name)

    def fill(path: Path) -> None:
        folder = RunFolder(path)
        for inner in (folder.events, folder.pictures, folder.checkpoints):
            inner.mkdir()
        write_text(folder.recipe, sealed_text(recipe))
        write_text(folder.plan, plan)
        folder.write_mark({**mark, "sha256": {folder.plan.name: sha256_of(folder.plan)}})

    try:
        return RunFolder(made(runs, name, mark["recipe"], fill))
    except OSError as error:
        raise RunError(f"{error.filename or runs}: the run's folder cannot be written: {error.strerror}") from error


def check_own(folder: RunFolder) -> None:
    """Raise `RunError` where something in a run is a link: to go on would be to write wherever that leads."""
    if link := next((path for path in folder.path.rglob("*") if path.is_symlink()), None):
        raise RunError(f"{link} is a link, and only a folder without any is gone on with: put there what it leads to")


def check_name(runs: Path, name: str | None) -> None:
    """Raise `RunError` where a run cannot have this name: it is malformed, or taken."""
    if name is not None and not (NAME.match(name) and len(name.encode()) <= LONGEST):
        raise RunError(f"--name {name!r}: a name is letters, digits, dots, dashes and underscores, {LONGEST} at most")
    if name is not None and (runs / name).exists():
        raise _taken(runs / name)


def _taken(path: Path) -> RunError:
    return RunError(f"{path} is there already; choose another --name, or: agekit resume {path}")


def made(runs: Path, name: str | None, recipe_name: str, fill: Callable[[Path], None]) -> Path:
    """Make the folder RUNS/NAME, or RUNS/<recipe>-NNNN, filled or not at all. Raises `RunError` where it is there."""
    runs.mkdir(parents=True, exist_ok=True)
    with folder_beside(runs / (name or recipe_name)) as folder:
        fill(folder)
        if name is None:
            return place_numbered(folder, runs, recipe_name)
        try:
            place(folder, runs / name)
        except FileExistsError:
            raise _taken(runs / name) from None
    return runs / name


def open_run(path: Path) -> RunFolder:
    """Open a run's folder. Raises `RunError` where it is none, is of another format, or is damaged."""
    folder = RunFolder(path)
    check_mark(folder)
    check_recipe(folder)
    return folder


def check_mark(folder: RunFolder) -> None:
    """Raise `RunError` where a folder is no run's, or its mark is of another format, or damaged."""
    path = folder.path
    if not folder.mark.is_file():
        said = "does not exist" if not path.exists() else f"is not a run's folder: it has no {MARK}"
        raise RunError(f"{path} {said}")
    try:
        mark = folder.read_mark()
        found = mark.get("format") if isinstance(mark, dict) else None
    except (OSError, ValueError) as error:
        raise RunError(f"{folder.mark} cannot be read: {error}") from error
    if found != FORMAT:
        raise RunError(f"{folder.mark} has format {found!r}, and this agekit reads format {FORMAT}")
    try:
        Mark.model_validate(unsealed(mark))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        said = "lacks" if first["type"] == "missing" else "has no sensible"
        raise RunError(f"{folder.mark} {said} {key}: it is damaged, or of something else") from error
    except ValueError as error:
        raise RunError(f"{folder.mark} is damaged: {error}") from error


def check_recipe(folder: RunFolder) -> None:
    """Raise `RunError` where a run's recipe is not as the run wrote it."""
    try:
        whole = is_whole(folder.recipe.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{folder.recipe} cannot be read: {error}") from error
    if not whole:
        raise RunError(f"{folder.recipe} is not as the run wrote it, by its hash: it is damaged, or was edited")
