"""Checks of data sets: what one declares without its files, and what it reads where they are at hand."""

from __future__ import annotations

import multiprocessing.reduction
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..contracts import DataField, Dataset, Source
from ..data.reading import Reader
from ..errors import MissingData
from . import declared
from .instances import instances
from .purity import untouched
from .subject import Broken, NotApplicable, Subject

SAMPLES = 3


def of(subject: Subject) -> Dataset:
    """The default instance."""
    made = instances(subject)[0]
    if not isinstance(made, Dataset):
        raise NotApplicable("it is no data set")
    return made


def contract(subject: Subject) -> None:
    """Its options, and fields that can be known without its files, x among them."""
    declared.options(subject)
    dataset = of(subject)
    fields = dataset.fields()
    if next(iter(fields), None) != "x":
        raise Broken(f"its fields are {', '.join(fields) or 'none'}, where x, the data itself, comes first")
    for name, field in fields.items():
        _check_field(name, field)


def _check_field(name: str, field: DataField) -> None:
    if field.values == "image" and len(field.shape) != 3:
        raise Broken(f"the field {name} is an image of shape {[*field.shape]}, where [c, h, w] fits")
    if field.values == "classes" and not 0 < len(field.classes) <= 256:
        raise Broken(f"the field {name} names {len(field.classes)} classes, where 1 to 256 fit")
    if field.values == "vector" and len(field.shape) != 1:
        raise Broken(f"the field {name} is a vector of shape {[*field.shape]}, where [d] fits")
    entries = len(field.classes) or field.shape[0] or 0
    places = [place for pair in field.mirrored for place in pair]
    if len(set(places)) != len(places) or not all(0 <= place < entries for place in places):
        raise Broken(f"the pairs that change places in the field {name} are not pairs of its {entries} entries")


def samples(subject: Subject) -> None:
    """Where its files are at hand: samples are as its fields declare, the same each time, and can be read anywhere."""
    dataset = of(subject)
    try:
        source = dataset.open()
    except MissingData as missing:
        raise NotApplicable(f"its files are not at hand: {str(missing).splitlines()[0]}") from missing
    if len(source) < 1 or not source.identity() or source.identity() != dataset.open().identity():
        raise Broken("its source is empty, or has no identity that stays the same")
    multiprocessing.reduction.ForkingPickler.dumps(source)  # as worker processes are handed it
    first = range(min(SAMPLES, len(source)))
    names, again = ([opened.name(index) for index in first] for opened in (source, dataset.open()))
    if names != again:
        raise Broken(f"its samples begin with {', '.join(names)}, and with {', '.join(again)} when it is opened again")
    for index in first:
        _check_sample(source, index, dataset.fields())


def frame(subject: Subject) -> None:
    """A picture from anywhere is framed as x is: uint8, of its shape, however large the picture."""
    dataset = of(subject)
    if type(dataset).frame is Dataset.frame:
        raise NotApplicable("it frames pictures as all do: the largest square in the middle")
    shape = dataset.fields()["x"].shape
    for size in ((178, 218), (300, 40), (16, 16)):
        made = dataset.frame(Image.new("RGB", size, (200, 100, 0)))
        if made is not None and (made.dtype != np.uint8 or not _fits(made.shape, shape)):
            raise Broken(
                f"a picture of {size[0]} × {size[1]} is framed as {made.dtype} {[*made.shape]}, and x is {[*shape]}"
            )


def state(subject: Subject) -> None:
    """Asking for its fields leaves it as it is, and gives the same each time."""
    dataset = of(subject)
    with untouched(dataset, {}, repr(dataset)):
        first, again = dataset.fields(), dataset.fields()
    if list(first.items()) != list(again.items()):
        raise Broken("its fields are others when they are asked for again")


def _fits(found: tuple[int, ...], declared: tuple[int | None, ...]) -> bool:
    return len(found) == len(declared) and all(b is None or a == b for a, b in zip(found, declared, strict=True))


def _check_sample(source: Source, index: int, fields: Mapping[str, DataField]) -> None:
    sample, again = (Reader(source, fields).sample(index) for _ in range(2))
    for name, field in fields.items():
        values = sample[name]
        if not np.array_equal(values, again[name]):
            raise Broken(f"{source.name(index)}: the field {name} is another one when it is read again")
        if not _sound(values, field):
            raise Broken(f"{source.name(index)}: the field {name} has values outside its classes, or not finite")


def _sound(values: NDArray[np.generic], field: DataField) -> bool:
    if field.values == "classes":
        return int(values.max()) < len(field.classes)
    return bool(np.isfinite(values).all())
