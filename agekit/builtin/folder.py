"""A user's own pictures: a folder, or a zip archive."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from agekit.contracts import DataField, Source, option
from agekit.data import (
    SUFFIXES,
    Channels,
    Files,
    Folder,
    LocalDataset,
    Pictures,
    Pixels,
    Zip,
    centre_square,
    decode,
    pixels,
    resize,
)
from agekit.errors import DataError


class ImageFolder(LocalDataset):
    """Your own pictures: every picture in a folder and the folders below it, or in one zip archive.

    Each is brought to a square: its middle is cut out, or, with `crop` off, it is squeezed.
    """

    folder = "image_folder"
    licence = "your own"
    homepage = ""
    layout = f"pictures ({', '.join(sorted(SUFFIXES))}), in folders or not, or one zip archive of them,"

    size: int = option(64, help="width and height of the pictures", unit="px", ge=8, le=1024)
    channels: Channels = option("rgb", help="colour, or shades of grey")
    crop: bool = option(True, help="cut out the largest square in the middle; otherwise squeeze the whole picture")
    classes: tuple[str, ...] = option(
        (), help="sub-folders that are classes; adds the field label, and leaves out pictures elsewhere", max_length=256
    )

    def fields(self) -> Mapping[str, DataField]:
        x = DataField("image", (3 if self.channels == "rgb" else 1, self.size, self.size))
        return {"x": x, "label": DataField("classes", (), self.classes)} if self.classes else {"x": x}

    def open(self) -> Source:
        place = self.place()
        if not place.exists():
            raise self.missing()
        files: Files = Folder(place) if place.is_dir() else Zip(place)
        names = [name for name in files.stamps() if PurePosixPath(name).suffix.lower() in SUFFIXES]
        if not names:
            raise self.missing()
        form = partial(squared, size=self.size, channels=self.channels, crop=self.crop)
        if not self.classes:
            return Pictures(files, names, form)
        names, labels = self._sorted_out(names)
        return Pictures(files, names, form, {"label": labels})

    def _sorted_out(self, names: list[str]) -> tuple[list[str], NDArray[np.uint8]]:
        """The pictures whose first named folder is a class, and the numbers of their classes."""
        found = {
            name: next((part for part in PurePosixPath(name).parts if part in self.classes), None) for name in names
        }
        if absent := sorted(set(self.classes) - set(found.values())):
            raise DataError(f"{self.place()} has no picture in a folder {absent[0]!r}, which `classes` names")
        kept = {name: self.classes.index(label) for name, label in found.items() if label is not None}
        return list(kept), np.array(list(kept.values()), np.uint8)


def squared(blob: bytes, size: int, channels: Channels, crop: bool) -> Pixels:
    """Read a picture as a square: [c, size, size]."""
    image = decode(blob, channels)
    return pixels(resize(centre_square(image) if crop else image, size, size))
