"""TensorBoard: scalars, pictures, histograms, texts and hparams of a run."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # tensorboard's own use of what numpy and protobuf deprecate
    from torch.utils.tensorboard import SummaryWriter
    from torch.utils.tensorboard.summary import hparams


class Board:
    """The event files of a run. A resumed run says from which step on the old events no longer count."""

    def __init__(self, folder: Path, from_step: int) -> None:
        self._writer = SummaryWriter(str(folder), purge_step=from_step or None)

    def scalars(self, values: dict[str, float], step: int) -> None:
        """Curves, by tag."""
        for tag, value in values.items():
            self._writer.add_scalar(tag, value, step)

    def picture(self, tag: str, picture: np.ndarray, step: int) -> None:
        """A picture, uint8 [3, H, W]."""
        self._writer.add_image(tag, picture, step)

    def histogram(self, tag: str, values: np.ndarray, step: int) -> None:
        """A histogram of all values."""
        self._writer.add_histogram(tag, values, step)

    def text(self, tag: str, text: str) -> None:
        """A text, shown as it is."""
        indented = "\n".join(f"    {line}" for line in text.splitlines())
        self._writer.add_text(tag, indented, 0)

    def hparams(self, parameters: dict[str, Any], metrics: dict[str, float]) -> None:
        """The recipe's values, with the metrics that the run ended with."""
        writer: Any = self._writer._get_file_writer()  # type: ignore[no-untyped-call]
        for summary in hparams(parameters, metrics):  # type: ignore[no-untyped-call]
            writer.add_summary(summary)

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()
