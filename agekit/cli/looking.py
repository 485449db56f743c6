"""`agekit sample`, `reconstruct` and `interpolate`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import torch

from ..errors import AgekitError
from ..game.plan import ViewPlan
from ..game.views import part_size
from ..look.choosing import coder_of_draws, coder_of_pictures, of_draws, of_pictures
from ..look.incoming import Incoming, Part, picture_files
from ..look.opening import Opened, open_alone
from ..look.outgoing import Album, album, is_grid
from ..look.ways import ways_of_draws, ways_of_pictures
from ..report.console import RunConsole, make_console, shorten
from ..train.folder import open_run
from . import common

NAMED = 5
"""So many pictures that were left out are named."""


def sample(given: argparse.Namespace) -> int:
    """Draw pictures from a run."""
    at_least_one("--n", given.n)
    check_out(given.out)
    opened = open_to_look(given)
    plan = of_draws(opened.game, given.view)
    console, out = RunConsole(make_console()), album_for(given.out, plan)
    with common.watched(console):
        for shown in opened.gallery.stream(plan, count=given.n, seed=given.seed):
            with common.writing(given.out):
                out.add(shown.of, beside=shown.beside)
            console.working("drawing", out.count, given.n)
        return closed(out, plan, console)


def reconstruct(given: argparse.Namespace) -> int:
    """Pass pictures through a run, each beside what becomes of it."""
    check_out(given.out)
    opened = open_to_look(given)
    plan = of_pictures(opened.game, given.view)
    incoming = Incoming(opened.game, picture_files(given.images))
    times = plan.view.times
    console, out = RunConsole(make_console()), album_for(given.out, plan, times if times > 1 else None)
    names: list[str] = []

    def fields() -> Iterator[dict[str, torch.Tensor]]:
        for part in watched_parts(incoming, part_size(plan), console):
            names[:] = [file.stem for file in part.files for _ in range(times)]
            yield {"x": part.x}

    with common.watched(console):
        for shown in opened.gallery.stream(plan, count=len(incoming.files), given=fields()):
            with common.writing(given.out):
                out.add(shown.of, names, shown.beside)
        return closed(out, plan, console, incoming)


def interpolate(given: argparse.Namespace) -> int:
    """Go from draw to draw, or from each picture to the next, along the reference's own way."""
    at_least_one("--n", given.n)
    if given.steps < 2:
        raise AgekitError(f"--steps {given.steps}: a way has two ends, and so two steps at least")
    check_out(given.out)
    opened = open_to_look(given)
    console = RunConsole(make_console())
    with common.watched(console):
        return _between_pictures(given, opened, console) if given.images else _between_draws(given, opened, console)


def _between_draws(given: argparse.Namespace, opened: Opened, console: RunConsole) -> int:
    coder = coder_of_draws(opened.gallery, given.view)
    out = album_for(given.out, coder.plan, given.steps)
    for pictures in ways_of_draws(coder, given.n, given.steps, given.seed):
        with common.writing(given.out):
            out.add(pictures)
        console.working("drawing", out.count, given.n * given.steps)
    return closed(out, coder.plan, console)


def _between_pictures(given: argparse.Namespace, opened: Opened, console: RunConsole) -> int:
    coder = coder_of_pictures(opened.gallery, given.view)
    incoming = Incoming(opened.game, picture_files(given.images))
    if len(incoming.files) < 2:
        raise AgekitError("interpolate: one picture has no way to another; two at least fit, or none for ways of draws")
    out = album_for(given.out, coder.plan, given.steps + (2 if is_grid(given.out) else 0))
    parts = (part.x for part in watched_parts(incoming, part_size(coder.plan), console))
    for made, first, last in ways_of_pictures(coder, parts, given.steps):
        pictures = torch.cat([first, made, last]) if is_grid(given.out) else made  # a grid shows where its ways begin
        with common.writing(given.out):
            out.add(pictures)
    if not out.count:
        raise AgekitError(f"interpolate: {len(incoming.left_out)} pictures cannot be read, and fewer than two are left")
    return closed(out, coder.plan, console, incoming)


# ---- what the commands share with those of codes


def open_to_look(given: argparse.Namespace) -> Opened:
    """The run that is named, without its data; damaged checkpoints that were passed over are told."""
    opened = open_alone(open_run(given.run), common.plugins(), given.device, trust=given.trust)
    told_damage(opened)
    return opened


def told_damage(opened: Opened) -> None:
    """Tell which checkpoints were passed over."""
    for damage in opened.damaged:
        said = f"warning: {damage}; an earlier checkpoint, of step {opened.game.steps_done}, is used"
        make_console(stderr=True).print(said)


def at_least_one(flag: str, value: int) -> None:
    """Refuse a number below one."""
    if value < 1:
        raise AgekitError(f"{flag} {value}: one at least fits")


def check_out(path: Path) -> None:
    """Refuse what can be neither a grid nor a folder of files, before anything is computed."""
    if path.is_dir() and any(path.iterdir()):
        raise AgekitError(f"{path} cannot be written: it is a folder with something in it; a new or an empty one fits")
    if not path.is_dir():
        common.writable(path)
    if path.suffix.lower() not in ("", ".png") and not path.is_dir():
        raise AgekitError(f"{path} ends in {path.suffix}: .png makes a grid, no ending a folder with a file each")


def album_for(path: Path, plan: ViewPlan, columns: int | None = None) -> Album:
    """Where the pictures of a view go."""
    with common.writing(path):
        return album(path, {"view": f"{plan.name} = {plan.view.of}", "statistics": plan.view.statistics}, columns)


def watched_parts(incoming: Incoming, size: int, console: RunConsole) -> Iterator[Part]:
    """The pictures that come in, telling how many were read."""
    done = 0
    for part in incoming.parts(size):
        yield part
        done += len(part.files)
        console.working("reading", done + len(incoming.left_out), len(incoming.files))


def told_left_out(incoming: Incoming, console: RunConsole) -> None:
    """Name the pictures that could not be read, and count them."""
    left = incoming.left_out
    for file, reason in list(left.items())[:NAMED]:
        console.console.print(f"left out  {file}: {reason}")
    if left:
        console.console.print(f"left out  {len(left)} of {len(incoming.files)} pictures, which cannot be read")


def closed(out: Album, plan: ViewPlan, console: RunConsole, incoming: Incoming | None = None) -> int:
    """Finish what is written, and say what it shows."""
    with common.writing(out.path):
        out.close()
    console.stop(keep=False)
    if incoming:
        told_left_out(incoming, console)
    said = f"{plan.name}: {plan.view.of}, {plan.view.statistics} statistics"
    console.console.print(f"{shorten(out.path)}  {said}")
    return 0
