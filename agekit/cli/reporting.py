"""`agekit report`. No torch in here."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ..compare.page import page
from ..compare.reading import Told, runs_in, told
from ..errors import RunError
from ..files import write_text
from ..report.console import make_console, shorten
from ..train.folder import RunFolder
from . import common


def report(given: argparse.Namespace) -> int:
    """Write one page about runs, which needs nothing besides itself."""
    common.writable(given.out)
    runs = named([path for one in given.runs for path in within(one)])
    for run in runs:
        if run.broken:
            raise RunError(run.broken)
    with common.writing(given.out):
        write_text(given.out, page(runs))
    size = given.out.stat().st_size / 1e6
    make_console().print(
        f"{shorten(given.out)}  {', '.join(run.name for run in runs)}; {size:.1f} MB, open it in a browser"
    )
    return 0


def within(path: Path) -> list[Path]:
    """The runs in a folder, or the folder itself where it is a run or has none."""
    if RunFolder(path).mark.is_file() or not path.is_dir():
        return [path]
    return [run.folder.path for run in runs_in(path)] or [path]


def named(paths: Sequence[Path]) -> list[Told]:
    """Runs by the names of their folders; where two have the same one, by their paths."""
    short = [path.resolve().name for path in paths]
    unique = len({*short}) == len(short)
    return [told(path, name if unique else str(path)) for path, name in zip(paths, short, strict=True)]
