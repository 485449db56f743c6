"""Batches of CIFAR-10's Python archive, which are pickles, read without running anything that they name."""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agekit.errors import DataError

PICTURE_BYTES = 3 * 32 * 32


class _Described:
    """Stands for numpy's array or dtype while a pickle is read: keeps what it is told, and does nothing."""

    def __init__(self, *told: Any) -> None:
        self.told = told
        self.state: Any = ()

    def __setstate__(self, state: Any) -> None:
        self.state = state


def _described(*told: Any) -> _Described:
    return _Described(*told)


ADMITTED = {
    ("numpy.core.multiarray", "_reconstruct"): _described,
    ("numpy._core.multiarray", "_reconstruct"): _described,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): _Described,
}
"""What a batch may name, and what it gets instead: strings, numbers, lists and dictionaries need no names."""


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ADMITTED:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which has no place in a batch of pictures")
        return ADMITTED[module, name]


def read_batch(blob: bytes, where: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Take labels [n] and pictures [n, 3072] out of a batch. Raises `DataError` where it holds anything else."""
    try:
        batch = _Reader(io.BytesIO(blob), encoding="bytes").load()
        labels = np.array([int(label) for label in batch[b"labels"]], np.uint8)
        return labels, _pictures(batch[b"data"], len(labels))
    except Exception as error:  # a damaged pickle raises nearly anything
        raise DataError(f"{where} is damaged, or no batch of CIFAR-10: {error}") from error


def _pictures(data: Any, count: int) -> NDArray[np.uint8]:
    """Lay out the bytes that were told to be an array: version, shape, dtype, column order, bytes."""
    _, shape, dtype, columns_first, raw = data.state
    if shape != (count, PICTURE_BYTES) or dtype.told[0] not in (b"u1", b"|u1", "u1") or columns_first:
        raise ValueError(f"its data is {shape}, where uint8 ({count}, {PICTURE_BYTES}) fits")
    return np.frombuffer(raw, np.uint8).reshape(shape)
