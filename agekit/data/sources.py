"""The two usual kinds of source: a file a sample, and a few files that hold all samples together."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agekit.contracts import BrokenSample
from agekit.errors import DataError

from .archives import Files
from .images import Pixels

Array = NDArray[Any]


class Pictures:
    """Samples that are picture files, one each, and what else is known of them.

    `names` are the files' names in `files`; `form` makes the pixels of a file's bytes, and must be picklable, a
    module's function or a `functools.partial` of one; `others` holds the other fields, one row a name. A picture that
    cannot be read is a `BrokenSample`.
    """

    def __init__(
        self,
        files: Files,
        names: Sequence[str],
        form: Callable[[bytes], Pixels],
        others: Mapping[str, Array] | None = None,
    ) -> None:
        self.files = files
        self.names = tuple(names)
        self.form = form
        self.others = dict(others or {})

    def __len__(self) -> int:
        return len(self.names)

    def identity(self) -> str:
        stamps = self.files.stamps()
        digest = hashlib.sha256(os.fsencode(self.files.path.resolve()))
        for name in self.names:
            digest.update(f"\n{name} {stamps.get(name)}".encode("utf-8", "surrogateescape"))
        for field, rows in self.others.items():
            digest.update(f"\n{field} ".encode() + rows.tobytes())
        return digest.hexdigest()

    def name(self, index: int) -> str:
        return self.names[index]

    def read(self, index: int) -> Mapping[str, Array]:
        try:
            blob = self.files.read(self.names[index])
        except DataError as error:
            raise BrokenSample(str(error)) from error
        return {"x": self.form(blob)} | {field: np.asarray(rows[index]) for field, rows in self.others.items()}


class Arrays:
    """Samples that a few files hold all together; they are read when the first sample is asked for.

    `load` reads the paths and returns the fields' rows, among them `x`; `form` brings the `x` of one sample to the size
    asked for. Both must be picklable.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        load: Callable[[Sequence[Path]], Mapping[str, Array]],
        form: Callable[[Pixels], Pixels],
    ) -> None:
        self.paths = tuple(paths)
        self.load = load
        self.form = form

    @cached_property
    def rows(self) -> Mapping[str, Array]:
        """All samples, by field."""
        return self.load(self.paths)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "rows"}

    def __len__(self) -> int:
        return len(self.rows["x"])

    def identity(self) -> str:
        return "\n".join(f"{path.resolve()} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in self.paths)

    def name(self, index: int) -> str:
        return f"{self.paths[0].name} {index}"

    def read(self, index: int) -> Mapping[str, Array]:
        sample = {field: np.asarray(rows[index]) for field, rows in self.rows.items()}
        return sample | {"x": self.form(sample["x"])}
