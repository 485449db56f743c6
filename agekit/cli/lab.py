"""`agekit lab`."""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ..data.places import cache_home
from ..errors import AgekitError, RunError
from ..files import make_numbered
from ..game.game import Game
from ..game.load import load_recipe
from ..game.views import Gallery
from ..lab import memory, save, tables
from ..lab.candidates import Candidate, candidate, reference_of
from ..lab.clouds import Cloud, halfway
from ..lab.entry import Entry
from ..lab.ingame import run_clouds
from ..lab.match import Match, home_of, match
from ..lab.measure import Settings, table, takers
from ..lab.plot import write_plot
from ..lab.study import NAMES, Study, steps_of, study
from ..plugins import Loaded
from ..registry import Registries
from ..report.console import RunConsole, make_console, shorten
from ..train.compute import prepare_compute
from ..train.data import check_unchanged, prepare_all
from ..train.folder import open_run
from ..train.recovery import restore_last
from ..train.sources import load_programs
from . import common
from .components import print_table

BATCHES = "16,64,256,1024"
MATCHED_BATCH = "64"
DIM = 64
REFERENCE = "gaussian"


def lab(given: argparse.Namespace) -> int:
    """Measure divergences, on departures from a reference or on the codes of a run; or match two of them."""
    if given.repetitions < 3:
        raise AgekitError(f"--repetitions {given.repetitions}: of fewer than 3 no standard error is known")
    if given.seed < 0:
        raise AgekitError(f"--seed {given.seed}: a whole number from 0 on fits")
    if given.match and given.names:
        raise AgekitError(f"--match names both divergences; {given.names[0]} is one too many")
    loaded = common.plugins()
    if given.in_game:
        return _in_game(given, loaded)
    with memory.limited():
        return _match(given, loaded.registries) if given.match else _table(given, loaded.registries)


def _table(given: argparse.Namespace, registries: Registries) -> int:
    name, dim = given.reference or REFERENCE, DIM if given.dim is None else given.dim
    reference = reference_of(name, dim, registries)
    settings = Settings(reference, batches_of(given.batch or BATCHES), given.repetitions, given.seed)
    chosen, left_out = takers(given.names, settings, registries)
    with _saving(given.out, "table") as folder:
        with _progress("measuring", steps_of(chosen, settings)) as done:
            found = study(name, chosen, settings, partial(reference_of, name, registries=registries), done)
        found.write(folder)
        _plot(folder / "power.png", found)
    print(f"against {name}, dimension {dim}; {given.repetitions} draws of each cloud, seed {given.seed}")
    _print(found.texts())
    _say_what_is_missing(found.entries, left_out)
    print(f"\nsaved in {shorten(folder)}")
    return 0


def _match(given: argparse.Namespace, registries: Registries) -> int:
    old, new = (candidate(text, registries) for text in given.match)
    dim = DIM if given.dim is None else given.dim
    if given.reference:
        name, reference = given.reference, reference_of(given.reference, dim, registries)
    else:
        name, reference = home_of(old, dim, dict.fromkeys([REFERENCE, *registries.references]), registries)
    settings = Settings(reference, batches_of(given.batch or MATCHED_BATCH), given.repetitions, given.seed)
    clouds = halfway(reference)
    where = f"half-way to departures from {name}, dimension {dim}"
    return _matched(given, old, new, clouds, settings, where)


def _matched(
    given: argparse.Namespace,
    old: Candidate,
    new: Candidate,
    clouds: Sequence[Cloud],
    settings: Settings,
    where: str,
) -> int:
    with _saving(given.out, "match") as folder:
        with _progress("matching", 2 * len(clouds) * len(settings.batches)) as done:
            found = match(old, new, clouds, settings, done)
        rows, columns = _match_rows(found), ("codes", "batch", "old", "new", "weight")
        save.write_csv(folder / "match.csv", columns, [dict(zip(columns, row, strict=True)) for row in rows])
    print_table(["codes", "n", f"gradient of {old.label}", f"gradient of {new.label}", "weight"], rows)
    spread = f"from {min(found.weights):.3g} to {max(found.weights):.3g}"
    if len(found.weights) > 3:
        low, _, high = statistics.quantiles(found.weights, n=4)
        spread += f", half of them from {low:.3g} to {high:.3g}"
    print(f"\n{new.label} with weight {found.weight:.4g} has the gradient norm of {old.label} with weight 1")
    print(f"(the median {where}; {spread})")
    print(f"\nsaved in {shorten(folder)}")
    return 0


def _match_rows(found: Match) -> list[tuple[str, ...]]:
    return [
        (cloud, str(batch), f"{old:.4g}", f"{new:.4g}", f"{old / new:.4g}")
        for (cloud, batch), (old, new) in found.norms.items()
    ]


