"""Dividing samples in two: those to train on, and those that the seed sets aside."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agekit.errors import DataError

from .order import indices
from .prepared import Prepared


class Part:
    """Some rows of an array, which stays where it is; read as that is, by an array of indices."""

    def __init__(self, array: NDArray[Any], rows: NDArray[np.int64]) -> None:
        self._array, self._rows = array, rows
        self.dtype, self.shape = array.dtype, (len(rows), *array.shape[1:])
        self.nbytes = array[:1].nbytes * len(rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, at: Any) -> NDArray[Any]:
        chosen: NDArray[Any] = self._array[self._rows[at]]
        return chosen

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self[:].astype(dtype or self.dtype, copy=False)


def divided(prepared: Prepared, share: float, seed: int) -> tuple[Prepared, Prepared]:
    """The samples to train on, and those set aside: ⌈share · n⌉ of them, chosen by the seed.

    Raises `DataError` where too few samples are there to have some of each.
    """
    count = int(np.ceil(share * len(prepared)))
    if count >= len(prepared):
        raise DataError(f"{share:g} of {len(prepared)} samples leaves none to train on")
    order = indices(len(prepared), len(prepared), seed=seed, stream="held out", step=0)
    return _part(prepared, np.sort(order[count:])), _part(prepared, np.sort(order[:count]))


def _part(prepared: Prepared, rows: NDArray[np.int64]) -> Prepared:
    arrays: dict[str, Any] = {name: Part(array, rows) for name, array in prepared.arrays.items()}
    fingerprint = hashlib.sha256(prepared.fingerprint.encode() + rows.tobytes()).hexdigest()
    names = tuple(prepared.names[row] for row in rows)
    return replace(prepared, arrays=arrays, names=names, fingerprint=fingerprint)
