"""What components promise. Floor 0: nothing here imports torch, or anything else of agekit but its errors."""

from .component import Component, Known, StateKept, draws, option
from .controller import Controller, Reading
from .dataset import BrokenSample, Dataset, Download, Source
from .loss import Adversarial, Divergence, Law, Loss, Reciprocity
from .metric import Comparison, Judged, Metric
from .network import Critic, Encoder, Generator, Network, Parser
from .operand import Measure, Operand
from .other import Operator, Optimizer, Progress, Schedule
from .reference import Reference
from .shelves import SHELVES, Shelf
from .space import CODE, SCORE, DataField, Space

__all__ = [
    "CODE",
    "SCORE",
    "SHELVES",
    "Adversarial",
    "BrokenSample",
    "Comparison",
    "Component",
    "Controller",
    "Critic",
    "DataField",
    "Dataset",
    "Divergence",
    "Download",
    "Encoder",
    "Generator",
    "Judged",
    "Known",
    "Law",
    "Loss",
    "Measure",
    "Metric",
    "Network",
    "Operand",
    "Operator",
    "Optimizer",
    "Parser",
    "Progress",
    "Reading",
    "Reciprocity",
    "Reference",
    "Schedule",
    "Shelf",
    "Source",
    "Space",
    "StateKept",
    "draws",
    "option",
]
