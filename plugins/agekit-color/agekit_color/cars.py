"""Stanford Cars: photographs of 196 models of cars, each with a box around the car."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Literal

import agekit
import numpy as np
from agekit.data import Folder, LocalDataset, Pixels, centre_square, decode, pixels, resize

MODELS = 196
META = "cars_meta.mat"
ANNOTATIONS = {"train": "cars_train_annos.mat", "test": "cars_test_annos_withlabels.mat"}
SPLITS = {"train": ("train",), "test": ("test",), "all": ("train", "test")}


@dataclass(frozen=True)
class Car:
    """One photograph: its file, the corners of its box in pixels, counted from 1, and its model, counted from 0."""

    file: str
    left: int
    top: int
    right: int
    bottom: int
    model: int


class Cars(LocalDataset):
    """Photographs of cars of 196 makes, models and years (Krause et al. 2013), cut to the official boxes.

    A box is scaled to a square, whatever its shape; with `crop = false` it is the photograph's largest square instead.
    The classes of `label` are named by cars_meta.mat, and numbered where that file is not at hand.
    """

    folder = "cars"
    licence = "for non-commercial research only"
    homepage = "https://ai.stanford.edu/~jkrause/cars/car_dataset.html"
    layout = f"cars_train/, cars_test/ and devkit/ with {META}, {ANNOTATIONS['train']} and {ANNOTATIONS['test']}"
    by_hand = "the pictures of both splits, the development kit, and the labels of the test split"

    size: int = agekit.option(64, help="width and height of the pictures", unit="px", ge=8, le=1024)
    split: Literal["train", "test", "all"] = agekit.option("train", help="part of the official split; all: both")
    crop: bool = agekit.option(True, help="cut each photograph to the box around its car")

    def fields(self) -> Mapping[str, agekit.DataField]:
        meta = self._file(META)
        numbers = tuple(str(number) for number in range(1, MODELS + 1))
        classes = read_names(meta) if meta.is_file() and _scipy() else numbers
        return {
            "x": agekit.DataField("image", (3, self.size, self.size)),
            "label": agekit.DataField("classes", (), classes),
        }

    def open(self) -> CarPictures:
        parts = SPLITS[self.split]
        files = [self._file(name) for name in (META, *(ANNOTATIONS[part] for part in parts))]
        absent = [f"cars_{part}/" for part in parts if not (self.place() / f"cars_{part}").is_dir()]
        absent += [f"devkit/{file.name}" for file in files if not file.is_file()]
        if absent:
            raise agekit.MissingData(f"{self.missing()}\nThe split {self.split!r} lacks {', '.join(absent)}.")
        if not _scipy():
            raise agekit.DataError(f"reading {META} needs scipy: pip install 'agekit-color[cars]'")
        read_names(files[0])
        cars = [car for part, file in zip(parts, files[1:], strict=True) for car in read_cars(file, f"cars_{part}")]
        return CarPictures(self.place(), tuple(cars), self.size, self.crop)

    def _file(self, name: str) -> Path:
        """A file of the development kit, or beside it, where the labels of the test split may lie: they come alone."""
        beside = self.place() / name
        return beside if beside.is_file() else self.place() / "devkit" / name


class CarPictures:
    """The photographs, cut and scaled when they are read."""

    def __init__(self, root: Path, cars: tuple[Car, ...], size: int, crop: bool) -> None:
        self.files = Folder(root)
        self.cars = cars
        self.size = size
        self.crop = crop

    def __len__(self) -> int:
        return len(self.cars)

    def identity(self) -> str:
        stamps = self.files.stamps()
        lines = (f"{astuple(car)} {stamps.get(car.file)}" for car in self.cars)
        return hashlib.sha256("\n".join((str(self.files.path.resolve()), *lines)).encode()).hexdigest()

    def name(self, index: int) -> str:
        return self.cars[index].file

    def read(self, index: int) -> Mapping[str, np.ndarray]:
        car = self.cars[index]
        try:
            blob = self.files.read(car.file)
        except agekit.DataError as error:
            raise agekit.BrokenSample(str(error)) from error
        return {"x": framed(blob, car, self.size, self.crop), "label": np.array(car.model, np.uint8)}


def framed(blob: bytes, car: Car, size: int, crop: bool) -> Pixels:
    """Read a photograph at [3, size, size]: its box, or its largest square. Raises `BrokenSample` where it has none."""
    image = decode(blob)
    if not crop:
        return pixels(resize(centre_square(image), size, size))
    left, top = max(car.left - 1, 0), max(car.top - 1, 0)
    right, bottom = min(car.right, image.width), min(car.bottom, image.height)
    if left >= right or top >= bottom:
        box = f"{car.left}, {car.top}, {car.right}, {car.bottom}"
        raise agekit.BrokenSample(f"its box ({box}) holds nothing of its {image.width}×{image.height} pixels")
    return pixels(resize(image.crop((left, top, right, bottom)), size, size))


def read_names(path: Path) -> tuple[str, ...]:
    """Read the names of the models. Raises `DataError` where they are not in the file."""
    names = tuple(map(str, np.atleast_1d(_variable(path, "class_names"))))
    if len(set(names)) != MODELS:
        raise agekit.DataError(
            f"{path} is damaged: class_names are {len(set(names))}, where {MODELS} different ones fit"
        )
    return names


def read_cars(path: Path, folder: str) -> list[Car]:
    """Read the annotations of a split whose pictures are in `folder`. Raises `DataError` where they are damaged."""
    rows = np.atleast_1d(_variable(path, "annotations"))
    columns = ("fname", "bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2", "class")
    if absent := [column for column in columns if column not in (rows.dtype.names or ())]:
        raise agekit.DataError(f"{path} is damaged, or another file: its annotations have no {', '.join(absent)}")
    cars = []
    for number, row in enumerate(rows[list(columns)].tolist(), 1):
        try:
            left, top, right, bottom, model = map(int, row[1:])
        except (TypeError, ValueError) as error:
            raise agekit.DataError(f"{path} is damaged at annotation {number}: {error}") from error
        if not 1 <= model <= MODELS:
            raise agekit.DataError(f"{path} is damaged at annotation {number}: class {model}, where 1 to {MODELS} fit")
        cars.append(Car(f"{folder}/{row[0]}", left, top, right, bottom, model - 1))
    return cars


def _variable(path: Path, name: str) -> Any:
    """One variable of a MATLAB file. Raises `DataError` where it is not in there."""
    from scipy.io import loadmat  # type: ignore[import-untyped] # an extra: only this data set needs it

    try:
        return loadmat(path, variable_names=[name], squeeze_me=True)[name]
    except KeyError:
        raise agekit.DataError(f"{path} is damaged, or another file: there is no {name} in it") from None
    except Exception as error:  # scipy's readers of damaged files raise nearly anything
        raise agekit.DataError(f"{path} is damaged, or no MATLAB file: {error}") from error


def _scipy() -> bool:
    return importlib.util.find_spec("scipy") is not None
