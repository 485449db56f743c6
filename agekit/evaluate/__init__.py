"""Judging a run: its metrics, several times, each number with the protocol it was taken by."""

from .evaluate import evaluate
from .evaluation import Evaluation, Measured, evaluations
from .opening import Wanted
from .protocol import Extractor, Protocol

__all__ = ["Evaluation", "Extractor", "Measured", "Protocol", "Wanted", "evaluate", "evaluations"]
