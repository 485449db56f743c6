"""A study: the runs of one recipe over settings and seeds, planned in a file before any begins."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import tomli_w
from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import AgekitError, Problem, RecipeError, RunError
from ..files import read_json, write_json, write_text
from ..game.bound import Recipe
from ..game.check import bind
from ..plugins import Loaded
from ..recipe.compose import overlay, setting
from ..train.folder import check_name, made
from .axes import Axis, product, slug

FORMAT = 1
PLAN = "study.json"
FAILURES = "failures.json"
MOST = 10_000
"""So many runs a study has at most; one more is a slip of the keyboard, and would be planned for hours."""


class Trial(BaseModel):
    """One run of a study: its folder in that of the study, its seed, and what else is set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: str
    settings: tuple[str, ...]
    seed: int

    @property
    def said(self) -> str:
        """In words: `players.generator.updates=2, seed 1`."""
        return ", ".join([*self.settings, f"seed {self.seed}"])


class Plan(BaseModel):
    """All runs of a study, in the order in which they are played."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int = FORMAT
    recipe: str
    trials: tuple[Trial, ...]


@dataclass(frozen=True)
class Study:
    """A study in its folder."""

    path: Path
    plan: Plan

    @property
    def recipe(self) -> Path:
        """The resolved recipe, on which the settings of the trials are laid."""
        return self.path / "recipe.toml"

    def failures(self) -> dict[str, str]:
        """Why trials failed, by their folders. Raises `RunError` where the file cannot be read."""
        file = self.path / FAILURES
        try:
            found: dict[str, str] = read_json(file) if file.exists() else {}
        except (OSError, ValueError) as error:
            raise RunError(f"{file} cannot be read: {error}") from error
        return found

    def note(self, trial: Trial, reason: str) -> None:
        """Note why a trial failed; that it did not, where there is no reason."""
        others = {folder: why for folder, why in self.failures().items() if folder != trial.folder}
        write_json(self.path / FAILURES, {**others, **({trial.folder: reason} if reason else {})})


def planned(recipe: Recipe, axes: Sequence[Axis], seeds: int) -> Plan:
    """The runs over every combination of values, each with so many seeds, counted from the recipe's.

    Raises `AgekitError` where they are more than `MOST`, or a seed is too large for `run.seed`.
    """
    if (runs := math.prod(len(one.values) for one in axes) * seeds) > MOST:
        raise AgekitError(f"{runs:,} runs are asked for; {MOST:,} at most fit in one study")
    if (last := recipe.run.seed + seeds - 1) >= 2**63:
        raise AgekitError(f"the last seed would be {last}; less than 2**63 fits (run.seed)")
    combinations = list(product(axes))
    digits, trials = len(str(len(combinations))), []
    for number, settings in enumerate(combinations, 1):
        folder = f"{number:0{digits}}-{slug(settings)}/" if settings else ""
        for seed in range(recipe.run.seed, recipe.run.seed + seeds):
            trials.append(Trial(folder=f"{folder}seed-{seed}", settings=settings, seed=seed))
    return Plan(recipe=recipe.name, trials=tuple(trials))


def check(recipe: Recipe, plan: Plan, loaded: Loaded) -> None:
    """Raise `RecipeError` with every problem of every combination of values, before anything begins."""
    problems: dict[Problem, None] = {}
    for settings in dict.fromkeys(trial.settings for trial in plan.trials):
        document, found = recipe.document, list[Problem]()
        try:
            for text in settings:
                document = overlay(document, setting(text, document, "--over"), found)
            bind(document, loaded.registries, recipe.name)
        except RecipeError as error:
            found += error.problems
        problems |= dict.fromkeys(found)
    if problems:
        raise RecipeError(list(problems))


def create(runs: Path, name: str | None, recipe: Recipe, plan: Plan) -> Study:
    """Make RUNS/NAME, or RUNS/<recipe>-NNNN, for a study, and write its plan.

    Raises `RunError` where the name is malformed or taken, or the folder cannot be written.
    """
    check_name(runs, name)
    try:
        return Study(made(runs, name, recipe.name, partial(_write, recipe, plan)), plan)
    except OSError as error:
        raise RunError(f"{error.filename or runs}: the folder cannot be written: {error.strerror}") from error


def taken_up(runs: Path, name: str | None, recipe: Recipe, plan: Plan) -> Study:
    """The study of this very plan: made where it is not there, or gone on with.

    Its name is made of the recipe's and of the plan, so that the same command finds it. Raises `RunError` where the
    folder of a given name is of something else.
    """
    path = runs / (name or f"{recipe.name}-sweep-{_digest(recipe, plan)}")
    if not path.exists():
        return create(runs, path.name, recipe, plan)
    study = opened(path)
    if study.plan != plan or study.recipe.read_text(encoding="utf-8") != _text(recipe):
        said = "of another recipe, of other values or of other seeds"
        raise RunError(f"{path} is another sweep, {said}; choose another --name")
    return study


def _write(recipe: Recipe, plan: Plan, path: Path) -> None:
    """Fill the folder of a study."""
    write_text(Study(path, plan).recipe, _text(recipe))
    write_json(path / PLAN, plan.model_dump())


def _text(recipe: Recipe) -> str:
    return tomli_w.dumps(recipe.document.tree)


def _digest(recipe: Recipe, plan: Plan) -> str:
    return hashlib.sha256(f"{_text(recipe)}\n{plan.model_dump_json()}".encode()).hexdigest()[:8]


def is_study(path: Path) -> bool:
    """Whether a folder is that of a study."""
    return (path / PLAN).is_file()


def opened(path: Path) -> Study:
    """Open a study's folder. Raises `RunError` where it is none, or its plan cannot be read."""
    try:
        plan = Plan.model_validate_json((path / PLAN).read_text(encoding="utf-8"))
    except (OSError, ValidationError) as error:
        said = "it has no plan" if isinstance(error, FileNotFoundError) else str(error).splitlines()[0]
        raise RunError(f"{path} is not the folder of several runs: {PLAN}: {said}") from error
    if plan.format != FORMAT:
        raise RunError(f"{path / PLAN} has format {plan.format!r}, and this agekit reads format {FORMAT}")
    return Study(path, plan)
