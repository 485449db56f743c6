"""`metrics.jsonl`: one JSON object a line; what depends on the clock is apart, under `clock`."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class MetricsFile:
    """Lines are appended at once; `bytes` is the length so far, so that a resumed run can cut what came after."""

    def __init__(self, path: Path, kept_bytes: int = 0) -> None:
        self._stream = path.open("ab", buffering=0)  # with nothing held back, closing cannot fail
        self._stream.truncate(min(kept_bytes, self._stream.seek(0, os.SEEK_END)))
        self._stream.seek(0, os.SEEK_END)

    @property
    def bytes(self) -> int:
        return self._stream.tell()

    def write(self, line: dict[str, Any]) -> None:
        """Append one line."""
        self._stream.write(json.dumps(line, ensure_ascii=False, allow_nan=False).encode() + b"\n")

    def close(self) -> None:
        """Let go of the file."""
        self._stream.close()


def plain(value: float) -> float | str:
    """A number as JSON can hold it: one that is not finite becomes a text, of which `float` makes it again.

    >>> plain(0.5), plain(float("nan")), plain(-float("inf"))
    (0.5, 'nan', '-inf')
    """
    return value if math.isfinite(value) else str(value)


def read_metrics(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a metrics file; a last line that was being written is left out."""
    for line in path.read_bytes().splitlines(keepends=True):
        if line.endswith(b"\n"):
            yield json.loads(line)
