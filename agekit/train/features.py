"""Features of real samples, kept from one judgement to the next."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..errors import RunError
from ..files import replacing

VALUES = "values"


@dataclass(frozen=True)
class Features:
    """Files in a folder of the cache, named by the data's fingerprint and by all else that features depend on."""

    folder: Path
    of: str

    def recall(self, identity: str) -> Tensor | None:
        """What was kept under this identity; None where there is nothing, or what is there is damaged."""
        try:
            return load_file(self._file(identity))[VALUES]
        except (OSError, SafetensorError, KeyError):
            return None

    def keep(self, identity: str, values: Tensor) -> None:
        """Keep values under their identity. Raises `RunError` where the cache cannot be written."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with replacing(self._file(identity)) as temporary:
                save_file({VALUES: values.contiguous()}, temporary)
        except (OSError, SafetensorError) as error:
            raise RunError(f"{self.folder} cannot be written: {error}") from error

    def _file(self, identity: str) -> Path:
        name = hashlib.sha256(f"{self.of}\n{identity}".encode()).hexdigest()[:32]
        return self.folder / f"{name}.safetensors"
