"""A run as its folder tells it: how far it is, how it does, and what was measured of it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from ..errors import RunError
from ..evaluate.evaluation import Evaluation, evaluations
from ..lock import held
from ..report.metrics import read_metrics
from ..train.folder import Mark, RunFolder, open_run

State = Literal["finished", "running", "stopped", "broken"]

CHECKPOINT = re.compile(r"step-(\d+)\Z")
DEEPEST = 3
"""How many folders deep runs are looked for: those of a sweep lie in RUNS/SWEEP/TRIAL."""


Tables = dict[str, Any]


class Length(BaseModel):
    """What `[run]` says of a run's end."""

    stop_after: int | None = None


class Resolved(BaseModel):
    """A resolved recipe, as far as it is read without being bound: tables are tables."""

    run: Length = Length()
    data: Tables = {}
    views: Tables = {}
    metrics: Tables = {}
    players: Tables = {}
    networks: Tables = {}
    stages: list[Tables] = []


@dataclass(frozen=True)
class Told:
    """A run's folder, read once; `broken` says why it cannot be used, and is empty where it can.

    `name` is the way to it from the folder of runs.
    """

    folder: RunFolder
    name: str
    broken: str = ""
    mark: Mark | None = None

    @cached_property
    def tree(self) -> dict[str, Any]:
        """The resolved recipe. Raises `RunError` where it cannot be read."""
        try:
            tree = tomllib.loads(self.folder.recipe.read_text(encoding="utf-8"))
            Resolved.model_validate(tree)
        except ValidationError as error:
            key = ".".join(map(str, error.errors()[0]["loc"]))
            raise RunError(f"{self.folder.recipe} is no recipe of a run: {key} makes no sense") from error
        except (OSError, ValueError, RecursionError) as error:
            raise RunError(f"{self.folder.recipe} cannot be read: {error}") from error
        return tree

    @cached_property
    def lines(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl. Raises `RunError` where it cannot be read."""
        try:
            found = list(read_metrics(self.folder.metrics))
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            raise RunError(f"{self.folder.metrics} cannot be read: {error}") from error
        if strange := [number for number, line in enumerate(found, 1) if "step" not in line]:
            raise RunError(f"{self.folder.metrics} cannot be read: line {strange[0]} is no line of metrics")
        return found

    @cached_property
    def evaluations(self) -> list[Evaluation]:
        """What `agekit eval` left there. Raises `RunError` where it cannot be read."""
        return evaluations(self.folder.path)

    @property
    def recipe(self) -> str:
        return self.mark.recipe if self.mark else ""

    @property
    def seed(self) -> int | None:
        return self.mark.seed if self.mark else None

    @property
    def started(self) -> datetime | None:
        return self.mark.started if self.mark else None

    @property
    def step(self) -> int:
        """The last step that was written down, or saved."""
        return max(int(self.lines[-1]["step"]) if not self.broken and self.lines else 0, self._saved_step)

    @property
    def steps(self) -> int | None:
        """The steps of the whole run; None where its mark does not tell."""
        if self.mark is None or not self.mark.stages:
            return None
        total = sum(stage.steps for stage in self.mark.stages)
        return min(total, self.tree.get("run", {}).get("stop_after") or total)

    @property
    def state(self) -> State:
        """How it does: finished where the checkpoint of its last step is there, running where it is being written."""
        if self.broken:
            return "broken"
        if held(self.folder.lock):
            return "running"
        return "finished" if self.steps is not None and self._saved_step >= self.steps else "stopped"

    @property
    def _saved_step(self) -> int:
        names = (CHECKPOINT.match(path.name) for path in self.folder.checkpoints.glob("step-*"))
        return max((int(found[1]) for found in names if found), default=0)


def told(path: Path, name: str = "") -> Told:
    """Read a run's folder; one that cannot be used says why."""
    folder = RunFolder(path)
    try:
        found = Told(folder, name or path.name, mark=open_run(path).marked())
        found.tree, found.lines, found.evaluations  # noqa: B018 - read, so that what is damaged is known now
    except RunError as error:
        return Told(folder, name or path.name, broken=str(error))
    return found


def runs_in(runs: Path) -> list[Told]:
    """The runs in a folder, and in its folders, in the order in which they were started.

    Raises `RunError` where there is no such folder.
    """
    if not runs.is_dir():
        raise RunError(f"{runs} is no folder of runs")
    found = [told(path, str(path.relative_to(runs))) for path in _folders(runs, DEEPEST)]
    return sorted(found, key=lambda one: (one.started is not None, str(one.started), one.name))


def _folders(inside: Path, depth: int) -> Iterator[Path]:
    """The folders of runs; one whose making was cut short is known by its recipe's place."""
    for path in sorted(path for path in inside.iterdir() if path.is_dir() and not path.name.startswith(".")):
        if RunFolder(path).mark.is_file() or RunFolder(path).checkpoints.is_dir():
            yield path
        elif depth > 1:
            yield from _folders(path, depth - 1)
