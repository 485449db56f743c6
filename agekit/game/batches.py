"""Batches: gathered from the prepared array, mirrored, and scaled; on the device where they fit there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..contracts import DataField

RESIDENT_SHARE = 0.25
"""The share of a device's free memory that data may take, to live there."""

PLACES = ""
"""Among what is brought, and so no field's name: where the samples stand in the fields that live on the device."""

Brought = Mapping[str, Tensor]
"""Samples on the device as they are stored: rows by field, and for fields that live there, places."""


@dataclass(frozen=True)
class Layout:
    """How values lie in memory."""

    device: torch.device
    dtype: torch.dtype = torch.float32
    channels_last: bool = False


def as_values(stored: Tensor, field: DataField, layout: Layout) -> Tensor:
    """Stored values as they are read, well laid out: images in [−1, 1], classes as int64, vectors as they are."""
    if field.values == "classes":
        return stored.to(torch.int64, memory_format=torch.contiguous_format)
    if field.values == "vector":
        return stored.to(layout.dtype)
    return (_scaled_on_cpu if stored.device.type == "cpu" else _scaled)(stored, layout)


def _scaled(stored: Tensor, layout: Layout) -> Tensor:
    """Bytes scaled to [−1, 1] and laid out, in one pass."""
    memory = torch.channels_last if layout.channels_last and stored.ndim == 4 else torch.contiguous_format
    values = torch.empty(stored.shape, dtype=layout.dtype, device=stored.device, memory_format=memory)
    least, half = _kept((-1.0, 127.5), layout.dtype, stored.device)
    return torch.addcdiv(least, stored, half, out=values)


def _scaled_on_cpu(stored: Tensor, layout: Layout) -> Tensor:
    """The same numbers: a CPU makes floats of bytes before it does anything else, and lays bytes out sooner."""
    if layout.channels_last and stored.ndim == 4:
        stored = torch.stack(stored.unbind(1), dim=-1).permute(0, 3, 1, 2)
    else:
        stored = stored.contiguous()
    return torch.div(stored, torch.tensor(127.5, dtype=layout.dtype)).sub_(1)


def as_stored(image: Tensor) -> np.ndarray:
    """An image batch in [−1, 1] as uint8 [n, c, h, w], values beyond the range clipped."""
    stored: np.ndarray = image.detach().float().add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8).cpu().numpy()
    return stored


class Batches:
    """The fields of a prepared data set, by sample."""

    def __init__(self, arrays: Mapping[str, np.ndarray], fields: Mapping[str, DataField], layout: Layout) -> None:
        self.fields = fields
        self.layout = layout
        self.length = len(next(iter(arrays.values())))
        self._arrays = arrays
        self._resident: dict[str, Tensor | None] = {}

    def lives_there(self, name: str) -> bool:
        """Whether a field lives on the device, where it is brought when it is first asked for."""
        return self._settled(name) is not None

    def _settled(self, name: str) -> Tensor | None:
        if name not in self._resident:
            array = self._arrays[name]
            fits = self.layout.device.type == "cuda" and array.nbytes < RESIDENT_SHARE * self._free_bytes()
            self._resident[name] = torch.from_numpy(np.array(array)).to(self.layout.device) if fits else None
        return self._resident[name]

    def _free_bytes(self) -> int:
        free: int = torch.cuda.mem_get_info(self.layout.device)[0]
        return free

    def take(
        self, indices: NDArray[np.int64], names: Iterable[str], mirrored: Tensor | None = None
    ) -> dict[str, Tensor]:
        """The values of some fields at these samples; where `mirrored` [n] is true, flipped left to right."""
        names = list(dict.fromkeys(names))
        return self.values(self.bring(indices, names), names, mirrored)

    def bring(self, indices: NDArray[np.int64], names: Iterable[str]) -> dict[str, Tensor]:
        """What is needed of these samples to have the values of some fields, on its way to the device."""
        return self.send(self.gather(indices, names))

    def gather(self, indices: NDArray[np.int64], names: Iterable[str]) -> dict[str, Tensor]:
        """What is needed of these samples, in the host's memory: where the device can fetch it by itself, if it can."""
        names = list(names)
        found = {name: torch.from_numpy(self._arrays[name][indices]) for name in names if not self.lives_there(name)}
        if len(found) < len(names):
            found[PLACES] = torch.from_numpy(indices)
        pinned = self.layout.device.type == "cuda"
        return {name: one.pin_memory() for name, one in found.items()} if pinned else found

    def send(self, gathered: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What was gathered, on its way to the device; nobody waits for it."""
        return {name: one.to(self.layout.device, non_blocking=True) for name, one in gathered.items()}

    def values(
        self, brought: Brought, names: Iterable[str], mirrored: Tensor | None = None, rows: slice = slice(None)
    ) -> dict[str, Tensor]:
        """The values of fields at rows of what was brought; computed on the device."""
        return {name: self._values(brought, name, mirrored, rows) for name in names}

    def _values(self, brought: Brought, name: str, mirrored: Tensor | None, rows: slice) -> Tensor:
        settled, field = self._settled(name), self.fields[name]
        turned = None if mirrored is None else mirrored[rows]
        if settled is not None:
            stored = gathered(settled, brought[PLACES][rows], field, turned)
        else:
            stored = brought[name][rows]
            if turned is not None:
                stored = gathered(stored, torch.arange(len(stored), device=stored.device), field, turned)
        return as_values(stored, field, self.layout)


def gathered(store: Tensor, places: Tensor, field: DataField, mirrored: Tensor | None = None) -> Tensor:
    """What is stored at these places [n]; where `mirrored` [n] is true, flipped left to right.

    Columns are turned as they are gathered, which is one pass. Classes, or vector entries, that change places when a
    sample is flipped do so in a second.
    """
    if mirrored is None:
        return store[places]
    if len(field.shape) > 1:
        width = store.shape[-1]
        there, back = _kept((*range(width), *reversed(range(width))), torch.int64, store.device).view(2, width)
        found = store[places[:, None], ..., torch.where(mirrored[:, None], back, there)].movedim(1, -1)
    else:
        found = store[places]
    if not field.mirrored:
        return found
    if field.values == "vector":
        exchanged = found[:, _kept(_exchanged(field.mirrored, found.shape[1]), torch.int64, store.device)]
    else:
        exchanged = _kept(_exchanged(field.mirrored, 256), store.dtype, store.device)[found.long()]
    return torch.where(mirrored.view(-1, *[1] * (found.ndim - 1)), exchanged, found)


@lru_cache(maxsize=64)
def _exchanged(pairs: Sequence[tuple[int, int]], count: int) -> tuple[int, ...]:
    """The numbers below `count`, those of each pair exchanged."""
    order = list(range(count))
    for a, b in pairs:
        order[a], order[b] = b, a
    return tuple(order)


@cache
def _kept(numbers: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Numbers on a device, brought there once, for that is waited for; and kept, for recordings read them."""
    return torch.tensor(numbers, dtype=dtype, device=device)
