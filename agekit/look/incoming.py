"""Pictures that come in as files, framed as a run's data set frames its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..contracts import BrokenSample
from ..data.images import SUFFIXES, centre_square, decode, pixels, resize
from ..errors import DataError
from ..game.batches import as_values
from ..game.game import Game


@dataclass(frozen=True)
class Part:
    """Some of the pictures: their files, and their values [n, c, h, w] on the game's device."""

    files: Sequence[Path]
    x: Tensor


@dataclass
class Incoming:
    """Files of pictures, read part by part. What cannot be read is left out, and noted with its reason."""

    game: Game
    files: Sequence[Path]
    left_out: dict[Path, str] = field(default_factory=dict)

    def parts(self, size: int) -> Iterator[Part]:
        """The pictures, so many at a time. Raises `DataError` where none of them all can be read."""
        waiting: list[tuple[Path, np.ndarray]] = []
        for file in self.files:
            try:
                waiting.append((file, self._read(file)))
            except (OSError, BrokenSample) as error:
                self.left_out[file] = (error.strerror if isinstance(error, OSError) else None) or str(error)
            if len(waiting) == size:
                yield self._part(waiting)
                waiting = []
        if waiting:
            yield self._part(waiting)
        if len(self.left_out) == len(self.files):
            file, reason = next(iter(self.left_out.items()))
            others = f", and so on with all {len(self.files)} of them" if len(self.files) > 1 else ""
            raise DataError(f"{file} cannot be read: {reason}{others}")

    def _part(self, read: Sequence[tuple[Path, np.ndarray]]) -> Part:
        stored = torch.from_numpy(np.stack([array for _, array in read])).to(self.game.device)
        return Part([file for file, _ in read], as_values(stored, self.game.fields["x"], self.game.layout))

    def _read(self, file: Path) -> np.ndarray:
        """A picture, framed as the data set frames its own: uint8 [c, h, w]."""
        channels, height, width = (int(size or 0) for size in self.game.fields["x"].shape)
        image = decode(file.read_bytes(), "grey" if channels == 1 else "rgb")
        framed = self.game.recipe.dataset.frame(image)
        return pixels(resize(centre_square(image), width, height)) if framed is None else framed


def picture_files(given: Sequence[Path]) -> list[Path]:
    """The files that are meant by files and folders. Raises `DataError` where one is not there, or holds none."""
    files: list[Path] = []
    for path in given:
        if not path.exists():
            raise DataError(f"{path} cannot be read: No such file or directory")
        inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
        if not inside:
            raise DataError(f"{path} holds no picture")
        files += inside
    return files
