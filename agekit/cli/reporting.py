"""`agekit report`. No torch in here."""

from __future__ import annotations

import argparse

from ..compare.page import page
from ..compare.reading import told
from ..errors import RunError
from ..files import write_text
from ..report.console import make_console, shorten
from . import common


def report(given: argparse.Namespace) -> int:
    """Write one page about runs, which needs nothing besides itself."""
    common.writable(given.out)
    short = [path.resolve().name for path in given.runs]
    unique = len({*short}) == len(short)
    runs = [told(path, name if unique else str(path)) for path, name in zip(given.runs, short, strict=True)]
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
