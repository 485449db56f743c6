"""`agekit data list`, `prepare` and `get`."""

from __future__ import annotations

import argparse
import sys

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from ..contracts import Dataset
from ..data.get import get as fetch
from ..data.places import cache_home, data_home
from ..data.prepared import Prepared
from ..errors import AgekitError, DataError, nearest
from ..report.console import RunConsole, make_console, shorten
from ..train.data import prepare_all
from . import common
from .components import print_table


def list_datasets(_: argparse.Namespace) -> int:
    """List data sets with their licence, and whether their files are where they are looked for by default."""
    rows = []
    for name, entry in common.plugins().registries.datasets.entries.items():
        component = entry.component
        if issubclass(component, Dataset):
            rows.append((name, _state(component), "yes" if component.downloads else "no", component.licence))
    print_table(["data set", "at hand", "agekit data get", "licence"], rows)
    return 0


def _state(component: type[Dataset]) -> str:
    if needed := [name for name, entry in component.model_fields.items() if entry.is_required()]:
        return f"needs: {', '.join(needed)}"
    try:
        return f"yes, {len(component().open()):,} samples"
    except DataError:
        return "no"


def prepare(given: argparse.Namespace) -> int:
    """Prepare the data of a recipe, so that runs start at once."""
    recipe = common.recipe(given.recipe, given.set, common.plugins())
    console = RunConsole(make_console())
    try:
        data = prepare_all(recipe, cache_home(), console.preparing)
    finally:
        console.stop()
    for name, part in ((recipe.dataset_name, data.training), (f"{recipe.dataset_name}, held out", data.held_out)):
        if part:
            console.facts(_facts(name, part))
    return 0


def _facts(name: str, data: Prepared) -> list[tuple[str, str]]:
    """What is worth knowing of prepared samples."""
    fields = ", ".join(f"{name} {list(field.shape)}" for name, field in data.fields.items())
    facts = [("data", name), ("samples", f"{len(data):,}"), ("fields", fields)]
    facts += [("left out", f"{name}: {reason}") for name, reason in data.dropped.items()]
    return [*facts, ("folder", shorten(data.folder)), ("fingerprint", data.fingerprint)]


def get(given: argparse.Namespace) -> int:
    """Download a data set."""
    datasets = common.plugins().registries.datasets
    if given.name not in datasets:
        raise AgekitError(f"no data set is called {given.name!r}; {nearest(given.name, datasets)}")
    component = datasets[given.name]
    if not issubclass(component, Dataset):
        raise AgekitError(f"{given.name} is no data set")
    console = make_console()
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=console,
        transient=True,
    ) as bars:
        tasks: dict[str, object] = {}

        def progress(file: str, done: int, total: int) -> None:
            if file not in tasks:
                tasks[file] = bars.add_task(file, total=total)
            bars.update(tasks[file], completed=done)  # type: ignore[arg-type]

        def confirm(question: str) -> bool:
            bars.stop()
            console.print(question)
            answer = given.yes or (sys.stdin.isatty() and input("accept? [y/N] ").strip().lower() in ("y", "yes"))
            bars.start()
            return answer

        files = fetch(given.name, component, given.to or data_home() / given.name, confirm=confirm, progress=progress)
    if not files:
        raise AgekitError("nothing was fetched: the licence was not accepted (--yes accepts it unasked)")
    console.print(f"{shorten(files[0].parent)}  {given.name} is complete and verified")
    return 0
