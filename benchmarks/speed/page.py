"""The page of a device, docs/benchmarks/<device>.md, and the file of numbers beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from agekit.files import write_json, write_text

from .rows import Row, table

ABOUT = """\
The reference loop is AGE's step as its authors' code does it (`benchmarks/speed/reference.py`): float32, eager,
contiguous, gradients computed that are thrown away, Adam one parameter after another, losses fetched after every
update; on CUDA its convolutions round to TF32, as torch has it by default. The step by hand (`by_hand.py`) has the
engine's tricks and nothing of its generality. The convolutions alone are those of the needed passes, in the faster of
two layouts. Contenders sit in processes of their own and take their steps in turn; a ratio is taken within a round, and
the median of all rounds counts. Memory is the peak above what the process had before anything was built, libraries and
pictures loaded; on CUDA it is what is kept of the device once every update has been played. Goals are for a quiet
machine; a figure that was not taken says so.
"""


class Checked(Protocol):
    """Something that was checked before anything was measured."""

    def cells(self) -> list[str]: ...


def write(
    folder: Path,
    name: str,
    title: str,
    made_by: str,
    told: Mapping[str, str],
    rows: Sequence[Row],
    checked: Sequence[Checked] = (),
) -> Path:
    """Write the page and the numbers; the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    numbers: dict[str, Any] = {"machine": told, "rows": [row.as_json() for row in rows]}
    if checked:
        numbers["checks"] = [one.cells() for one in checked]
    write_json(folder / f"{name}.json", numbers)
    path = folder / f"{name}.md"
    write_text(path, text(title, made_by, told, rows, checked))
    return path


def text(
    title: str, made_by: str, told: Mapping[str, str], rows: Sequence[Row], checked: Sequence[Checked] = ()
) -> str:
    """The page."""
    facts = "".join(f"| {name} | {value} |\n" for name, value in told.items())
    notes = "".join(f"- {row.measure}: {row.note}\n" for row in rows if row.note)
    checks = [["checked", "found", "holds"], ["---"] * 3, *(one.cells() for one in checked)] if checked else []
    right = "".join(f"| {' | '.join(line)} |\n" for line in checks)
    parts = f"| | |\n|---|---|\n{facts}", right, table(rows), notes, ABOUT
    more = "What was tried, and what it gave, is on the [page on performance](../performance.md)."
    return "\n".join([f"# {title}\n", f"Written by `{made_by}`. {more}\n", *(part for part in parts if part)])
