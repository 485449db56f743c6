"""The shelves: which registries there are, and what each holds. Their names are for people."""

from __future__ import annotations

from dataclasses import dataclass

from .component import Component
from .controller import Controller
from .dataset import Dataset
from .loss import Adversarial, Divergence, Loss, Reciprocity
from .metric import Judged
from .network import Critic, Encoder, Generator, Parser
from .other import Operator, Optimizer, Schedule
from .reference import Reference


@dataclass(frozen=True)
class Shelf:
    """A registry: its name (plural), the key that recipes write, and the contract of what it holds."""

    name: str
    key: str
    contract: type[Component]


SHELVES = (
    Shelf("generators", "generator", Generator),
    Shelf("encoders", "encoder", Encoder),
    Shelf("critics", "critic", Critic),
    Shelf("parsers", "parser", Parser),
    Shelf("references", "reference", Reference),
    Shelf("divergences", "divergence", Divergence),
    Shelf("reciprocities", "reciprocity", Reciprocity),
    Shelf("adversarial", "adversarial", Adversarial),
    Shelf("losses", "loss", Loss),
    Shelf("metrics", "metric", Judged),
    Shelf("operators", "operator", Operator),
    Shelf("schedules", "schedule", Schedule),
    Shelf("controllers", "controller", Controller),
    Shelf("optimizers", "optimizer", Optimizer),
    Shelf("datasets", "dataset", Dataset),
)
