"""A prepared data set: memory-mapped arrays, and what is known of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agekit.contracts import DataField
from agekit.errors import DataError
from agekit.files import read_json, unsealed

FORMAT = 2
"""Changes when the same files would be prepared into other arrays."""

INDEX = "index.json"

HEADS = Lock()
"""Heads of arrays are Python's to parse, which Python 3.11 fails at in several threads at once, with `SystemError`."""


@dataclass(frozen=True)
class Prepared:
    """A data set that is ready to be read.

    `fields` has all sizes known; `arrays` maps each field to a read-only array [n, *shape]; `names` are the samples'
    names in order; `dropped` maps the name of each sample left out to the reason; `fingerprint` is a SHA-256 over the
    contents of all arrays.
    """

    folder: Path
    fields: Mapping[str, DataField]
    arrays: Mapping[str, NDArray[Any]]
    names: Sequence[str]
    dropped: Mapping[str, str]
    fingerprint: str

    def __len__(self) -> int:
        return len(self.names)


def load(folder: Path, fields: Mapping[str, DataField]) -> Prepared:
    """Map a prepared folder into memory. Raises `DataError`, naming it, where it is damaged."""
    try:
        index = read_index(folder)
        if any(about["shape"][0] != len(index["names"]) for about in index["fields"].values()):
            raise ValueError(f"{INDEX} does not name each sample")
        arrays = {name: _mapped(folder / f"{name}.npy", index["fields"][name]) for name in fields}
        return Prepared(
            folder=folder,
            fields={name: replace(field, shape=arrays[name].shape[1:]) for name, field in fields.items()},
            arrays=arrays,
            names=tuple(index["names"]),
            dropped=index["dropped"],
            fingerprint=index["fingerprint"],
        )
    except Exception as error:  # what reads numpy's headers raises nearly anything of damaged ones
        raise DataError(f"{folder} is damaged ({error}); delete it, and the data set is prepared again") from error


def read_index(folder: Path) -> dict[str, Any]:
    """What is known of prepared arrays. Raises `OSError`, `ValueError` or `TypeError` where that is damaged."""
    index: dict[str, Any] = unsealed(read_json(folder / INDEX))
    return index


def _mapped(path: Path, about: Mapping[str, Any]) -> NDArray[Any]:
    with HEADS:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    if array.dtype.str != about["dtype"] or list(array.shape) != about["shape"]:
        raise ValueError(f"{path.name} is {array.dtype.str} {list(array.shape)}, not as {INDEX} says")
    return array
