"""TensorBoard: scalars, pictures, histograms, texts and hparams of a run."""

from __future__ import annotations

import itertools
import re
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import RunError
from ..files import WholeFile
from .crc import masked_crc32c
from .pictures import size_of

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # tensorboard's own use of what numpy and protobuf deprecate
    from tensorboard.compat.proto.event_pb2 import Event, SessionLog  # type: ignore[import-untyped]
    from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata  # type: ignore[import-untyped]
    from tensorboard.compat.proto.tensor_pb2 import TensorProto  # type: ignore[import-untyped]
    from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto  # type: ignore[import-untyped]
    from tensorboard.plugins.custom_scalar.layout_pb2 import (  # type: ignore[import-untyped]
        Category,
        Chart,
        Layout,
        MultilineChartContent,
    )
    from tensorboard.plugins.custom_scalar.metadata import CONFIG_SUMMARY_TAG  # type: ignore[import-untyped]
    from torch.utils.tensorboard import summary


EVENTS = "events.out.tfevents."


class Board:
    """The event files of a run. A resumed run says from which step on the old events no longer count.

    Events are written where they arise: torch's own writer has a thread that prints a traceback when the disk is full.
    Raises `OSError` where the file cannot be written.
    """

    def __init__(self, folder: Path, from_step: int) -> None:
        path = folder / f"{EVENTS}{_after(folder):010}.{from_step:09}"
        self._stream = WholeFile(path, "xb")  # with nothing held back, closing cannot fail
        self._write(file_version="brain.Event:2")
        self._write(step=from_step + 1, session_log=SessionLog(status=SessionLog.START))

    def _write(self, **event: Any) -> None:
        blob = Event(wall_time=time.time(), **event).SerializeToString()
        head = len(blob).to_bytes(8, "little")
        self._stream.write(head + _checksum(head) + blob + _checksum(blob))

    def scalars(self, values: dict[str, float], step: int) -> None:
        """Curves, by tag."""
        for tag, value in values.items():
            self._write(step=step, summary=summary.scalar(tag, value))  # type: ignore[no-untyped-call]

    def picture(self, tag: str, png: bytes, step: int) -> None:
        """A picture, as a PNG file has it."""
        width, height = size_of(png)
        image = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=png)
        self._write(step=step, summary=Summary(value=[Summary.Value(tag=tag, image=image)]))

    def histogram(self, tag: str, values: np.ndarray, step: int) -> None:
        """A histogram of all values."""
        self._write(step=step, summary=summary.histogram(tag, values, bins=64))  # type: ignore[no-untyped-call]

    def text(self, tag: str, text: str, step: int = 0) -> None:
        """A text, shown as it is."""
        indented = "\n".join(f"    {line}" for line in text.splitlines())
        self._write(step=step, summary=summary.text(tag, indented))  # type: ignore[no-untyped-call]

    def layout(self, categories: Mapping[str, Mapping[str, Sequence[str]]]) -> None:
        """What the custom scalars open on: for each category its charts, each of the tags that are named.

        The first category is open, the others closed.
        """
        shown = [
            Category(
                title=title,
                chart=[
                    Chart(title=n, multiline=MultilineChartContent(tag=_exactly(tags))) for n, tags in charts.items()
                ],
                closed=bool(position),
            )
            for position, (title, charts) in enumerate(categories.items())
        ]
        tensor = TensorProto(
            dtype="DT_STRING",
            string_val=[Layout(category=shown).SerializeToString()],
            tensor_shape=TensorShapeProto(),
        )
        about = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="custom_scalars"))
        self._write(summary=Summary(value=[Summary.Value(tag=CONFIG_SUMMARY_TAG, tensor=tensor, metadata=about)]))

    def hparams(self, parameters: dict[str, Any], metrics: dict[str, float], step: int) -> None:
        """The recipe's values, with the metrics that the run ended with, at this step."""
        for part in summary.hparams(parameters, metrics):  # type: ignore[no-untyped-call]
            self._write(step=step, summary=part)
        for tag, value in metrics.items():
            self._write(step=step, summary=summary.scalar(tag, value))  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Let go of the file."""
        self._stream.close()


def check_events(path: Path) -> None:
    """Raises `RunError` where a record of a file of events is not as it was written, by its checksums.

    A last one that is short was being written as its process ended, and is passed over by whoever reads it.
    """
    blob, place = path.read_bytes(), 0
    for number in itertools.count(1):
        head = blob[place : place + 12]
        if len(head) < 12:
            return
        _check_record(head, f"{path} is damaged: the length of record {number}")
        place += 12
        end = place + int.from_bytes(head[:8], "little") + 4
        if end > len(blob):
            return
        _check_record(blob[place:end], f"{path} is damaged: record {number}")
        place = end


def _checksum(blob: bytes) -> bytes:
    return masked_crc32c(blob).to_bytes(4, "little")


def _check_record(blob: bytes, said: str) -> None:
    if blob[-4:] != _checksum(blob[:-4]):
        raise RunError(f"{said} is not as it was written, by its checksum")


def _after(folder: Path) -> int:
    """The time by which a file of events comes after all that are there, whatever the clock says: they are read so."""
    names = (path.name.removeprefix(EVENTS).partition(".")[0] for path in folder.glob(f"{EVENTS}*"))
    return max([int(time.time()), *(int(name) + 1 for name in names if name.isdigit())])


def _exactly(tags: Sequence[str]) -> list[str]:
    """Regular expressions that match these tags and no others; a tag that ends in / stands for all that begin so."""
    return [f"^{re.escape(tag)}{'' if tag.endswith('/') else '$'}" for tag in tags]
