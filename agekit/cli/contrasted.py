"""The pictures of `agekit compare`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from string import ascii_uppercase

from ..compare.pictures import gallery_of, rows, sheet
from ..compare.sides import Side
from ..data.places import cache_home
from ..errors import AgekitError
from ..report.console import RunConsole, make_console, shorten
from ..report.pictures import as_png, save_png
from . import common


def compare_pictures(sides: Sequence[Side], given: argparse.Namespace) -> None:
    """Write the picture of all sides, and say what in it is not the same on all of them."""
    out, loaded = common.writable(given.pictures), common.plugins()
    console = RunConsole(make_console(stderr=given.json))
    try:
        galleries = {
            letter: gallery_of(
                side, loaded, cache_home(), device=given.device, trust=given.trust, preparing=console.preparing
            )
            for letter, side in zip(ascii_uppercase, sides, strict=False)
        }
    finally:
        console.stop(keep=False)
    seed = next(iter(galleries.values())).game.recipe.run.seed
    found, notes = rows(galleries, seed)
    if not found:
        raise AgekitError("the recipes have no view of pictures in common")
    said = {letter: str(side.first.folder.path) for letter, side in zip(ascii_uppercase, sides, strict=False)}
    try:
        save_png(out, as_png(sheet(found), {**said, "seed": str(seed)}))
    except OSError as error:
        raise AgekitError(f"{out} cannot be written: {error.strerror}") from error
    console.console.print()
    console.facts([("pictures", shorten(out)), *((("but", note)) for note in notes)])
