"""Opening a run to be judged: its recipe with what is asked besides, its data, and one of its checkpoints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import AgekitError, RunError
from ..game.bound import BoundStage, Recipe
from ..game.game import Game, Samples
from ..game.load import load_recipe
from ..game.networks import follow
from ..plugins import Loaded
from ..recipe.tables import Statistics
from ..train import checkpoint as saved
from ..train.compute import prepare_compute
from ..train.data import Report, RunData, check_unchanged, prepare_all
from ..train.folder import RunFolder
from ..train.sources import load_programs, load_sources
from .defaults import Entry, default_entries, named_entries, settings_of, summed_up

TRAINING = "training"
"""The split that was trained on."""

SETTABLE = ("metrics", "networks", "compute", "data.root", "data.held_out")
"""What may be said anew: none of it changes what was trained."""


@dataclass(frozen=True)
class Wanted:
    """What is asked of an evaluation; what is None is as the run's recipe has it.

    metrics: names of metrics of the recipe, of those taken by default, or of registered components; all, where empty.
    split: the part of the data set to judge on, or `training`.
    which: `last` or `best`; both, where both are there. weights: `raw` or `ema`, for all networks that have an average.
    extractor: the operator by which components named in `metrics` see features.
    """

    metrics: tuple[str, ...] = ()
    seeds: int = 3
    count: int | None = None
    generated: int | None = None
    split: str | None = None
    statistics: Statistics | None = None
    which: str | None = None
    weights: str | None = None
    extractor: str | None = None
    settings: tuple[str, ...] = ()


@dataclass
class Opened:
    """A run's game on its data, with the metrics that are wanted; `left_out` names defaults that do not fit it."""

    game: Game
    data: RunData
    added: frozenset[str]
    left_out: Mapping[str, str]

    @property
    def fingerprints(self) -> dict[Samples, str]:
        """The fingerprints of the samples, by which they are."""
        found: dict[Samples, str] = {"training": self.data.training.fingerprint}
        return found | ({"held out": self.data.held_out.fingerprint} if self.data.held_out else {})

    def at(self, checkpoint: saved.Checkpoint, weights: str | None) -> Game:
        """The game as it stood at a checkpoint, with averages put for what they are of, or the other way round.

        Raises `RunError` where the checkpoint is damaged, or there are no averages and they are asked for.
        """
        saved.restore_weights(checkpoint, self.game, self.added)
        specs = self.game.recipe.networks
        averages = {name: spec.keys.average_of for name, spec in specs.items() if spec.keys.average_of is not None}
        if weights and not averages:
            raise RunError(f"--weights {weights}: the run keeps no running average of a network (average_of)")
        for average, original in averages.items() if weights else ():
            networks = self.game.networks[average], self.game.networks[str(original)]
            follow(*(networks if weights == "raw" else networks[::-1]), decay=0)
        return self.game


def open_for(
    folder: RunFolder, wanted: Wanted, loaded: Loaded, cache: Path, *, trust: bool, preparing: Report | None = None
) -> Opened:
    """A run, ready to be judged. Raises `AgekitError` where what is asked does not fit it, or its data is gone."""
    name = folder.read_mark()["recipe"]
    trained = load_recipe(folder.recipe, loaded, name=name)
    settings = [*_checked(wanted.settings), *_split(wanted.split, trained)]
    recipe = load_recipe(folder.recipe, loaded, settings, name=name)
    entries, chosen, left_out = _chosen(wanted, recipe, loaded)
    recipe = load_recipe(folder.recipe, loaded, [*settings, *settings_of(entries)], name=name)
    recipe = _adjusted(recipe, trained, chosen, wanted)
    device = prepare_compute(recipe.compute)
    data = prepare_all(recipe, cache, preparing)
    check_unchanged(folder, data, held_out=not any("held_out" in one for one in settings))
    game = data.game(recipe, device)
    added = frozenset(recipe.networks.keys() - trained.networks.keys())
    load_sources(game, added)
    load_programs(game, trust=trust)
    return Opened(game, data, added, left_out)


def _checked(settings: Iterable[str]) -> list[str]:
    for text in settings:
        key = text.partition("=")[0].replace(" ", "")
        if not any(key == one or key.startswith(f"{one}.") for one in SETTABLE):
            raise AgekitError(f"--set {key}: a run is judged as it was trained; only {', '.join(SETTABLE)} may be said")
    return list(settings)


def _split(split: str | None, recipe: Recipe) -> list[str]:
    """The settings that hold out another part of the data set."""
    if split in (None, TRAINING):
        return []
    forget = ["data.held_out=false"] if recipe.held_out else []
    return [*forget, f'data.held_out={{ split = "{split}" }}']


def _chosen(
    wanted: Wanted, recipe: Recipe, loaded: Loaded
) -> tuple[dict[str, Entry], frozenset[str], Mapping[str, str]]:
    """The entries to add to `[metrics]`, the names of all that is taken, and what was left out of the defaults."""
    own = {name: spec for stage in recipe.stages for name, spec in stage.metrics.items()}
    there = {(spec.label, *map(str, spec.operands.values())) for spec in own.values()}
    default, left_out = default_entries(recipe, loaded.registries)
    default = {name: one for name, one in default.items() if name not in own and summed_up(one) not in there}
    if not wanted.metrics:
        return default, frozenset({*own, *default}), left_out
    entries: dict[str, Any] = {}
    chosen: set[str] = set()
    for name in wanted.metrics:
        added = {} if name in own else {name: default[name]} if name in default else None
        if added is None:
            added = named_entries(name, recipe, loaded.registries, wanted.extractor)
        entries |= {one: entry for one, entry in added.items() if one not in own}
        chosen |= added.keys() or {name}
    return entries, frozenset(chosen), {}


def _adjusted(recipe: Recipe, trained: Recipe, chosen: frozenset[str], wanted: Wanted) -> Recipe:
    """The recipe with the chosen metrics alone, taken as is asked; the data of training is what it was."""
    on = TRAINING if wanted.split == TRAINING else None
    said = {"count": wanted.count, "generated": wanted.generated, "statistics": wanted.statistics, "on": on}
    update = {key: value for key, value in said.items() if value is not None}

    def adjusted(stage: BoundStage) -> BoundStage:
        kept = {name: spec for name, spec in stage.metrics.items() if name in chosen}
        return replace(
            stage, metrics={n: replace(spec, keys=spec.keys.model_copy(update=update)) for n, spec in kept.items()}
        )

    stages = tuple(map(adjusted, recipe.stages))
    return replace(recipe, stages=stages, held_out_share=trained.held_out_share)
