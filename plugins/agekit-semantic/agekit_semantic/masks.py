"""Parse maps in files: one palette picture a face, or one picture a part of a face."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

import numpy as np
from agekit.contracts import BrokenSample
from agekit.data import Files, Pixels
from agekit.errors import DataError
from PIL import Image

Size = tuple[int, int]

CLASSES = (
    "background", "skin", "nose", "eyeglasses", "left_eye", "right_eye", "left_brow", "right_brow", "left_ear",
    "right_ear", "mouth", "upper_lip", "lower_lip", "hair", "hat", "earring", "necklace", "neck", "clothes",
)  # fmt: skip
"""What a pixel shows, in the order of CelebAMask-HQ's label list, which the background precedes."""


@dataclass(frozen=True)
class Whole:
    """The parse map of a face in one file: a palette or grey picture whose values are the classes."""

    name: str

    @property
    def files(self) -> tuple[str, ...]:
        """The names of its files."""
        return (self.name,)

    def read(self, files: Files, size: Size) -> Image.Image:
        """The map; `size` is that of the picture. Raises `DataError` where it has another, or unknown values."""
        image = opened(files, self.name)
        place = f"{files.path}: {self.name}"
        if image.mode not in ("P", "L"):
            raise DataError(f"{place} is a picture of mode {image.mode}; a palette or grey one of class numbers fits")
        if image.size != size:
            raise DataError(f"{place} is {_by(image.size)}, and its picture {_by(size)}: a mask of the same size fits")
        if strange := sorted(set(np.unique(np.asarray(image)).tolist()) - set(range(len(CLASSES)))):
            found = ", ".join(map(str, strange[:5])) + (", …" if len(strange) > 5 else "")
            raise DataError(
                f"{place} holds {found}, where the classes 0 ({CLASSES[0]}) to {len(CLASSES) - 1} ({CLASSES[-1]}) fit"
            )
        return Image.fromarray(np.asarray(image))


@dataclass(frozen=True)
class Parts:
    """The parse map of a face in one file a part, by class: where a file is not black, its part is seen.

    A later class lies over an earlier one, as the code published with the data set merges them.
    """

    names: tuple[tuple[int, str], ...]

    @property
    def files(self) -> tuple[str, ...]:
        """The names of its files."""
        return tuple(name for _, name in self.names)

    def read(self, files: Files, size: Size) -> Image.Image:
        """The map; `size` is that of the picture, of which the parts may be half as large. Raises `DataError`."""
        parts = [(kind, name, opened(files, name)) for kind, name in self.names]
        first = parts[0][2].size
        merged = np.zeros(first[::-1], np.uint8)
        for kind, name, image in parts:
            if image.size != first or image.size not in (size, (size[0] // 2, size[1] // 2)):
                raise DataError(
                    f"{files.path}: {name} is {_by(image.size)}, and its picture {_by(size)}: parts that are all as "
                    "large as the picture, or all half as large, fit"
                )
            merged[np.asarray(image.convert("L")) > 0] = kind
        return Image.fromarray(merged)


def opened(files: Files, name: str) -> Image.Image:
    """A picture with its values as they are stored. Raises `BrokenSample` where it cannot be read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            image = Image.open(io.BytesIO(files.read(name)))
            image.load()
        except Exception as error:  # decoders of broken files raise nearly anything
            raise BrokenSample(f"{name}: {error}") from error
        return image


def resized(image: Image.Image, size: int) -> Pixels:
    """A square map at [size, size]: each pixel is of the nearest one's class."""
    return np.asarray(image.resize((size, size), Image.Resampling.NEAREST), np.uint8)


def _by(size: Size) -> str:
    return "×".join(map(str, size))
