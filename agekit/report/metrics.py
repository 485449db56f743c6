"""`metrics.jsonl`: one JSON object a line; what depends on the clock is apart, under `clock`."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, NonNegativeInt

from ..errors import RunError
from ..files import WholeFile, parse_json


class MetricsFile:
    """Lines are appended at once; `bytes` is the length so far, so that a resumed run can cut what came after.

    `sha256` is the hash of all lines. Whoever opens it has the run's lock.
    """

    def __init__(self, path: Path) -> None:
        self._stream = WholeFile(path, "ab+")  # with nothing held back, closing cannot fail
        self.cut(path.stat().st_size)

    @property
    def bytes(self) -> int:
        return self._stream.tell()

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def write(self, line: dict[str, Any]) -> None:
        """Append one line."""
        blob = json.dumps(line, ensure_ascii=False, allow_nan=False).encode() + b"\n"
        self._stream.write(blob)
        self._digest.update(blob)

    def cut(self, kept_bytes: int) -> None:
        """Forget what came after so many bytes, and what would not be a whole line then."""
        self._stream.seek(0)
        kept = self._stream.read(min(kept_bytes, os.fstat(self._stream.fileno()).st_size))
        kept = kept[: kept.rfind(b"\n") + 1]
        self._stream.truncate(len(kept))
        self._stream.seek(0, os.SEEK_END)
        self._digest = hashlib.sha256(kept)

    def sync(self) -> None:
        """Wait until it is on the disk."""
        os.fsync(self._stream.fileno())

    def close(self) -> None:
        """Let go of the file."""
        self._stream.close()


def plain(value: float) -> float | str:
    """A number as JSON can hold it: one that is not finite becomes a text, of which `float` makes it again.

    >>> plain(0.5), plain(float("nan")), plain(-float("inf"))
    (0.5, 'nan', '-inf')
    """
    return value if math.isfinite(value) else str(value)


class Taken(BaseModel):
    """How a metric was taken."""

    data: Literal["held out", "training", "draws"]
    count: int
    generated: int = 0
    statistics: str


class Event(BaseModel):
    """What the sentinel saw and did."""

    step: int
    name: str
    said: str
    action: str
    knobs: list[str]
    to: str = "step-0"
    factors: dict[str, float] = {}


Values = dict[str, dict[str, float]]


class Line(BaseModel):
    """What a line of metrics holds, as far as it is read again; whatever else is in it stays as it is."""

    step: NonNegativeInt
    stage: str = ""
    terms: Values = {}
    weights: Values = {}
    learning_rates: dict[str, float] = {}
    metrics: Values = {}
    protocol: dict[str, Taken] = {}
    gradients: Values = {}
    cosines: Values = {}
    sentinel: list[Event] = []
    clock: dict[str, float] = {}


def sha256_of_first(path: Path, count: int) -> str:
    """The hash of the first bytes of a metrics file, so many; of all where there are fewer."""
    with path.open("rb") as stream:
        return hashlib.sha256(stream.read(min(count, path.stat().st_size))).hexdigest()


def read_metrics(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a metrics file; a last line that was being written is left out.

    Raises `OSError`, or `RunError` where a line is none of metrics.
    """
    for number, line in enumerate(path.read_bytes().splitlines(keepends=True), 1):
        if line.endswith(b"\n"):
            try:
                said = parse_json(line)
                found = Line.model_validate(said)
                if found.metrics.keys() - found.protocol.keys():
                    raise ValueError("it does not tell how its metrics were taken")
            except ValueError as error:
                raise RunError(f"{path} cannot be read: line {number} is no line of metrics") from error
            yield said
