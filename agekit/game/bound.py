"""A recipe bound to its components: what the engine plays."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from ..contracts import Controller, Dataset, Loss, Measure, Network, Operator, Optimizer, Reference, Schedule
from ..recipe.language import Expression
from ..recipe.source import Document
from ..recipe.tables import About, Compute, MetricKeys, NetworkKeys, Run, Sentinel, Stage, View, in_steps

ELSEWHERE = (
    "data.root",
    "data.held_out.root",
    "compute.device",
    "compute.patience",
    "compute.threads",
    "compute.graphs",
)
"""What may differ where a run is gone on with: none of it changes what is computed, though rounding may differ."""


@dataclass(frozen=True)
class Term:
    """A loss applied to expressions, with its weight."""

    name: str
    loss: Loss
    label: str
    operands: Mapping[str, Expression]
    weight: float | Schedule | Controller


@dataclass(frozen=True)
class Player:
    """Who trains which networks, how often a step, with which optimizer, to minimise which terms."""

    name: str
    owns: tuple[str, ...]
    updates: int
    optimizer: Optimizer
    terms: tuple[Term, ...]


@dataclass(frozen=True)
class NetworkSpec:
    """A network's component, and what the recipe says about it. A running average has its original's component."""

    name: str
    component: Network
    sees: tuple[str, ...]
    makes: str
    keys: NetworkKeys


@dataclass(frozen=True)
class MetricSpec:
    """A metric, or a loss that is taken as one, applied to expressions, and what the recipe says about it."""

    name: str
    component: Measure
    label: str
    operands: Mapping[str, Expression]
    keys: MetricKeys


@dataclass(frozen=True)
class BoundStage:
    """One stage: its players act in order, each step, on batches of this size."""

    keys: Stage
    batch: int
    flip: bool
    run: Run
    sentinel: Sentinel
    players: tuple[Player, ...]
    networks: Mapping[str, NetworkSpec]
    views: Mapping[str, View]
    metrics: Mapping[str, MetricSpec]

    def owner(self, network: str) -> str | None:
        """The player that trains a network in this stage."""
        return next((player.name for player in self.players if network in player.owns), None)


@dataclass(frozen=True)
class Recipe:
    """A valid recipe. Networks, data and latent space are the same in every stage.

    `held_out` is the data set that is judged on; with a `held_out_share`, so much of that of training, set aside.
    """

    name: str
    document: Document
    about: About
    run: Run
    compute: Compute
    dataset_name: str
    dataset: Dataset
    held_out: Dataset | None
    held_out_share: float | None
    derived: Mapping[str, Expression]
    reference: Reference | None
    operators: Mapping[str, Operator]
    stages: tuple[BoundStage, ...]

    @property
    def set_aside(self) -> bool:
        """Whether what is held out is a share of what would else be trained on."""
        return self.held_out_share is not None and self.held_out == self.dataset

    @property
    def networks(self) -> Mapping[str, NetworkSpec]:
        """The networks, as the first stage has them."""
        return self.stages[0].networks

    @property
    def lasting(self) -> dict[str, Any]:
        """What it says, in plain tables, without what may differ where a run is gone on with."""
        return lasting(self.document.tree)


def lasting(tree: Mapping[str, Any]) -> dict[str, Any]:
    """A resolved recipe without what may differ where a run is gone on with: the place of its data, the device."""
    kept = {"compute": {}, **deepcopy(dict(tree))}
    for key in ELSEWHERE:
        *tables, last = key.split(".")
        table: Any = kept
        for name in tables:
            table = table.get(name) if isinstance(table, dict) else None
        if isinstance(table, dict):
            table.pop(last, None)
    return kept


def length_of(stage: BoundStage, samples: int) -> int:
    """The steps of a stage: what it says itself, or else what `[run]` says."""
    keys, run = stage.keys, stage.run
    steps, epochs = (keys.steps, keys.epochs) if keys.steps or keys.epochs else (run.steps, run.epochs)
    return steps or in_steps(f"{epochs} epochs", samples // stage.batch)
