"""The codes of a run's own data, with what its fields say of each sample: attributes, and where codes go with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..contracts import DataField
from ..data.order import indices
from ..data.prepared import Prepared
from ..errors import AgekitError, nearest
from ..game.coding import Coder
from ..game.drawing import evenly
from ..game.views import part_size

Told = Callable[[int, int], None]


def codes_of(coder: Coder, chosen: NDArray[np.int64], told: Told) -> Iterator[Tensor]:
    """The codes of chosen samples, part by part, in the memory of the CPU."""
    done = 0
    batches = coder.gallery.game.data()
    for size in evenly(len(chosen), part_size(coder.plan)):
        part = chosen[done : done + size]
        yield coder.encode(batches.take(part, ["x"])).float().cpu()
        done += size
        told(done, len(chosen))


def some_of(data: Prepared, count: int, seed: int) -> NDArray[np.int64]:
    """So many samples, or all where there are fewer, in their order: a function of the seed."""
    return np.sort(indices(len(data), min(count, len(data)), seed=seed, stream="labelled", step=0))


@dataclass(frozen=True)
class Attribute:
    """Something that a field says of each sample: an entry of a vector, or whether the sample is of a class."""

    name: str
    field: str
    entry: int
    is_class: bool

    def values(self, data: Prepared, chosen: NDArray[np.int64]) -> Tensor:
        """What it is for the chosen samples, [n], in float64."""
        stored = torch.from_numpy(np.asarray(data.arrays[self.field][chosen]))
        return (stored == self.entry).double() if self.is_class else stored[:, self.entry].double()


def attributes(fields: Mapping[str, DataField]) -> list[Attribute]:
    """Every attribute of these fields; entries without names are called by their number, from 0: attributes.31."""
    found = []
    for name, field in fields.items():
        if field.values == "vector":
            size = int(field.shape[0] or 0)
            named = field.classes or [f"{name}.{entry}" for entry in range(size)]
            found += [Attribute(each, name, entry, False) for entry, each in enumerate(named)]
        elif field.values == "classes" and field.shape == ():
            found += [Attribute(each, name, entry, True) for entry, each in enumerate(field.classes)]
    return found


def attribute(fields: Mapping[str, DataField], wanted: str) -> Attribute:
    """The attribute of a name, such as smile, or factors.smile where two fields have one.

    Raises `AgekitError` where there is none, or several.
    """
    every = attributes(fields)
    fitting = [one for one in every if wanted in (one.name, f"{one.field}.{one.name}", f"{one.field}.{one.entry}")]
    if len(fitting) > 1:
        full = " and ".join(f"{one.field}.{one.name}" for one in fitting)
        raise AgekitError(f"--towards {wanted}: there are two, {full}")
    if not fitting:
        said = nearest(wanted, [one.name for one in every]) if every else "its fields say nothing of whole samples"
        raise AgekitError(f"--towards {wanted}: the data has no such attribute; {said}")
    return fitting[0]


@dataclass(frozen=True)
class Direction:
    """Where codes go, in the mean, as an attribute grows by one standard deviation: [dim].

    v = cov(code, a) / sd(a), the slope of the least-squares line of the code over a, in standard deviations of a. For
    an attribute with two values it points from the mean code of the one to that of the other (White 2016). `known` is
    the share of a's variance that the best linear function of the code explains: where codes hold nothing of it, there
    is no direction to speak of.
    """

    vector: Tensor
    known: float


def direction(codes: Tensor, values: Tensor) -> Direction:
    """The direction of an attribute, of labelled codes [n, dim] and [n].

    Raises `ValueError` where all samples have the same value.
    """
    centred, a = codes.double() - codes.double().mean(0), values - values.mean()
    spread = a.square().mean().sqrt()
    if not spread > 0:
        raise ValueError(f"is {values[0]:g} for all {len(values)} samples that were looked at")
    fitted = centred @ torch.linalg.lstsq(centred, a[:, None], driver="gelsd").solution[:, 0]
    return Direction(
        ((a @ centred) / len(a) / spread).to(codes.dtype), (fitted.square().sum() / a.square().sum()).item()
    )
