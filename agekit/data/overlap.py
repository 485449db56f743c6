"""Samples that two data sets have in common."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .prepared import Prepared

ROWS = 4096
"""How many samples are looked at together."""

LOOKS = 64
"""At how many values of each sample is looked first; those that agree in them are compared whole."""


def common(held_out: Prepared, training: Prepared, field: str = "x") -> int:
    """How many samples of the one are samples of the other, too: the same values of the field, wherever they come from.

    Both have the field in the same shape. Of each sample a few values are read; only where they agree, all.
    """
    ours, theirs = held_out.arrays[field], training.arrays[field]
    looks = np.unique(np.linspace(0, int(np.prod(ours.shape[1:], dtype=int)) - 1, LOOKS).astype(int))
    wanted: dict[bytes, list[int]] = {}
    for row, look in enumerate(_looks(ours, looks)):
        wanted.setdefault(look, []).append(row)
    found = 0
    for row, look in enumerate(_looks(theirs, looks)):
        if alike := wanted.get(look):
            wanted[look] = [one for one in alike if not np.array_equal(ours[one], theirs[row])]
            found += len(alike) - len(wanted[look])
    return found


def _looks(array: NDArray[np.generic], looks: NDArray[np.int_]) -> Iterator[bytes]:
    """What each sample has in some places, as bytes."""
    for start in range(0, len(array), ROWS):
        rows = array[start : start + ROWS]
        chosen = np.ascontiguousarray(rows.reshape(len(rows), -1)[:, looks])
        yield from (look.tobytes() for look in chosen)
