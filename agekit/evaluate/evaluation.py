"""What an evaluation leaves behind: numbers with their protocols, as a file in the run's folder."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev

from pydantic import BaseModel, ConfigDict

from ..errors import RunError
from ..files import read_json, sealed, unsealed, write_json
from ..train.folder import RunFolder
from .protocol import Protocol

FORMAT = 2
"""2 since they say their own hash."""


class Value(BaseModel):
    """One number: its mean over the seeds, its standard deviation (n − 1) among them, and that of each seed."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")

    mean: float
    deviation: float
    each: tuple[float, ...]

    @classmethod
    def of(cls, each: Sequence[float]) -> Value:
        """The value of the numbers of all seeds."""
        finite = all(map(math.isfinite, each))
        deviation = stdev(each) if finite and len(each) > 1 else 0.0 if finite else math.nan
        return cls(mean=fmean(each), deviation=deviation, each=tuple(each))


class Measured(BaseModel):
    """A metric that was taken: its numbers by name, and its protocol."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    values: Mapping[str, Value]
    protocol: Protocol


class Evaluation(BaseModel):
    """Metrics of one checkpoint of a run.

    `checkpoint` is `last` or `best`; `chosen_by` says by what the best one was chosen; `left_out` names what was not
    taken of what is by default, with the reason.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int = FORMAT
    checkpoint: str
    chosen_by: str = ""
    step: int
    metrics: Mapping[str, Measured]
    left_out: Mapping[str, str] = {}
    seconds: float
    device: str
    agekit: str

    def write(self, run: Path) -> Path:
        """Write it into a run's folder; one of the same checkpoint by the same protocols is replaced.

        Raises `RunError` where the folder cannot be written.
        """
        said = "\n".join(f"{name} {one.protocol.model_dump_json()}" for name, one in self.metrics.items())
        key = hashlib.sha256(said.encode()).hexdigest()[:8]
        path = RunFolder(run).evaluations / f"step-{self.step:09d}-{self.checkpoint}-{key}.json"
        try:
            path.parent.mkdir(exist_ok=True)
            write_json(path, sealed(json.loads(self.model_dump_json())))  # what is no number is a string
        except OSError as error:
            raise RunError(f"{path} cannot be written: {error.strerror or error}") from error
        return path


def evaluations(run: Path) -> list[Evaluation]:
    """The evaluations in a run's folder, by step. Raises `RunError` where one is not as it was written."""
    return [_read(path) for path in sorted(RunFolder(run).evaluations.glob("step-*.json"))]


def _read(path: Path) -> Evaluation:
    try:
        value = read_json(path)
        if isinstance(value, dict) and value.get("format") != FORMAT:
            raise ValueError(f"it is of format {value.get('format')}, where {FORMAT} fits; agekit eval takes it anew")
        return Evaluation.model_validate(unsealed(value))
    except (OSError, ValueError, TypeError) as error:
        raise RunError(f"{path} cannot be read: {error}") from error
