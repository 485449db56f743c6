"""MNIST and Fashion-MNIST: the IDX files of 28×28 grey pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from agekit.contracts import DataField, Download, Source, option
from agekit.data import Arrays, LocalDataset, Pixels, read_file, resize_pixels
from agekit.errors import DataError

SIDE, PADDED_SIDE = 28, 32
PREFIXES = {"train": "train", "test": "t10k"}
KINDS = {"images": 3, "labels": 1}
"""The two files of a split, with the number of dimensions that their names and headers say."""


class IdxDataset(LocalDataset):
    """Pictures and labels in two IDX files a split, compressed with gzip or not.

    28 leaves the pictures as published; any other size starts from them padded with black to 32×32.
    """

    layout = "train-images-idx3-ubyte and train-labels-idx1-ubyte (and t10k-…), compressed (.gz) or not"
    names: ClassVar[tuple[str, ...]]

    size: int = option(PADDED_SIDE, help="width and height: 28 as published, 32 padded, others resized", ge=8, le=1024)
    split: Literal["train", "test"] = option("train", help="part of the official split")

    def fields(self) -> Mapping[str, DataField]:
        return {"x": DataField("image", (1, self.size, self.size)), "label": DataField("classes", (), self.names)}

    def open(self) -> Source:
        found = [self._find(kind) for kind in KINDS]
        paths = [path for path in found if path is not None]
        if len(paths) != len(KINDS):
            raise self.missing()
        return Arrays(paths, partial(read_pair, classes=len(self.names)), partial(framed, size=self.size))

    def _find(self, kind: str) -> Path | None:
        stem = f"{PREFIXES[self.split]}-{kind}"
        spellings = (f"{stem}{mark}idx{KINDS[kind]}-ubyte{end}" for mark in "-." for end in ("", ".gz"))
        return next((path for path in map(self.place().joinpath, spellings) if path.is_file()), None)


class Mnist(IdxDataset):
    """Handwritten digits, 60,000 and 10,000, 28×28 grey, padded to 32×32 unless told otherwise (LeCun et al. 1998)."""

    folder = "mnist"
    licence = "Creative Commons Attribution-ShareAlike 3.0"
    homepage = "https://yann.lecun.com/exdb/mnist/"
    names = tuple("0123456789")
    # Hashes and sizes: tensorflow/datasets, url_checksums/mnist.txt.
    downloads = tuple(
        Download(f"https://ossci-datasets.s3.amazonaws.com/mnist/{file}", sha256, size, file)
        for file, size, sha256 in (
            ("train-images-idx3-ubyte.gz", 9912422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
            ("train-labels-idx1-ubyte.gz", 28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
            ("t10k-images-idx3-ubyte.gz", 1648877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
            ("t10k-labels-idx1-ubyte.gz", 4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
        )
    )


class FashionMnist(IdxDataset):
    """Pieces of clothing, 60,000 and 10,000, in the format of MNIST (Xiao et al. 2017)."""

    folder = "fashion_mnist"
    licence = "MIT, copyright Zalando SE"
    homepage = "https://github.com/zalandoresearch/fashion-mnist"
    by_hand = "or install Debian's package dataset-fashion-mnist"
    names = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
    # Hashes and sizes: tensorflow/datasets, url_checksums/fashion_mnist.txt.
    downloads = tuple(
        Download(f"{homepage}/raw/master/data/fashion/{file}", sha256, size, file)
        for homepage in (homepage,)
        for file, size, sha256 in (
            (
                "train-images-idx3-ubyte.gz",
                26421880,
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            ),
            ("train-labels-idx1-ubyte.gz", 29515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
            ("t10k-images-idx3-ubyte.gz", 4422102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
            ("t10k-labels-idx1-ubyte.gz", 5148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
        )
    )


def framed(picture: Pixels, size: int) -> Pixels:
    """Bring a picture [1, 28, 28] to [1, size, size]: as it is, or padded with black to 32 and resized from there."""
    if size == SIDE:
        return picture
    padded = np.zeros((1, PADDED_SIDE, PADDED_SIDE), np.uint8)
    margin = (PADDED_SIDE - SIDE) // 2
    padded[:, margin:-margin, margin:-margin] = picture
    return resize_pixels(padded, size)


def read_pair(paths: Sequence[Path], classes: int) -> dict[str, NDArray[Any]]:
    """Read a file of pictures and the file of their labels. Raises `DataError` where they do not belong together."""
    images, labels = (read_idx(path, dimensions) for path, dimensions in zip(paths, KINDS.values(), strict=True))
    if images.shape[1:] != (SIDE, SIDE):
        raise DataError(f"{paths[0]} is damaged: its pictures are {images.shape[1:]}, where {SIDE}×{SIDE} fits")
    if len(images) != len(labels):
        raise DataError(f"{paths[0]} holds {len(images)} pictures, but {paths[1]} {len(labels)} labels")
    if labels.size and labels.max() >= classes:
        raise DataError(f"{paths[1]} is damaged: found label {labels.max()}, where 0 to {classes - 1} fit")
    return {"x": images[:, None], "label": labels}


def read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """Read an IDX file of bytes: two zeros, type 8, the number of dimensions, their sizes, and the values."""
    blob = read_file(path)
    start = 4 + 4 * dimensions
    if blob[:4] != bytes((0, 0, 8, dimensions)) or len(blob) < start:
        raise DataError(f"{path} is damaged: it does not begin like an IDX file of bytes in {dimensions} dimensions")
    shape = tuple(int.from_bytes(blob[at : at + 4], "big") for at in range(4, start, 4))
    if len(blob) - start != math.prod(shape):
        raise DataError(
            f"{path} is damaged: found {len(blob) - start} values, where its header says {math.prod(shape)}"
        )
    return np.frombuffer(blob, np.uint8, offset=start).reshape(shape)
