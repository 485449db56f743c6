"""A data set of numbers, to prepare."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from agekit.contracts import BrokenSample, DataField, Dataset, Source


class Numbers:
    """Sample i is i; those in `broken` cannot be read."""

    def __init__(self, count: int, broken: tuple[int, ...] = (), dtype: str = "u1", rows: int = 1) -> None:
        self.count, self.broken, self.dtype = count, broken, dtype
        self.shape = (rows, 2, 3) if rows else (2, 3)

    def __len__(self) -> int:
        return self.count

    def identity(self) -> str:
        return f"{self.count} {self.broken} {self.dtype}"

    def name(self, index: int) -> str:
        return f"number {index}"

    def read(self, index: int) -> Mapping[str, np.ndarray[Any, Any]]:
        if index in self.broken:
            raise BrokenSample("no such number")
        picture = np.full(self.shape, index % 256, self.dtype)
        return {"x": picture, "label": np.asarray(index % 10, np.uint8), "v": np.full(2, index, np.float32)}


class NumberSet(Dataset):
    """Numbers as pictures, labels and vectors."""

    licence = "none"
    homepage = ""
    count: int = 150
    broken: tuple[int, ...] = ()
    dtype: str = "u1"
    rows: int = 1

    def fields(self) -> Mapping[str, DataField]:
        return {
            "x": DataField("image", (1, None, None)),
            "label": DataField("classes", (), tuple("0123456789")),
            "v": DataField("vector", (2,)),
        }

    def open(self) -> Source:
        return Numbers(self.count, self.broken, self.dtype, self.rows)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def leftovers(cache: Path) -> list[str]:
    return [path.name for path in cache.iterdir() if path.name.endswith(".tmp")]
