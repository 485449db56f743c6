"""What a run leaves behind as it goes: metrics, curves, pictures, code statistics."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from ..game.batches import as_stored
from ..game.game import Game, Step
from ..game.judge import Judge, Judgement, Report
from ..game.samples import Memory
from ..game.views import Gallery, Shown
from ..report.board import Board
from ..report.console import told
from ..report.metrics import MetricsFile, plain
from ..report.pictures import enlarged, grid, save_png
from ..statistics import code_statistics
from .folder import RunFolder

HELD_OUT = ", held-out data"
"""What TensorBoard adds to the name of a view that shows such data."""


@dataclass
class Watch:
    """Writes what is due to a run's folder."""

    folder: RunFolder
    game: Game
    gallery: Gallery
    board: Board
    metrics: MetricsFile
    memory: Memory
    spent_seconds: float = 0.0
    judged: Mapping[str, Judgement] = field(default_factory=dict)
    """The metrics as they were taken last."""
    _since: float = field(default_factory=time.monotonic)
    _last: tuple[float, int] = (0.0, 0)

    def begin(self) -> None:
        """Play begins here: the clock starts."""
        self._since = time.monotonic()
        self._last = self._since, self.game.steps_done

    @property
    def elapsed_seconds(self) -> float:
        """Time spent on the run, in all its sessions."""
        return self.spent_seconds + time.monotonic() - self._since

    def judge(self, progress: Report) -> Mapping[str, Judgement]:
        """Take the metrics; the time this takes counts for no rate of training."""
        began = time.monotonic()
        self.judged = Judge(self.gallery, memory=self.memory).judge(progress)
        self._last = self._last[0] + time.monotonic() - began, self._last[1]
        return self.judged

    def log(
        self, step: Step, judged: Mapping[str, Judgement], events: Sequence[Mapping[str, Any]] = ()
    ) -> dict[str, Any]:
        """Write one line: the terms, as far as they are numbers, the metrics where they were taken, and their curves.

        `events` are what the sentinel has to say.
        """
        line: dict[str, Any] = {
            "step": self.game.steps_done,
            "stage": self.game.stage.keys.name,
            "epoch": self.game.stage_step // self.game.steps_per_epoch,
            "terms": _numbers(step.terms),
            "weights": _numbers(step.weights),
            "learning_rates": step.rates,
        }
        if judged:
            line["metrics"] = {name: {k: plain(v) for k, v in one.values.items()} for name, one in judged.items()}
            line["protocol"] = {name: asdict(one.protocol) for name, one in judged.items()}
        if events:
            line["sentinel"] = list(events)
            self.board.text("sentinel", "\n\n".join(map(told, events)), self.game.steps_done)
        line["clock"] = {"elapsed_seconds": round(self.elapsed_seconds, 3), "images_per_second": self._rate()}
        self.metrics.write(line)
        self.board.scalars(curves(line), self.game.steps_done)
        return line

    def go_back(self, kept_bytes: int) -> None:
        """The game stands at an earlier step again: what was written since no longer counts."""
        self.metrics.cut(kept_bytes)
        self.board.close()
        self.board = Board(self.folder.events, self.game.steps_done)
        self._last = time.monotonic(), self.game.steps_done

    def _rate(self) -> float:
        """Samples a second of wall-clock time since the last line."""
        now, before = (time.monotonic(), self.game.steps_done), self._last
        self._last = now
        return round((now[1] - before[1]) * self.game.stage.batch / max(now[0] - before[0], 1e-9), 1)

    def look(self) -> None:
        """Show every view: images as grids, in a file and in TensorBoard; vectors by their statistics."""
        self.gallery.recalibrate()
        step = self.game.steps_done
        for name, plan in self.game.views.items():
            shown = self.gallery.show(name)
            said = {"view": f"{name} = {plan.view.of}", "step": f"{step}", "statistics": plan.view.statistics}
            said["samples"] = self.game.samples_of(plan.nodes)
            tag = f"{name} ({plan.view.statistics} statistics{HELD_OUT if said['samples'] == 'held out' else ''})"
            if (picture := picture_of(shown)) is not None:
                save_png(self.folder.pictures / f"{name}-{step:09d}.png", picture, said)
                save_png(self.folder.pictures / f"{name}.png", picture, said)
                self.board.picture(tag, picture, step)
            elif shown.of.ndim == 2:
                self.board.histogram(tag, shown.of.float().cpu().numpy(), step)
                self.board.scalars({f"{tag}/{key}": value for key, value in code_statistics(shown.of).items()}, step)


def _numbers(values: Mapping[str, Mapping[str, float | Tensor]]) -> dict[str, dict[str, float]]:
    """Numbers by player and term, fetched from the device; what is none is left out."""
    fetched = {player: {term: float(value) for term, value in inner.items()} for player, inner in values.items()}
    return {player: {n: v for n, v in inner.items() if math.isfinite(v)} for player, inner in fetched.items()}


def picture_of(shown: Shown) -> np.ndarray | None:
    """The grid, uint8 [3, H, W], of a view of images [n, 1 or 3, h, w]; None for anything else."""
    if shown.of.ndim != 4 or shown.of.shape[1] not in (1, 3):
        return None
    beside = None if shown.beside is None else as_stored(shown.beside)
    return enlarged(grid(as_stored(shown.of), beside, shown.columns), shown.of.shape[2])


def curves(line: dict[str, Any]) -> dict[str, float]:
    """The scalars of a line of metrics, by tag."""
    tags = {f"{player}/{name}": v for player, terms in line["terms"].items() for name, v in terms.items()}
    for player, weights in line["weights"].items():
        tags |= {f"weights/{player}/{name}": value for name, value in weights.items()}
    tags |= {f"learning_rate/{player}": rate for player, rate in line["learning_rates"].items()}
    for name, values in line.get("metrics", {}).items():
        tags |= {f"metrics/{name}/{key}": float(value) for key, value in values.items()}
    return tags | {"clock/images_per_second": line["clock"]["images_per_second"]}
