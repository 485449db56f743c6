"""The contract of data sets: what fields one offers, and how its samples are read."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from .component import Component
from .space import DataField

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image


class BrokenSample(Exception):
    """One sample cannot be read. It is counted, named and left out; the rest goes on."""


class Source(Protocol):
    """Samples in a fixed order. It is pickled into worker processes, so it holds paths and not open files."""

    def __len__(self) -> int: ...

    def identity(self) -> str:
        """A text that changes when the inputs change (names, sizes, times of change, or a hash of the contents)."""

    def name(self, index: int) -> str:
        """What a person calls this sample: a file's name, or an archive's and a number."""

    def read(self, index: int) -> Mapping[str, np.ndarray]:
        """The arrays of one sample by field, as stored. Raises `BrokenSample`."""


@dataclass(frozen=True)
class Download:
    """A file that `agekit data get` may fetch: where from, what it must hash to, how large it is, and its name here.

    `md5` is for a file of which no SHA-256 is published; `sha256` is then empty.
    """

    url: str
    sha256: str
    bytes: int
    file: str
    md5: str = ""


class Dataset(Component):
    """A source of samples: its options are what `[data]` may say about it.

    `licence` and `homepage` are shown before anything is fetched; `downloads` is empty where a person has to fetch it.
    """

    licence: ClassVar[str]
    homepage: ClassVar[str]
    downloads: ClassVar[tuple[Download, ...]] = ()

    @abstractmethod
    def fields(self) -> Mapping[str, DataField]:
        """The fields, in order; known without looking at any file. `x` is the data itself."""

    @abstractmethod
    def open(self) -> Source:
        """Look at the files and list the samples. Raises `MissingData`, which says how to get it, or `DataError`."""

    def frame(self, image: Image) -> np.ndarray | None:  # noqa: ARG002 - for those that need it
        """Frame a picture from anywhere as this data set frames its own: uint8 [c, h, w].

        None, the default, takes the largest square in its middle, resized to x.
        """
        return None
