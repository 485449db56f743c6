"""CelebAMask-HQ: faces with parse maps, in its official layout or as folders of pairs."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Literal

import numpy as np
from agekit import DataError, DataField, Source, option
from agekit.contracts import BrokenSample
from agekit.data import SUFFIXES, Files, Folder, LocalDataset, Zip, centre_square, decode, pixels, resize
from agekit.errors import nearest

from .masks import CLASSES, Parts, Whole, resized

MIRRORED = tuple(
    (index, CLASSES.index(name.replace("left", "right"))) for index, name in enumerate(CLASSES) if "left" in name
)
PARTS = (
    "skin", "nose", "eye_g", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear", "mouth", "u_lip", "l_lip", "hair",
    "hat", "ear_r", "neck_l", "neck", "cloth",
)  # fmt: skip
"""The parts as the official files name them, in the order of classes 1 to 18."""

PICTURES, ANNOTATIONS, MAPPING = "CelebA-HQ-img", "CelebAMask-HQ-mask-anno", "CelebA-HQ-to-CelebA-mapping.txt"
LAST_OF_TRAIN, LAST_OF_VALID = 162770, 182637
"""The bounds of CelebA's official partition, by the number of the file."""

Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = ("train", "valid", "test")
EVERY = 4
"""Of folders of pairs, which have no official partition, every fourth picture by name is for tests."""


@dataclass(frozen=True)
class Face:
    """A picture, the files of its parse map, and the split it belongs to; None where that is not known."""

    picture: str
    mask: Whole | Parts
    split: Split | None


class CelebAMask(LocalDataset):
    """Photographs of celebrities' faces with parse maps of 19 classes, CelebAMask-HQ (Lee et al. 2020).

    It is read from the official archive, unpacked or not, whose one file a part is merged in the official order, later
    parts over earlier ones, and whose pictures have the part of CelebA's official partition that their originals have;
    or from folders `images` and `masks` of pairs, 00000.jpg with 00000.png, a palette picture of the classes' numbers,
    where every fourth picture by name is for tests. Left and right are the person's own: the left eye is at the right
    of the picture. Maps are resized by taking the nearest pixel.
    """

    folder = "celebamask"
    licence = "for non-commercial research and education only; the pictures may not be passed on"
    homepage = "https://github.com/switchablenorms/CelebAMask-HQ"
    layout = f"images/ and masks/, or {PICTURES}/, {ANNOTATIONS}/ and {MAPPING} (or CelebAMask-HQ.zip),"
    by_hand = "CelebAMask-HQ.zip"

    size: int = option(64, help="width and height of the pictures", unit="px", ge=8, le=1024)
    split: Literal["train", "valid", "test", "all"] = option("train", help="CelebA's partition; folders have no valid")

    def fields(self) -> Mapping[str, DataField]:
        return {
            "x": DataField("image", (3, self.size, self.size)),
            "mask": DataField("classes", (self.size, self.size), CLASSES, MIRRORED),
        }

    def open(self) -> Source:
        place = self.place()
        if not place.exists():
            raise self.missing()
        files: Files = Folder(place) if place.is_dir() else Zip(place)
        members = [PurePosixPath(name) for name in files.stamps()]
        faces = _official(files, members) or _folders(files, members)
        if not faces:
            raise self.missing()
        kept = [face for face in faces if self.split in ("all", face.split)]
        if not kept:
            there = [split for split in SPLITS if any(face.split == split for face in faces)]
            reason = f"{place} has pictures of {', '.join(there)}" if there else f"{place} has no {MAPPING}"
            raise DataError(
                f"{reason}, and none of the split {self.split!r}; split = {' or '.join([*there, 'all'])} fits"
            )
        return Faces(files, kept, self.size)


