"""agekit: experiments with latent-divergence losses.

    import agekit

    recipe = agekit.load("quickstart", "run.seed=1")
    game = agekit.build(recipe)
    step = game.step()                          # step.terms["encoder"]["real"]
    images = agekit.show(game, "samples", 16).of

Names are imported when they are first used, so that `import agekit` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .api import build, judge, load, load_network, run, show
    from .contracts import (
        Adversarial,
        BrokenSample,
        Comparison,
        Component,
        Controller,
        Critic,
        DataField,
        Dataset,
        Divergence,
        Download,
        Encoder,
        Generator,
        Known,
        Loss,
        Metric,
        Network,
        Operand,
        Operator,
        Optimizer,
        Parser,
        Progress,
        Reading,
        Reciprocity,
        Reference,
        Schedule,
        Source,
        Space,
        option,
    )
    from .errors import AgekitError, ComputeError, DataError, MissingData, PluginError, RecipeError, RunError
    from .hooks import hookimpl

__all__ = [
    "Adversarial",
    "AgekitError",
    "BrokenSample",
    "Comparison",
    "Component",
    "ComputeError",
    "Controller",
    "Critic",
    "DataError",
    "DataField",
    "Dataset",
    "Divergence",
    "Download",
    "Encoder",
    "Generator",
    "Known",
    "Loss",
    "Metric",
    "MissingData",
    "Network",
    "Operand",
    "Operator",
    "Optimizer",
    "Parser",
    "PluginError",
    "Progress",
    "Reading",
    "RecipeError",
    "Reciprocity",
    "Reference",
    "RunError",
    "Schedule",
    "Source",
    "Space",
    "build",
    "hookimpl",
    "judge",
    "load",
    "load_network",
    "option",
    "run",
    "show",
]

_ROOMS = ("contracts", "errors", "hooks", "api")


def __getattr__(name: str) -> Any:
    """Import a public name from its room, once."""
    if name in __all__:
        for room in _ROOMS:
            found = getattr(import_module(f".{room}", __name__), name, None)
            if found is not None:
                globals()[name] = found
                return found
    raise AttributeError(f"module 'agekit' has no attribute {name!r}")
