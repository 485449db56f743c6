"""Checks of data sets: what one declares without its files, and what it reads where they are at hand."""

from __future__ import annotations

import multiprocessing.reduction
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..contracts import DataField, Dataset, Source
from ..data.reading import Reader
from ..errors import MissingData
from . import declared
from .instances import instances
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
    for index in range(min(SAMPLES, len(source))):
        _check_sample(source, index, dataset.fields())


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
