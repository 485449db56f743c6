"""What TensorBoard is told besides curves and pictures: texts, hparams, and a layout of the curves that matter."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from ..contracts import CODE
from ..errors import RunError
from ..game.bound import Recipe
from ..game.game import Game
from ..game.plan import ViewPlan
from ..report.board import Board
from ..report.metrics import read_metrics
from .folder import RunFolder

Charts = dict[str, list[str]]
"""The tags of each chart by its title; one that ends in / stands for all that begin so."""

SHOWN_OF_CODES = ("effective_rank", "mean_norm", "standard_deviation")


def open_board(folder: RunFolder, game: Game) -> Board:
    """TensorBoard's events of a run, with the texts and the layout that do not change as it goes."""
    board = Board(folder.events, game.steps_done)
    with ExitStack() as undo:
        undo.callback(board.close)
        for name, file in (("recipe", folder.recipe), ("plan", folder.plan), ("provenance", folder.mark)):
            board.text(name, file.read_text(encoding="utf-8"))
        board.layout(layout(game))
        undo.pop_all()
    return board


def layout(game: Game) -> dict[str, Charts]:
    """Categories of charts, what to look at first at the top: one chart for all terms of one loss, side by side."""
    players = list(dict.fromkeys(player.name for stage in game.recipe.stages for player in stage.players))
    metrics = dict.fromkeys(name for stage in game.recipe.stages for name in stage.metrics)
    codes = {name: tag_of(game, plan) for name, plan in game.views.items() if plan.nodes[plan.of].space.kind == CODE}
    whole: dict[str, Charts] = {
        "Terms, unweighted, and metrics": {
            **_terms(game.recipe),
            **{f"metric {name}": [f"metrics/{name}/"] for name in metrics},
        },
        "Gradients: how hard each weighted term pulls, and which pull against one another": {
            **{f"{player}: norms": [f"gradients/{player}/"] for player in players},
            **{f"{player}: cosines": [f"cosines/{player}/"] for player in players},
        },
        "Codes": {f"{name}: {key}": [f"{tag}/{key}"] for name, tag in codes.items() for key in SHOWN_OF_CODES},
        "Weights, learning rates, speed": {
            **{f"weights of {player}": [f"weights/{player}/"] for player in players},
            "learning rates": ["learning_rate/"],
            "images per second": ["clock/images_per_second"],
        },
    }
    return {title: charts for title, charts in whole.items() if charts}


def _terms(recipe: Recipe) -> Charts:
    """The terms of all players and stages by their loss: what has one scale stands in one chart."""
    found: dict[str, dict[str, None]] = {}
    for player in (player for stage in recipe.stages for player in stage.players):
        for term in player.terms:
            found.setdefault(term.label, {})[f"{player.name}/{term.name}"] = None
    return {f"{label}: {', '.join(tags)}": list(tags) for label, tags in found.items()}


def tag_of(game: Game, plan: ViewPlan) -> str:
    """What a view is called: with the batch-norm statistics that it is shown by, and whether its data is held out."""
    held_out = ", held-out data" if game.samples_of(plan.nodes) == "held out" else ""
    return f"{plan.name} ({plan.view.statistics} statistics{held_out})"


def summary(recipe: Recipe, folder: RunFolder) -> tuple[dict[str, Any], dict[str, float]]:
    """The recipe's plain values, and the last line's terms and metrics, as TensorBoard's hparams want them."""
    values: dict[str, Any] = {}

    def flatten(key: str, value: Any) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                flatten(f"{key}.{name}" if key else name, inner)
        elif isinstance(value, bool | int | float | str):
            values[key] = value

    tree = {key: value for key, value in recipe.document.tree.items() if key not in ("about", "views", "metrics")}
    flatten("", tree)
    lines = list(read_metrics(folder.metrics))
    if not lines:
        raise RunError(f"{folder.metrics} has lost its lines while the run went on: somebody else has written there")
    last = lines[-1]
    terms = {f"last/{p}/{name}": v for p, terms in last["terms"].items() for name, v in terms.items()}
    metrics = {
        f"last/metrics/{m}/{k}": float(v) for m, named in last.get("metrics", {}).items() for k, v in named.items()
    }
    return values, terms | metrics
