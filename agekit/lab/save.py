"""Saving: what was measured, as CSV and as TensorBoard events; each file whole, or not at all."""

from __future__ import annotations

import csv
import io
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..files import replacing, write_text
from ..report.board import Board
from .costs import Cost, Scaling
from .entry import Entry
from .measure import Settings

COLUMNS = (
    *("divergence", "reference", "dim", "batch", "repetitions", "seed", "codes"),
    *("mean", "sd", "known", "error", "power", "power_standard_error", "gradient", "signal", "refused"),
)
EVENTS = "events.out.tfevents.0000000000.lab"


def write_table(path: Path, entries: Iterable[Entry], settings: Settings, reference: str) -> None:
    """One row a divergence, batch size and cloud; a refusal has one row of its own."""
    shared = {
        "reference": reference,
        "dim": settings.reference.dim,
        "repetitions": settings.repetitions,
        "seed": settings.seed,
    }
    write_csv(path, COLUMNS, [shared | row for entry in entries for row in rows_of(entry)])


def rows_of(entry: Entry) -> list[dict[str, Any]]:
    """The rows of an entry."""
    named = {"divergence": entry.label, "batch": entry.batch}
    if entry.refused:
        return [named | {"refused": entry.refused}]
    return [
        named
        | {
            "codes": cloud,
            "mean": there.mean,
            "sd": there.sd,
            "known": entry.known.get(cloud),
            "error": entry.error(cloud),
            "power": entry.power(cloud),
            "power_standard_error": entry.power_standard_error(cloud),
            "gradient": there.gradient,
            "signal": there.signal,
        }
        for cloud, there in entry.measured.items()
    ]


def write_costs(path: Path, measured: Sequence[Cost]) -> None:
    """One row a divergence, batch size and dimension."""
    _write_records(path, Cost, measured)


def write_scaling(path: Path, fitted: Sequence[Scaling]) -> None:
    """One row a divergence."""
    _write_records(path, Scaling, fitted)


def _write_records(path: Path, kind: type[Cost | Scaling], records: Sequence[Cost | Scaling]) -> None:
    columns = ["divergence", *(field.name for field in fields(kind)[1:])]
    write_csv(path, columns, [dict(zip(columns, astuple(record), strict=True)) for record in records])


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a CSV file whole; numbers have nine digits, and what is not there is empty."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    write_text(path, stream.getvalue())


def _cell(value: Any) -> Any:
    return "" if value is None else f"{value:.9g}" if isinstance(value, float) else value


def write_events(folder: Path, entries: Sequence[Entry], measured: Sequence[Cost], dim: int) -> None:
    """TensorBoard events: a run for each divergence, in which a step is a batch size."""
    for label in dict.fromkeys(entry.label for entry in entries):
        curves = {entry.batch: _scalars(entry) for entry in entries if entry.label == label}
        for cost in measured:
            if cost.label == label and cost.dim == dim and cost.batch in curves:
                curves[cost.batch] |= {
                    "cost/forward_seconds": cost.forward_seconds,
                    "cost/backward_seconds": cost.backward_seconds,
                    "cost/peak_bytes": float(cost.peak_bytes),
                }
        _write_run(folder / re.sub(r"[^\w.=-]+", "_", label), curves)


def _scalars(entry: Entry) -> dict[str, float]:
    columns = ("mean", "sd", "error", "power", "power_standard_error", "gradient", "signal")
    return {
        f"{column}/{row['codes']}": row[column]
        for row in rows_of(entry)
        for column in columns
        if row.get(column) is not None
    }


def _write_run(folder: Path, curves: Mapping[int, dict[str, float]]) -> None:
    """The events are written elsewhere and then put in their place, so that a reader never sees half of them."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as scratch:
        board = Board(Path(scratch), 0)
        for step, values in sorted(curves.items()):
            board.scalars(values, step)
        board.close()
        (written,) = Path(scratch).iterdir()
        with replacing(folder / EVENTS) as temporary:
            shutil.copyfile(written, temporary)
