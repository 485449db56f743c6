"""Pictures that go out: as one grid, or as a file each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from ..errors import AgekitError
from ..game.batches import as_stored
from ..report.pictures import as_png, enlarged, grid, save_png

MOST = 4096
"""So many pictures a grid holds."""


class Album(ABC):
    """Takes pictures part by part; `said` is written into each file."""

    def __init__(self, path: Path, said: Mapping[str, str]) -> None:
        self.path, self.said = path, said
        self.count = 0

    @abstractmethod
    def add(self, pictures: Tensor, names: Sequence[str] = (), beside: Tensor | None = None) -> None:
        """Take pictures in [−1, 1], [n, c, h, w], with what files are to be called, and what stands beside each.

        What stands beside is shown in a grid only. Raises `OSError` where it cannot be written.
        """

    @abstractmethod
    def close(self) -> None:
        """Write what has not been written. Raises `OSError` where it cannot be."""


class Sheet(Album):
    """One picture of all, in rows of `columns`, or about a square."""

    def __init__(self, path: Path, said: Mapping[str, str], columns: int | None) -> None:
        super().__init__(path, said)
        self.columns = columns
        self._tiles: list[np.ndarray] = []
        self._beside: list[np.ndarray] = []

    def add(self, pictures: Tensor, names: Sequence[str] = (), beside: Tensor | None = None) -> None:  # noqa: ARG002
        self.count += len(pictures)
        if self.count > MOST:
            raise AgekitError(f"{self.path}: a grid holds {MOST} pictures; a name without .png is a folder of files")
        self._tiles.append(as_stored(pictures))
        if beside is not None:
            self._beside.append(as_stored(beside))

    def close(self) -> None:
        tiles = np.concatenate(self._tiles)
        beside = np.concatenate(self._beside) if self._beside else None
        picture = enlarged(grid(tiles, beside, self.columns), tiles.shape[2])
        save_png(self.path, as_png(picture, self.said))


class FileEach(Album):
    """A folder with a file for each picture, in its own size: 000000.png, 000001-name.png, …"""

    def __init__(self, path: Path, said: Mapping[str, str]) -> None:
        super().__init__(path, said)
        path.mkdir(exist_ok=True)

    def add(self, pictures: Tensor, names: Sequence[str] = (), beside: Tensor | None = None) -> None:  # noqa: ARG002
        stored = as_stored(pictures)
        for index, picture in enumerate(np.broadcast_to(stored, (len(stored), 3, *stored.shape[2:]))):
            name = f"{self.count:06d}{f'-{names[index]}' if names else ''}.png"
            save_png(self.path / name, as_png(picture, self.said))
            self.count += 1

    def close(self) -> None:
        """Every file is written already."""


def is_grid(path: Path) -> bool:
    """Whether a path means one picture of all, and no folder."""
    return path.suffix.lower() == ".png" and not path.is_dir()


def album(path: Path, said: Mapping[str, str], columns: int | None = None) -> Album:
    """A grid where the path ends in .png, else a folder. Raises `OSError` where that cannot be made."""
    return Sheet(path, said, columns) if is_grid(path) else FileEach(path, said)