class Faces:
    """The samples: pictures with their parse maps."""

    def __init__(self, files: Files, faces: Sequence[Face], size: int) -> None:
        self.files, self.faces, self.size = files, tuple(faces), size

    def __len__(self) -> int:
        return len(self.faces)

    def identity(self) -> str:
        stamps = self.files.stamps()
        digest = hashlib.sha256(str(self.files.path.resolve()).encode())
        for face in self.faces:
            for name in (face.picture, *face.mask.files):
                digest.update(f"\n{name} {stamps.get(name)}".encode())
        return digest.hexdigest()

    def name(self, index: int) -> str:
        return self.faces[index].picture

    def read(self, index: int) -> Mapping[str, np.ndarray[Any, Any]]:
        face = self.faces[index]
        try:
            blob = self.files.read(face.picture)
        except DataError as error:
            raise BrokenSample(str(error)) from error
        image = decode(blob)
        mask = face.mask.read(self.files, image.size)
        return {
            "x": pixels(resize(centre_square(image), self.size, self.size)),
            "mask": resized(centre_square(mask), self.size),
        }


def _folders(files: Files, members: Sequence[PurePosixPath]) -> list[Face]:
    """Pairs of files of one name in `images` and `masks`. Raises `DataError` where a picture has no map."""
    pictures, masks = (
        {path.stem: str(path) for path in members if path.parent.name == folder and path.suffix.lower() in SUFFIXES}
        for folder in ("images", "masks")
    )
    if bare := [name for stem, name in pictures.items() if stem not in masks]:
        raise DataError(_bare(files, bare, len(pictures), "a file of the same name in masks/"))
    return [
        Face(pictures[stem], Whole(masks[stem]), "test" if number % EVERY == EVERY - 1 else "train")
        for number, stem in enumerate(sorted(pictures))
    ]


def _official(files: Files, members: Sequence[PurePosixPath]) -> list[Face]:
    """The pictures of the official layout, by number, with their parts and splits. Raises `DataError`."""
    pictures = {_number(files, path, path.stem): str(path) for path in members if path.parent.name == PICTURES}
    parts: dict[int, dict[int, str]] = {}
    for path in members:
        if pictures and ANNOTATIONS in path.parts:
            number, _, part = path.stem.partition("_")
            if part not in PARTS:
                raise DataError(f"{files.path}: {path} is of an unknown part {part!r}; {nearest(part, PARTS)}")
            parts.setdefault(_number(files, path, number), {})[PARTS.index(part) + 1] = str(path)
    if bare := [name for number, name in pictures.items() if number not in parts]:
        raise DataError(_bare(files, bare, len(pictures), f"one file a part in {ANNOTATIONS}/"))
    mapping = next((str(path) for path in members if path.name == MAPPING), None)
    splits = _splits(files, mapping) if mapping else {}
    return [
        Face(pictures[number], Parts(tuple(sorted(parts[number].items()))), splits.get(number))
        for number in sorted(pictures)
    ]


def _splits(files: Files, mapping: str) -> dict[int, Split]:
    """The split of each picture: that of its original in CelebA, which the mapping's third column names."""
    rows = [line.split() for line in files.read(mapping).decode("utf-8", "replace").splitlines() if line.strip()]
    found: dict[int, Split] = {}
    for line, row in enumerate(rows[1:], start=2):
        stem = PurePosixPath(row[-1]).stem
        if len(row) != 3 or not (row[0].isdecimal() and stem.isdecimal()):
            raise DataError(
                f"{files.path}: {mapping} is damaged at line {line}: found {' '.join(row)!r}, where a number, a number "
                "and a file's name fit"
            )
        found[int(row[0])] = SPLITS[bisect_left((LAST_OF_TRAIN, LAST_OF_VALID), int(stem))]
    return found


def _number(files: Files, path: PurePosixPath, digits: str) -> int:
    if not digits.isdecimal():
        raise DataError(f"{files.path}: {path} has no number for a name, as the official files have")
    return int(digits)


def _bare(files: Files, bare: Sequence[str], count: int, wanted: str) -> str:
    return f"{files.path}: {len(bare)} of {count} pictures have no mask, the first is {bare[0]}; {wanted} fits"
