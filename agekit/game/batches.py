"""Batches: gathered from the prepared array, mirrored, and scaled; on the device where they fit there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..contracts import DataField

RESIDENT_SHARE = 0.25
"""The share of a device's free memory that data may take, to live there."""


@dataclass(frozen=True)
class Layout:
    """How values lie in memory."""

    device: torch.device
    dtype: torch.dtype = torch.float32
    channels_last: bool = False


def as_values(stored: Tensor, field: DataField, layout: Layout) -> Tensor:
    """Stored values as the engine reads them: images in [−1, 1], classes as int64, vectors as they are."""
    if field.values == "classes":
        return stored.long()
    if field.values == "vector":
        return stored.to(layout.dtype)
    format_ = torch.channels_last if layout.channels_last and stored.ndim == 4 else torch.contiguous_format
    return stored.to(layout.dtype, memory_format=format_).div_(127.5).sub_(1)


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

    def _settled(self, name: str) -> Tensor | None:
        """A field on the device, brought there when it is first used; None where it stays in the host's memory."""
        if name not in self._resident:
            array = self._arrays[name]
            fits = self.layout.device.type == "cuda" and array.nbytes < RESIDENT_SHARE * self._free_bytes()
            self._resident[name] = torch.from_numpy(np.array(array)).to(self.layout.device) if fits else None
        return self._resident[name]

    def _free_bytes(self) -> int:
        free: int = torch.cuda.mem_get_info(self.layout.device)[0]
        return free

    def take(self, indices: np.ndarray, names: Iterable[str], mirrored: Tensor | None = None) -> dict[str, Tensor]:
        """The values of some fields at these samples; where `mirrored` [n] is true, flipped left to right."""
        return {name: self._take(indices, name, mirrored) for name in dict.fromkeys(names)}

    def _take(self, indices: np.ndarray, name: str, mirrored: Tensor | None) -> Tensor:
        settled = self._settled(name)
        if settled is not None:
            stored = settled[torch.from_numpy(indices).to(self.layout.device)]
        else:
            stored = torch.from_numpy(self._arrays[name][indices]).to(self.layout.device)
        field = self.fields[name]
        if mirrored is not None:
            flipped = mirror(stored, field)
            stored = torch.where(mirrored.view(-1, *[1] * (stored.ndim - 1)), flipped, stored)
        return as_values(stored, field, self.layout)


def mirror(stored: Tensor, field: DataField) -> Tensor:
    """A stored batch flipped left to right, with the classes, or vector entries, that change places."""
    flipped = stored.flip(-1) if len(field.shape) > 1 else stored
    if not field.mirrored:
        return flipped
    if field.values == "vector":
        return flipped[:, _exchanged(field.mirrored, stored.shape[1])]
    table = torch.tensor(_exchanged(field.mirrored, 256), dtype=stored.dtype, device=stored.device)
    return table[flipped.long()]


def _exchanged(pairs: Sequence[tuple[int, int]], count: int) -> list[int]:
    order = list(range(count))
    for a, b in pairs:
        order[a], order[b] = b, a
    return order
