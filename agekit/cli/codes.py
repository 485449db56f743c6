"""`agekit encode`, `edit` and `nearest`."""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from ..data.prepared import Prepared
from ..errors import AgekitError
from ..files import replacing
from ..game.coding import Coder
from ..game.views import PART, part_size
from ..look.choosing import coder_of_pictures, coder_to_codes
from ..look.incoming import Incoming, picture_files
from ..look.labelled import attribute, codes_of, direction, some_of
from ..look.neighbours import Nearest, nearest_in
from ..look.opening import Opened, open_with_data
from ..look.outgoing import Album, is_grid
from ..report.console import RunConsole, make_console, shorten
from ..train.data import RunData
from ..train.folder import open_run
from . import common
from .looking import (
    album_for,
    at_least_one,
    check_out,
    closed,
    open_to_look,
    told_damage,
    told_left_out,
    watched_parts,
)

AT_ONCE = 1024
"""So many pictures look for their neighbours at the same time."""


def encode(given: argparse.Namespace) -> int:
    """Write the codes of pictures into a file."""
    common.writable(given.out)
    console = RunConsole(make_console())
    with common.watched(console):
        if given.images:
            opened = open_to_look(given)
            coder = coder_to_codes(opened.gallery, given.view)
            incoming = Incoming(opened.game, picture_files(given.images))
            return _encoded(given, coder, _of_files(coder, incoming, console), console, incoming)
        opened, data = _open_with_data(given, console)
        coder = coder_to_codes(opened.gallery, given.view)
        return _encoded(given, coder, _of_data(coder, data.training, console), console)


Coded = Iterator[tuple[Sequence[str], Tensor]]
"""Names and their codes, part by part."""


def _of_files(coder: Coder, incoming: Incoming, console: RunConsole) -> Coded:
    for part in watched_parts(incoming, part_size(coder.plan), console):
        yield [str(file) for file in part.files], coder.encode({"x": part.x}).float().cpu()


def _of_data(coder: Coder, data: Prepared, console: RunConsole) -> Coded:
    first = 0
    for codes in codes_of(coder, np.arange(len(data)), lambda done, total: console.working("encoding", done, total)):
        yield data.names[first : first + len(codes)], codes
        first += len(codes)


def _encoded(
    given: argparse.Namespace, coder: Coder, coded: Coded, console: RunConsole, incoming: Incoming | None = None
) -> int:
    """Codes [n, dim], and beside them what they are: the names in order, the expression, the step."""
    parts = list(coded)
    names = [name for some, _ in parts for name in some]
    game, plan = coder.gallery.game, coder.plan
    said = {
        "names": json.dumps(names, ensure_ascii=False),
        "code": coder.text,
        "view": f"{plan.name} = {plan.view.of}",
        "statistics": plan.view.statistics,
        "recipe": game.recipe.name,
        "step": str(game.steps_done),
    }
    codes = torch.cat([one for _, one in parts]).contiguous()
    with common.writing(given.out), replacing(given.out) as temporary:
        save_file({"codes": codes}, temporary, said)
    console.stop(keep=False)
    if incoming:
        told_left_out(incoming, console)
    console.console.print(f"{shorten(given.out)}  {len(names):,} codes {coder.text}, {plan.view.statistics} statistics")
    return 0


