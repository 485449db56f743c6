"""`agekit export`."""

from __future__ import annotations

import argparse

from ..export.card import publish
from ..export.export import Exported, Wanted, opened
from ..export.export import export as write
from ..report.console import RunConsole, make_console, shorten
from ..train.folder import open_run
from . import common


def export(given: argparse.Namespace) -> int:
    """Write networks of a run as files for others, and show the code that loads them."""
    folder, loaded = open_run(given.run), common.plugins()
    gallery, checkpoint = opened(folder, loaded, given.checkpoint)
    wanted = Wanted(given.format, tuple(given.networks or ()), given.checkpoint, given.weights, given.statistics)
    if given.hub is not None:
        done = publish(folder, gallery, wanted, given.hub, loaded)
    else:
        done = write(gallery, wanted, given.out or folder.path / "export", loaded)
    console = RunConsole(make_console())
    facts = [("checkpoint", f"{given.checkpoint}, {checkpoint.path.name}"), *(("file", _said(one)) for one in done)]
    console.facts([*facts, *([("card", shorten(given.hub / "README.md"))] if given.hub is not None else [])])
    for one in done:
        console.console.print(f"\n{one.code}")
    return 0


def _said(one: Exported) -> str:
    part = one.part
    how = f"{part.weights} weights, batch-norm statistics {part.statistics}"
    return f"{shorten(one.file)}: {how}; differs from the run by {one.difference:.1g}"
