"""A `.npy` file that grows by rows."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Column:
    """An array [n, *shape] on disk of which n is only known at the end: `append` rows, then leave the `with` block.

    numpy leaves room in the header of a `.npy` file for the first length to grow, so that the header can be written
    over when that length is known.
    """

    def __init__(self, path: Path, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
        self.dtype, self.shape, self.count = dtype, shape, 0
        self._digest = hashlib.sha256()
        self._file = path.open("wb")
        self._write_header()

    def append(self, rows: NDArray[Any]) -> None:
        """Add rows [k, *shape] at the end."""
        blob = np.ascontiguousarray(rows, dtype=self.dtype).tobytes()
        self._file.write(blob)
        self._digest.update(blob)
        self.count += len(rows)

    @property
    def sha256(self) -> str:
        """The hash of all rows so far, without the header."""
        return self._digest.hexdigest()

    def __enter__(self) -> Column:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file:
            self._file.seek(0)
            self._write_header()

    def _write_header(self) -> None:
        descr = np.lib.format.dtype_to_descr(self.dtype)
        header = {"descr": descr, "fortran_order": False, "shape": (self.count, *self.shape)}
        np.lib.format.write_array_header_1_0(self._file, header)
