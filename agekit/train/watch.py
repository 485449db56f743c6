"""What a run leaves behind as it goes: metrics, curves, pictures, code statistics."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import RunError
from ..game.batches import as_stored
from ..game.game import Game, Step
from ..game.views import Gallery, Shown
from ..report.board import Board
from ..report.metrics import MetricsFile
from ..report.pictures import enlarged, grid, save_png
from .folder import RunFolder

CHECKED_AT_ONCE = 100
"""After so many steps at the latest, terms are looked at: that waits for the device, once."""


@dataclass
class Watch:
    """Writes what is due to a run's folder."""

    folder: RunFolder
    game: Game
    gallery: Gallery
    board: Board
    metrics: MetricsFile
    spent_seconds: float = 0.0
    _since: float = field(default_factory=time.monotonic)
    _last: tuple[float, int] = (0.0, 0)
    _recent: list[Step] = field(default_factory=list)

    def begin(self) -> None:
        """Play begins here: the clock starts."""
        self._since = time.monotonic()
        self._last = self._since, self.game.steps_done

    @property
    def elapsed_seconds(self) -> float:
        """Time spent on the run, in all its sessions."""
        return self.spent_seconds + time.monotonic() - self._since

    def log(self, step: Step) -> dict[str, Any]:
        """Write one line of metrics, and the curves."""
        line: dict[str, Any] = {
            "step": self.game.steps_done,
            "stage": self.game.stage.keys.name,
            "epoch": self.game.stage_step // self.game.steps_per_epoch,
            "terms": _numbers(step.terms),
            "weights": _numbers(step.weights),
            "learning_rates": step.rates,
        }
        line["clock"] = {"elapsed_seconds": round(self.elapsed_seconds, 3), "images_per_second": self._rate()}
        self.metrics.write(line)
        self.board.scalars(curves(line), self.game.steps_done)
        return line

    def note(self, step: Step) -> None:
        """Remember a step's terms until they are checked, without waiting for the device to have computed them."""
        self._recent.append(step)
        if len(self._recent) == CHECKED_AT_ONCE:
            self.check()

    def check(self) -> None:
        """Refuse to go on, or to write down, numbers that are none.

        Raises `RunError`, which names the first term, of the first step, that is not finite; or else the tensor.
        """
        terms = [
            (step.number + 1, f"players.{player}.terms.{name}", value)
            for step in self._recent
            for player, values in step.terms.items()
            for name, value in values.items()
        ]
        self._recent.clear()
        tensors = [(self.game.steps_done, f"the tensor {name}", tensor) for name, tensor in self.game.named_tensors()]
        states = self.game.controllers.named_tensors()
        tensors += [(self.game.steps_done, f"the controller's {name}", tensor) for name, tensor in states]
        sums = [value.detach().sum().double() for _, _, value in (*terms, *tensors)]
        fine = torch.stack([value.to(self.game.device) for value in sums]).isfinite().tolist()
        for (number, name, value), is_fine in zip((*terms, *tensors), fine, strict=True):
            if not is_fine and not value.isfinite().all():
                shown = f"{value.item()}" if value.ndim == 0 else "not finite"
                raise RunError(
                    f"{self.folder.path}: step {number}: {name} is {shown}; a smaller learning rate or weight usually "
                    "helps; nothing was written since, and the last checkpoint stands"
                )

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
            if (picture := picture_of(shown)) is not None:
                said = {"view": f"{name} = {plan.view.of}", "step": f"{step}", "statistics": plan.view.statistics}
                save_png(self.folder.pictures / f"{name}-{step:09d}.png", picture, said)
                save_png(self.folder.pictures / f"{name}.png", picture, said)
                self.board.picture(f"{name} ({plan.view.statistics} statistics)", picture, step)
            elif shown.of.ndim == 2:
                tag = f"{name} ({plan.view.statistics} statistics)"
                self.board.histogram(tag, shown.of.float().cpu().numpy(), step)
                self.board.scalars({f"{tag}/{key}": value for key, value in code_statistics(shown.of).items()}, step)


def _numbers(values: Mapping[str, Mapping[str, float | Tensor]]) -> dict[str, dict[str, float]]:
    """Numbers by player and term, fetched from the device."""
    return {player: {term: float(value) for term, value in inner.items()} for player, inner in values.items()}


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
    return tags | {"clock/images_per_second": line["clock"]["images_per_second"]}


@torch.no_grad()
def code_statistics(codes: Tensor) -> dict[str, float]:
    """What a cloud of vectors [n, d] looks like: its centre, spread and effective rank.

    The effective rank is the exponential of the entropy of the normalised eigenvalues of the covariance (Roy and
    Vetterli 2007): d where all directions are used alike, 1 where the codes lie on a line.
    """
    codes = codes.double()
    centred = codes - codes.mean(0)
    shares = torch.linalg.svdvals(centred).square()
    shares = shares / shares.sum().clamp_min(torch.finfo(torch.float64).tiny)
    entropy = -(shares * shares.clamp_min(torch.finfo(torch.float64).tiny).log()).sum()
    return {
        "mean_norm": codes.mean(0).norm().item(),
        "standard_deviation": centred.square().mean().sqrt().item(),
        "effective_rank": entropy.exp().item(),
    }
