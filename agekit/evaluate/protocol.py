"""The protocol of a number: all that two numbers must share to stand in one column. No torch in here."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from ..recipe.tables import Statistics


class Extractor(BaseModel):
    """What features were taken by: its name in the expressions, what it is, and the hash of its weights."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    said: str
    sha256: str = ""


class Protocol(BaseModel):
    """How a number was taken. Two numbers whose protocols are equal can be compared, and no others.

    metric: the component with its options, and the expressions it was given.
    samples: data that was held out, data of training, or draws alone; `split` says which part of which data set, and
        `split_from_seed` that nobody but the seed chose that part; `fingerprint` is that of the samples themselves.
    real, generated: how many samples of data, and how many that are made of draws.
    picture: the shape of one sample of data, after the data set's own resizing.
    extractors: what resizes and turns samples into features; a metric with a network of its own is one, by its label.
    seeds: those of draws and of chosen samples; each number is a mean over them.
    weights: `raw`, or `ema` where a running average stands for what was trained.
    statistics: what batch-norm went by.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    metric: str
    samples: Literal["held out", "training", "draws"]
    split: str
    split_from_seed: bool
    fingerprint: str
    real: int
    generated: int
    picture: str
    extractors: tuple[Extractor, ...]
    seeds: tuple[int, ...]
    weights: Literal["raw", "ema", "raw and ema", "fixed"]
    statistics: Statistics

    @property
    def said(self) -> str:
        """In words: `1,024 held-out samples (test), raw weights, recalibrated statistics, 3 seeds`."""
        kind = {"held out": "held-out samples", "training": "samples of training", "draws": "draws"}[self.samples]
        part = f" ({self.split}{', from the seed' if self.split_from_seed else ''})" if self.split else ""
        counts = [f"{self.real:,} {kind}{part}"] if self.real else []
        counts += [f"{self.generated:,} draws"] if self.generated else []
        features = [f"{one.name} {one.sha256[:8]}".strip() for one in self.extractors]
        taken = [" and ".join(counts), *features, f"{self.weights} weights", f"{self.statistics} statistics"]
        return ", ".join([*taken, f"{len(self.seeds)} seed{'s' if len(self.seeds) > 1 else ''}"])