def edit(given: argparse.Namespace) -> int:
    """Move the codes of pictures along an attribute of the run's data, and show what becomes of them."""
    at_least_one("--count", given.count)
    check_out(given.out)
    strengths = _strengths(given.strengths)
    console = RunConsole(make_console())
    with common.watched(console):
        opened, data = _open_with_data(given, console)
        coder = coder_of_pictures(opened.gallery, given.view)
        incoming = Incoming(opened.game, picture_files(given.images))
        vector = _direction(given, coder, data.training, console)
        out = album_for(given.out, coder.plan, len(strengths) + 1 if is_grid(given.out) else None)
        for part in watched_parts(incoming, max(1, PART // len(strengths)), console):
            names = [file.stem for file in part.files]
            _edited(coder, part.x, names, vector, strengths, out)
        return closed(out, coder.plan, console, incoming)


def _strengths(text: str) -> list[float]:
    try:
        return [float(one) for one in text.split(",")]
    except ValueError:
        raise AgekitError(f"--strengths {text}: numbers with commas between them fit, as in -2,0,2") from None


def _direction(given: argparse.Namespace, coder: Coder, data: Prepared, console: RunConsole) -> Tensor:
    """The sum of the directions of all attributes that are named; how well codes know each is told."""
    every = [attribute(data.fields, name) for name in given.towards]
    chosen = some_of(data, given.count, coder.gallery.game.recipe.run.seed)
    codes = torch.cat(list(codes_of(coder, chosen, lambda done, all_: console.working("encoding", done, all_))))
    console.stop(keep=False)
    total = torch.zeros(codes.shape[1])
    for one in every:
        try:
            found = direction(codes, one.values(data, chosen))
        except ValueError as error:
            raise AgekitError(f"--towards {one.name}: {error}") from error
        total += found.vector
        explained = f"codes explain {found.known:.0%} of its variance over {len(codes):,} training samples"
        console.console.print(f"towards {one.name}: {explained}; a strength of 1 is one standard deviation of it")
    return total


def _edited(
    coder: Coder, x: Tensor, names: Sequence[str], vector: Tensor, strengths: Sequence[float], out: Album
) -> None:
    """Add a row for each picture: itself in a grid, and what becomes of it at every strength."""
    game = coder.gallery.game
    assert game.recipe.reference is not None  # noqa: S101 - there are codes
    times, codes = len(strengths), coder.encode({"x": x})
    steps = torch.tensor(strengths, dtype=codes.dtype, device=codes.device).repeat(len(codes))[:, None]
    moved = game.recipe.reference.inside(codes.repeat_interleave(times, 0) + steps * vector.to(codes))
    made = coder.decode(moved, {"x": x.repeat_interleave(times, 0)})
    with common.writing(out.path):
        for index, name in enumerate(names):
            rows = made[index * times : (index + 1) * times]
            if is_grid(out.path):
                out.add(torch.cat([x[index : index + 1], rows]))
            else:
                out.add(rows, [f"{name}{strength:+g}" for strength in strengths])


def nearest(given: argparse.Namespace) -> int:
    """Find the nearest training samples of pictures: a grid, and a table."""
    at_least_one("--k", given.k)
    check_out(given.out)
    table = given.table or given.out.with_suffix(".csv")
    common.writable(table)
    console = RunConsole(make_console())
    with common.watched(console):
        opened, data = _open_with_data(given, console)
        incoming = Incoming(opened.game, picture_files(given.images))
        coder = coder_to_codes(opened.gallery, given.view)
        out = album_for(given.out, coder.plan, given.k + 1)
        rows = _neighbours(given, coder, incoming, data.training, out, console)
        lines = _table(rows, table)
        status = closed(out, coder.plan, console, incoming)
        console.console.print(f"{shorten(table)}  {lines:,} neighbours, by {_measure(given, coder)}")
        return status


def _measure(given: argparse.Namespace, coder: Coder) -> str:
    of = coder.text if given.by == "codes" else "x"
    return f"the root of the mean squared difference of {of}"


Row = tuple[str, int, str, float]
"""A picture, the place of a neighbour, its name, its distance."""


def _neighbours(
    given: argparse.Namespace, coder: Coder, incoming: Incoming, data: Prepared, out: Album, console: RunConsole
) -> Iterator[Row]:
    """The neighbours of every picture; a row of pictures goes out for each."""
    batches = coder.gallery.game.data()
    for part in incoming.parts(min(AT_ONCE, part_size(coder.plan))):
        queries = coder.encode({"x": part.x}) if given.by == "codes" else part.x.flatten(1)
        found = nearest_in(queries.cpu(), _samples(given.by, coder, data, console), min(given.k, len(data)))
        for query, file in enumerate(part.files):
            beside = batches.take(found.indices[query].numpy(), ["x"])["x"]
            with common.writing(out.path):
                out.add(torch.cat([part.x[query : query + 1], beside]), _names(file, found.indices.shape[1]))
            yield from _rows(file, query, found, data)


def _samples(by: str, coder: Coder, data: Prepared, console: RunConsole) -> Iterable[Tensor]:
    """What training samples are compared by, part by part."""

    def told(done: int, total: int) -> None:
        console.working("comparing", done, total)

    if by == "codes":
        yield from codes_of(coder, np.arange(len(data)), told)
        return
    for first in range(0, len(data), PART):
        chosen = np.arange(first, min(first + PART, len(data)))
        yield coder.gallery.game.data().take(chosen, ["x"])["x"].flatten(1).cpu()
        told(first + len(chosen), len(data))


def _names(file: Path, count: int) -> list[str]:
    return [file.stem, *(f"{file.stem}-{place}" for place in range(1, count + 1))]


def _rows(file: Path, query: int, found: Nearest, data: Prepared) -> Iterator[Row]:
    pairs = zip(found.indices[query].tolist(), found.distances[query].tolist(), strict=True)
    for place, (index, distance) in enumerate(pairs, start=1):
        yield str(file), place, data.names[index], distance


def _table(rows: Iterable[Row], path: Path) -> int:
    """Write the table, row by row; how many there were."""
    count = 0
    with (
        common.writing(path),
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as stream,
    ):
        writer = csv.writer(stream)
        writer.writerow(("picture", "place", "neighbour", "distance"))
        for picture, place, name, distance in rows:
            writer.writerow((picture, place, name, f"{distance:.6g}"))
            count += 1
    return count


def _open_with_data(given: argparse.Namespace, console: RunConsole) -> tuple[Opened, RunData]:
    folder, loaded = open_run(given.run), common.plugins()
    opened, data = open_with_data(
        folder, loaded, given.device, given.set, trust=given.trust, preparing=console.preparing
    )
    told_damage(opened)
    return opened, data