def _in_game(given: argparse.Namespace, loaded: Loaded) -> int:
    if given.reference or given.dim is not None:
        raise AgekitError("--in-game: the reference and the dimension are the run's")
    game = _opened(given.in_game, loaded, trust=given.trust)
    if game.recipe.reference is None:
        raise RunError(f"{given.in_game}: its recipe has no [latent], and so no codes")
    batches = batches_of(given.batch or str(game.stage.batch))
    settings = Settings(game.recipe.reference, batches, given.repetitions, given.seed)
    clouds = run_clouds(game, batches)
    if given.match:
        old, new = (candidate(text, loaded.registries) for text in given.match)
        return _matched(given, old, new, clouds, settings, f"on the codes of {shorten(given.in_game)}")
    label = game.recipe.document.tree["latent"]["reference"]
    with memory.limited():
        chosen, left_out = takers(given.names, settings, loaded.registries)
        with _saving(given.out, "in-game") as folder:
            with _progress("measuring", len(chosen) * len(batches) * (len(clouds) + 1)) as done:
                entries = table(chosen, clouds, settings, done)
            save.write_table(folder / "table.csv", entries, settings, label)
    print(f"codes of {shorten(given.in_game)}, step {game.steps_done}, against {label}, seed {given.seed}")
    names = [cloud.name for cloud in clouds]
    _print([show(entries, names) for show in (tables.values, tables.power, tables.gradients, tables.signal)])
    _say_what_is_missing(entries, left_out)
    print(f"\nsaved in {shorten(folder)}")
    return 0


def _opened(run: Path, loaded: Loaded, *, trust: bool) -> Game:
    """The game of a run as its last checkpoint left it, on its data."""
    folder = open_run(run)
    recipe = load_recipe(folder.recipe, loaded, name=folder.read_mark()["recipe"])
    console = RunConsole(make_console())
    try:
        data = prepare_all(recipe, cache_home(), console.preparing)
    finally:
        console.stop()
    check_unchanged(folder, data)
    game = data.game(recipe, prepare_compute(recipe.compute))
    load_programs(game, trust=trust)
    if not restore_last(folder, game, Gallery(game)):
        raise RunError(f"{folder.path} has no checkpoint yet")
    return game


def batches_of(text: str) -> tuple[int, ...]:
    """The batch sizes that a text lists, smallest first. Raises `AgekitError` where it lists something else.

    >>> batches_of("64,16,64")
    (16, 64)
    """
    parts = [part.strip() for part in text.split(",")]
    wrong = [part for part in parts if not (part.isdecimal() and int(part) >= 2)]
    if wrong:
        raise AgekitError(f"--batch {text}: found {wrong[0]!r}, where whole numbers from 2 on, as in {BATCHES}, fit")
    return tuple(sorted({int(part) for part in parts}))


def _print(texts: Sequence[tables.Text]) -> None:
    """Print tables; on a terminal, those that are wider than it in parts."""
    console = make_console()
    for text in texts:
        if text.rows:
            caption = textwrap.fill(text.caption, console.width) if console.is_terminal else text.caption
            print(f"\n{caption}\n")
            print_table(text.titles, text.rows, names=text.names)


def _say_what_is_missing(entries: Sequence[Entry], left_out: Sequence[tuple[str, str]]) -> None:
    lines = [f"n/a  {entry.label}, n = {entry.batch}: {entry.refused}" for entry in entries if entry.refused]
    lines += [f"left out  {name}: {why}" for name, why in left_out]
    if lines:
        print("", *lines, sep="\n")


def _plot(path: Path, found: Study) -> None:
    title = f"power against {found.reference}, dimension {found.settings.reference.dim}, in deviations of the null"
    try:
        write_plot(path, found.entries, NAMES, title)
    except AgekitError as error:
        print(f"warning: {error}", file=sys.stderr)


@contextmanager
def _saving(parent: Path, kind: str) -> Iterator[Path]:
    """A fresh folder PARENT/<kind>-NNNN, made before anything is measured; none is left where that fails.

    What the disk refuses is an `AgekitError`.
    """
    try:
        parent.mkdir(parents=True, exist_ok=True)
        folder = make_numbered(parent, kind)
    except OSError as error:
        raise _unwritable(parent, error) from error
    try:
        yield folder
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise _unwritable(folder, error) from error
        raise


def _unwritable(folder: Path, error: OSError) -> AgekitError:
    return AgekitError(f"{error.filename or folder} cannot be written: {error.strerror or error}")


@contextmanager
def _progress(what: str, count: int) -> Iterator[Callable[[], None]]:
    """A bar on a terminal, and nothing elsewhere; a function that moves it."""
    console = make_console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=count)
        yield lambda: bar.advance(task)
