"""SVHN: house numbers, cropped to digits, in MATLAB files."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from agekit.contracts import DataField, Download, Source, option
from agekit.data import Arrays, LocalDataset, resize_pixels
from agekit.errors import DataError

SIDE = 32


class Svhn(LocalDataset):
    """Digits of house numbers, 32×32 in colour (Netzer et al. 2011); the label of a zero is 0, not the file's 10."""

    folder = "svhn"
    licence = "for non-commercial use only"
    homepage = "http://ufldl.stanford.edu/housenumbers/"
    layout = "train_32x32.mat (or test_32x32.mat, extra_32x32.mat)"
    # Hashes and sizes: tensorflow/datasets, url_checksums/svhn_cropped.txt.
    downloads = tuple(
        Download(f"https://ufldl.stanford.edu/housenumbers/{file}", sha256, size, file)
        for file, size, sha256 in (
            ("train_32x32.mat", 182040794, "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8"),
            ("test_32x32.mat", 64275384, "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b"),
        )
    )

    size: int = option(SIDE, help="width and height: 32 as published, others resized", unit="px", ge=8, le=1024)
    split: Literal["train", "test", "extra"] = option("train", help="one of the official files")

    def fields(self) -> Mapping[str, DataField]:
        return {
            "x": DataField("image", (3, self.size, self.size)),
            "label": DataField("classes", (), tuple("0123456789")),
        }

    def open(self) -> Source:
        path = self.place() / f"{self.split}_32x32.mat"
        if not path.is_file():
            raise self.missing()
        if importlib.util.find_spec("scipy") is None:
            raise DataError(f"reading {path.name} needs scipy: pip install 'agekit[mat]'")
        return Arrays([path], read_mat, partial(resize_pixels, size=self.size))


def read_mat(paths: Sequence[Path]) -> dict[str, NDArray[Any]]:
    """Read X [32, 32, 3, n] and y [n, 1] of a MATLAB file. Raises `DataError` where they are not in it."""
    from scipy.io import loadmat  # type: ignore[import-untyped] # an extra: only this data set needs it

    path = paths[0]
    try:
        found = loadmat(path, variable_names=["X", "y"])
    except Exception as error:  # scipy's readers of damaged files raise nearly anything
        raise DataError(f"{path} is damaged, or no MATLAB file: {error}") from error
    images, labels = (np.asarray(found.get(name, np.empty(0))) for name in ("X", "y"))
    if images.ndim != 4 or images.shape[:3] != (SIDE, SIDE, 3) or images.dtype != np.uint8:
        raise DataError(f"{path} is damaged: X is {images.dtype} {images.shape}, where uint8 (32, 32, 3, n) fits")
    if labels.size != images.shape[3] or not np.isin(labels, range(1, 11)).all():
        raise DataError(f"{path} is damaged: y is not {images.shape[3]} labels of 1 to 10")
    return {"x": np.ascontiguousarray(images.transpose(3, 2, 0, 1)), "label": (labels.ravel() % 10).astype(np.uint8)}
