"""CIFAR-10: the binary archive, or the Python one without unpickling what it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from agekit.contracts import DataField, Download, Source, option
from agekit.data import Arrays, LocalDataset, read_file, read_tar, resize_pixels
from agekit.errors import DataError

from .cifar_pickle import read_batch

SIDE = 32
PICTURE_BYTES = 3 * SIDE * SIDE
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

BINARY, PYTHON = "cifar-10-batches-bin", "cifar-10-batches-py"
ARCHIVES = {BINARY: "cifar-10-binary.tar.gz", PYTHON: "cifar-10-python.tar.gz"}
SPLITS = {"train": [f"data_batch_{number}" for number in range(1, 6)], "test": ["test_batch"]}


class Cifar10(LocalDataset):
    """Small photographs of ten classes, 50,000 and 10,000, 32×32 in colour (Krizhevsky 2009)."""

    folder = "cifar10"
    licence = "none stated; the authors ask that their report of 2009 be cited"
    homepage = "https://www.cs.toronto.edu/~kriz/cifar.html"
    layout = f"{ARCHIVES[BINARY]} or {ARCHIVES[PYTHON]}, or what either unpacks to"
    # Hash and size: tensorflow/datasets, url_checksums/cifar10.txt.
    downloads = (
        Download(
            "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            170052171,
            "cifar-10-binary.tar.gz",
        ),
    )

    size: int = option(SIDE, help="width and height: 32 as published, others resized", unit="px", ge=8, le=1024)
    split: Literal["train", "test"] = option("train", help="part of the official split")

    def fields(self) -> Mapping[str, DataField]:
        return {"x": DataField("image", (3, self.size, self.size)), "label": DataField("classes", (), CLASSES)}

    def open(self) -> Source:
        found = self._find()
        if found is None:
            raise self.missing()
        layout, path = found
        names = [name + (".bin" if layout == BINARY else "") for name in SPLITS[self.split]]
        paths = [path] if path.is_file() else [path / name for name in names]
        if absent := next((part for part in paths if not part.is_file()), None):
            raise DataError(f"{absent} is not there, beside the other batches of {self.folder}")
        return Arrays(
            paths, partial(read_batches, layout=layout, names=tuple(names)), partial(resize_pixels, size=self.size)
        )

    def _find(self) -> tuple[str, Path] | None:
        """The layout that is there, and its folder or archive: `root` itself, or in it."""
        place = self.place()
        for layout, archive in ARCHIVES.items():
            if place.name == archive or place.name == layout:
                return (layout, place) if place.exists() else None
            for path in (place / layout, place / archive):
                if path.exists():
                    return layout, path
        return None


def read_batches(paths: Sequence[Path], layout: str, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Read the named batches, of one archive or of a file each. Raises `DataError`, naming the file, on damage."""
    if len(paths) == 1 and paths[0].name == ARCHIVES[layout]:
        members = read_tar(paths[0], [f"{layout}/{name}" for name in names])
        blobs = {f"{paths[0]}: {member}": members[member] for member in sorted(members)}
    else:
        blobs = {str(path): read_file(path) for path in paths}
    read = read_binary if layout == BINARY else read_batch
    batches = [read(blob, where) for where, blob in blobs.items()]
    labels = np.concatenate([labels for labels, _ in batches])
    if labels.size and labels.max() >= len(CLASSES):
        raise DataError(f"{paths[0]} is damaged: found label {labels.max()}, where 0 to 9 fit")
    return {"x": np.concatenate([pictures for _, pictures in batches]).reshape(-1, 3, SIDE, SIDE), "label": labels}


def read_binary(blob: bytes, where: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Split a binary batch into labels [n] and pictures [n, 3072]: a byte of label, then a picture, again and again."""
    if not blob or len(blob) % (1 + PICTURE_BYTES):
        raise DataError(f"{where} is damaged: found {len(blob)} bytes, where a multiple of {1 + PICTURE_BYTES} fits")
    records = np.frombuffer(blob, np.uint8).reshape(-1, 1 + PICTURE_BYTES)
    return records[:, 0], records[:, 1:]
