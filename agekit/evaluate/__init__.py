"""Judging a run: its metrics, several times, each number with the protocol it was taken by.

Names are imported when they are first used, so that what was judged can be read without torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .evaluation import Evaluation, Measured, evaluations
    from .judging import evaluate
    from .opening import Wanted
    from .protocol import Extractor, Protocol

__all__ = ["Evaluation", "Extractor", "Measured", "Protocol", "Wanted", "evaluate", "evaluations"]

_FILES = ("protocol", "evaluation", "opening", "judging")


def __getattr__(name: str) -> Any:
    """Import a public name from its file."""
    for file in _FILES if name in __all__ else ():
        found = getattr(import_module(f".{file}", __name__), name, None)
        if found is not None:
            globals()[name] = found
            return found
    raise AttributeError(f"module 'agekit.evaluate' has no attribute {name!r}")
