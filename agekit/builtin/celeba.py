"""CelebA: aligned faces with 40 attributes, in the published crop."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from agekit.contracts import BrokenSample, DataField, Source, option
from agekit.data import Files, Folder, LocalDataset, Pictures, Pixels, Zip, decode, pixels, read_file, resize
from agekit.errors import DataError

PARTITION, ATTRIBUTES = "list_eval_partition.txt", "list_attr_celeba.txt"
WIDTH, HEIGHT = 178, 218
SPLITS = {"train": (0,), "valid": (1,), "test": (2,), "all": (0, 1, 2)}
NAMES = tuple(
    """
    5_o_Clock_Shadow Arched_Eyebrows Attractive Bags_Under_Eyes Bald Bangs Big_Lips Big_Nose Black_Hair
    Blond_Hair Blurry Brown_Hair Bushy_Eyebrows Chubby Double_Chin Eyeglasses Goatee Gray_Hair Heavy_Makeup
    High_Cheekbones Male Mouth_Slightly_Open Mustache Narrow_Eyes No_Beard Oval_Face Pale_Skin Pointy_Nose
    Receding_Hairline Rosy_Cheeks Sideburns Smiling Straight_Hair Wavy_Hair Wearing_Earrings Wearing_Hat
    Wearing_Lipstick Wearing_Necklace Wearing_Necktie Young
    """.split()  # noqa: SIM905 - forty lines else
)
"""The attributes, in the order of the official list."""

ENTRIES = len(NAMES)
VALUES = {"-1": -1.0, "1": 1.0}


class CelebA(LocalDataset):
    """Aligned photographs of celebrities' faces with 40 attributes each (Liu et al. 2015), in the published crop.

    A picture of 178×218 is resized to 64×78 with Lanczos' filter, and its rows 7 to 71 are kept, as in the code
    released with Ulyanov et al. (2018); other sizes are cut in proportion. `attributes` [40] holds −1 or 1, in the
    order of the official list, by its names.
    """

    folder = "celeba"
    licence = "for non-commercial research only; the pictures may not be passed on"
    homepage = "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"
    layout = f"img_align_celeba/ (or img_align_celeba.zip), {PARTITION} and {ATTRIBUTES}"
    by_hand = "the aligned and cropped pictures of its Google Drive, with its folders Anno and Eval"

    size: int = option(64, help="width and height of the pictures", unit="px", ge=8, le=1024)
    split: Literal["train", "valid", "test", "all"] = option("train", help="part of the official partition")

    def fields(self) -> Mapping[str, DataField]:
        return {
            "x": DataField("image", (3, self.size, self.size)),
            "attributes": DataField("vector", (ENTRIES,), NAMES),
        }

    def open(self) -> Source:
        files = _pictures(self.place())
        partition, attributes = (self._list(files, name) for name in (PARTITION, ATTRIBUTES)) if files else (None, None)
        if files is None or partition is None or attributes is None:
            raise self.missing()
        names = [name for name, part in _parse_partition(partition).items() if part in SPLITS[self.split]]
        if not names:
            raise DataError(f"{self.place()}: {PARTITION} lists no picture of the split {self.split!r}")
        members = {PurePosixPath(member).name: member for member in files.stamps()}
        return Pictures(
            files,
            [members.get(name, name) for name in names],
            partial(published_crop, size=self.size),
            {"attributes": _parse_attributes(attributes, names)},
        )

    def frame(self, image: Image) -> Pixels | None:
        return _cropped(image, self.size) if _aligned(image) else None

    def _list(self, files: Files, name: str) -> str | None:
        """Read one of the official lists, beside the pictures, in its official folder, or in their archive."""
        place = self.place() if self.place().is_dir() else self.place().parent
        for path in (place / name, place / "Anno" / name, place / "Eval" / name):
            if path.is_file():
                return read_file(path).decode("utf-8", "replace")
        inside = next((member for member in files.stamps() if PurePosixPath(member).name == name), None)
        return files.read(inside).decode("utf-8", "replace") if inside else None


def published_crop(blob: bytes, size: int) -> Pixels:
    """Resize an aligned picture to `size` by size · 218 / 178, and keep the middle rows: [3, size, size].

    At 64 these are rows 7 to 71 of 78. Raises `BrokenSample` where the picture is not framed like 178×218.
    """
    image = decode(blob)
    if not _aligned(image):
        raise BrokenSample(f"{image.width}×{image.height}, which is not framed like {WIDTH}×{HEIGHT}")
    return _cropped(image, size)


def _aligned(image: Image) -> bool:
    return abs(image.height * WIDTH / (image.width * HEIGHT) - 1) <= 0.03


def _cropped(image: Image, size: int) -> Pixels:
    height = round(size * HEIGHT / WIDTH)
    top = (height - size) // 2
    return pixels(resize(image, size, height).crop((0, top, size, top + size)))


def _pictures(place: Path) -> Files | None:
    if place.is_file():
        return Zip(place)
    for folder in (place, place / "Img"):
        if (folder / "img_align_celeba").is_dir():
            return Folder(folder / "img_align_celeba")
        if (folder / "img_align_celeba.zip").is_file():
            return Zip(folder / "img_align_celeba.zip")
    return None


def _parse_partition(text: str) -> dict[str, int]:
    lines = [line.split() for line in text.splitlines() if line.strip()]
    for number, line in enumerate(lines, 1):
        if len(line) != 2 or line[1] not in ("0", "1", "2"):
            raise DataError(
                f"{PARTITION} is damaged at line {number}: found {' '.join(line)!r}, not a name and 0, 1 or 2"
            )
    return {name: int(part) for name, part in lines}


def _parse_attributes(text: str, names: list[str]) -> NDArray[np.float32]:
    """The attributes of the named pictures, [n, 40]; the first line counts them, the second names the attributes."""
    count, *lines = text.split("\n") if text else [""]
    titles = lines[0].split() if lines else list(NAMES)
    if other := next((found for found, name in zip(titles, NAMES, strict=False) if found != name), None):
        raise DataError(f"{ATTRIBUTES} is damaged: its second line names {other!r} where another attribute belongs")
    rows = dict(line.split(None, 1) for line in lines[1:] if " " in line.strip())
    if count.strip() != str(len(rows)):
        raise DataError(
            f"{ATTRIBUTES} is damaged: its first line announces {count.strip()!r} pictures, {len(rows)} follow"
        )
    if absent := next((name for name in names if name not in rows), None):
        raise DataError(f"{ATTRIBUTES} does not list {absent}, which {PARTITION} does")
    tokens = " ".join(rows[name] for name in names).split()
    if strange := set(tokens) - VALUES.keys():
        raise DataError(f"{ATTRIBUTES} is damaged: found the attribute {min(strange)!r}, where -1 and 1 fit")
    if len(tokens) != len(names) * ENTRIES:
        raise DataError(
            f"{ATTRIBUTES} is damaged: found {len(tokens)} attributes of {len(names)} pictures, not {ENTRIES} each"
        )
    return np.fromiter(map(VALUES.__getitem__, tokens), np.float32).reshape(len(names), ENTRIES)
