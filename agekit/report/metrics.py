"""`metrics.jsonl`: one JSON object a line; what depends on the clock is apart, under `clock`."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, NonNegativeInt

from ..errors import RunError
from ..files import LOCKED_ALONE, LOCKED_TOGETHER, parse_json, try_lock

ATTEMPTS, PAUSE_SECONDS = 20, 0.05
"""How often a lock is asked for: whoever only looks whether it is held has it for an instant."""


class MetricsFile:
    """Lines are appended at once; `bytes` is the length so far, so that a resumed run can cut what came after.

    The file is locked until it is closed, or its process ends, however it does. Raises `RunError` where it is locked.
    """

    def __init__(self, path: Path, kept_bytes: int = 0) -> None:
        self._stream = path.open("ab", buffering=0)  # with nothing held back, closing cannot fail
        for again in range(ATTEMPTS):
            if try_lock(self._stream.fileno(), LOCKED_ALONE):
                break
            if again + 1 == ATTEMPTS:
                self._stream.close()
                raise RunError(f"{path.parent} is being trained by another process")
            time.sleep(PAUSE_SECONDS)
        self._stream.truncate(min(kept_bytes, self._stream.seek(0, os.SEEK_END)))
        self._stream.seek(0, os.SEEK_END)

    @property
    def bytes(self) -> int:
        return self._stream.tell()

    def write(self, line: dict[str, Any]) -> None:
        """Append one line."""
        self._stream.write(json.dumps(line, ensure_ascii=False, allow_nan=False).encode() + b"\n")

    def cut(self, kept_bytes: int) -> None:
        """Forget what came after so many bytes."""
        self._stream.truncate(kept_bytes)
        self._stream.seek(0, os.SEEK_END)

    def close(self) -> None:
        """Let go of the file."""
        self._stream.close()


def being_written(path: Path) -> bool:
    """Whether some process is writing a metrics file just now."""
    try:
        with path.open("rb") as stream:
            return not try_lock(stream.fileno(), LOCKED_TOGETHER)
    except OSError:
        return False


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
