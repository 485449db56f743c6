"""What a run leaves behind as it goes: metrics, curves, pictures, code statistics."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..contracts import CODE, DataField
from ..data.order import indices
from ..game.batches import Batches, as_stored
from ..game.coding import coder
from ..game.game import Game
from ..game.judge import Judge, Judgement, Report
from ..game.plan import ViewPlan
from ..game.pulls import Pulls, pulls
from ..game.samples import Memory
from ..game.step import Coming, Step
from ..game.views import Gallery, Shown, part_size
from ..report.board import Board
from ..report.console import told
from ..report.metrics import MetricsFile, plain
from ..report.pictures import as_png, enlarged, grid, save_png
from ..report.plots import spectrum_plot
from ..report.projector import write_projector
from ..statistics import code_statistics, spectrum
from .dashboard import tag_of
from .folder import RunFolder

EMBEDDED = 512
"""So many codes are shown as points, each with its picture."""


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
    _pulling_seconds: float = 0.0

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

    def pull(self, step: Step) -> Mapping[str, Pulls]:
        """Measure how each term pulls; as with metrics, the time this takes counts for no rate of training."""
        began = time.monotonic()
        found = pulls(self.game, step.weights)
        self._pulling_seconds = time.monotonic() - began
        self._last = self._last[0] + self._pulling_seconds, self._last[1]
        return found

    def log(
        self,
        step: Step,
        judged: Mapping[str, Judgement],
        events: Sequence[Mapping[str, Any]] = (),
        pulled: Mapping[str, Pulls] | None = None,
        asked: Coming | None = None,
    ) -> dict[str, Any]:
        """Write a step's line: the terms, as far as they are numbers, what else was measured, and the curves of all.

        `events` are what the sentinel has to say; the step's own numbers may have been `asked` for before.
        """
        done, fetched = step.number + 1, iter((asked or step.ask(self.game.device)).read())
        line: dict[str, Any] = {
            "step": done,
            "stage": self.game.stage.keys.name,
            "epoch": (step.stage_step + 1) // self.game.steps_per_epoch,
            "terms": _numbers(step.terms, fetched),
            "weights": _numbers(step.weights, fetched),
            "learning_rates": step.rates,
        }
        if judged:
            line["metrics"] = {name: _plain(one.values) for name, one in judged.items()}
            line["protocol"] = {name: asdict(one.protocol) for name, one in judged.items()}
        if events:
            line["sentinel"] = list(events)
            self.board.text("sentinel", "\n\n".join(map(told, events)), done)
        if pulled:
            line["gradients"] = {player: _plain(one.norms) for player, one in pulled.items()}
            line["cosines"] = {player: _plain(one.cosines) for player, one in pulled.items()}
        line["clock"] = {"elapsed_seconds": round(self.elapsed_seconds, 3), "images_per_second": self._rate(done)}
        if reasons := self.game.unrecorded():
            line["clock"]["unrecorded"] = reasons
        if pulled:
            line["clock"]["gradients_seconds"] = round(self._pulling_seconds, 3)
        self.metrics.write(line)
        self.board.scalars(curves(line), done)
        return line

    def go_back(self, kept_bytes: int) -> None:
        """The game stands at an earlier step again: what was written since no longer counts."""
        self.metrics.cut(kept_bytes)
        self.board.close()
        self.board = Board(self.folder.events, self.game.steps_done)
        self._last = time.monotonic(), self.game.steps_done

    def _rate(self, done: int) -> float:
        """Samples a second of wall-clock time since the last line, at so many steps."""
        now, before = (time.monotonic(), done), self._last
        self._last = now
        return round((now[1] - before[1]) * self.game.stage.batch / max(now[0] - before[0], 1e-9), 1)

    def look(self) -> None:
        """Show every view: images as grids, vectors by their statistics; and codes as points."""
        self.gallery.recalibrate()
        for plan in self.game.views.values():
            shown, tag = self.gallery.show(plan.name), tag_of(self.game, plan)
            if (picture := picture_of(shown)) is not None:
                self._keep(plan, picture, tag)
            elif shown.of.ndim == 2:
                self._describe(plan, shown.of.float(), tag)
        self._embed()

    def _keep(self, plan: ViewPlan, picture: np.ndarray, tag: str) -> None:
        """Write a picture of a view: as a file of this step, as the latest, and in TensorBoard."""
        step, samples = self.game.steps_done, self.game.samples_of(plan.nodes)
        said = {"view": f"{plan.name} = {plan.view.of}", "step": f"{step}", "statistics": plan.view.statistics}
        png = as_png(picture, {**said, "samples": samples})
        for name in (f"{plan.name}-{step:09d}", plan.name):
            save_png(self.folder.pictures / f"{name}.png", png)
        self.board.picture(tag, png, step)

    def _describe(self, plan: ViewPlan, vectors: Tensor, tag: str) -> None:
        """The histogram and the spectrum of a view of vectors; of codes, beside the variance of their reference."""
        step, reference = self.game.steps_done, self.game.recipe.reference
        codes = plan.nodes[plan.of].space.kind == CODE
        self.board.histogram(tag, vectors.cpu().numpy(), step)
        self.board.scalars({f"{tag}/{key}": value for key, value in code_statistics(vectors).items()}, step)
        title = f"eigenvalues, covariance of {len(vectors)} {plan.view.of}, step {step}"
        ideal = reference.variance if reference and codes else None
        plot = spectrum_plot(spectrum(vectors).tolist(), ideal, title)
        self.board.picture(f"{tag}/spectrum", as_png(plot, {}), step)

    def _embed(self) -> None:
        """Write the codes of some pictures as points, for TensorBoard's projector."""
        cuts = (coder(self.gallery, plan) for plan in self.game.views.values())
        cut = next((one for one in cuts if one and one.of_data), None)
        shape = self.game.fields["x"].shape
        if cut is None or len(shape) != 3 or shape[0] not in (1, 3):
            return
        data = self.game.judged_data()
        count = min(EMBEDDED, data.length)
        chosen = np.sort(indices(data.length, count, seed=self.game.recipe.run.seed, stream="embedded", step=0))
        parts = [data.take(part, ["x"])["x"] for part in np.array_split(chosen, -(-count // part_size(cut.plan)))]
        codes = torch.cat([cut.encode({"x": part}).float().cpu() for part in parts])
        pictures = np.concatenate([as_stored(part) for part in parts])
        labels = labels_of(data, chosen, self.game.fields)
        write_projector(self.folder.events, f"{cut.text}, step {self.game.steps_done}", codes.numpy(), pictures, labels)


def labels_of(data: Batches, chosen: np.ndarray, fields: Mapping[str, DataField]) -> dict[str, list[str]]:
    """What the fields say of whole samples, as texts: classes by name, entries of vectors as numbers."""
    found: dict[str, list[str]] = {}
    for name, one in fields.items():
        if one.values == "classes" and one.shape == ():
            found[name] = [one.classes[index] for index in data.take(chosen, [name])[name].tolist()]
        elif one.values == "vector":
            columns = data.take(chosen, [name])[name].T.tolist()
            named = one.classes or [f"{name}.{entry}" for entry in range(len(columns))]
            found |= {each: [f"{value:.4g}" for value in column] for each, column in zip(named, columns, strict=True)}
    return found


def _plain(values: Mapping[str, float]) -> dict[str, float | str]:
    return {name: plain(value) for name, value in values.items()}


def _numbers(
    values: Mapping[str, Mapping[str, float | Tensor]], fetched: Iterator[float]
) -> dict[str, dict[str, float]]:
    """Numbers by player and term, those of the device as they were fetched; what is none is left out."""
    numbers = {
        player: {name: next(fetched) if isinstance(value, Tensor) else value for name, value in inner.items()}
        for player, inner in values.items()
    }
    return {player: {n: v for n, v in inner.items() if math.isfinite(v)} for player, inner in numbers.items()}


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
    for kind in ("gradients", "cosines"):
        for player, values in line.get(kind, {}).items():
            tags |= {f"{kind}/{player}/{name}": float(value) for name, value in values.items()}
    tags |= {f"clock/{key}": line["clock"][key] for key in ("gradients_seconds",) if key in line["clock"]}
    return tags | {"clock/images_per_second": line["clock"]["images_per_second"]}
