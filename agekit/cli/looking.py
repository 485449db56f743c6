"""`agekit sample` and `agekit reconstruct`."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ..contracts import BrokenSample, DataField, Dataset
from ..data.images import SUFFIXES, centre_square, decode, pixels, resize
from ..errors import AgekitError, DataError, RunError, nearest
from ..game.batches import as_values
from ..game.game import Game
from ..game.load import load_recipe
from ..game.plan import ViewPlan
from ..game.views import Gallery
from ..report.console import make_console, shorten
from ..report.pictures import save_png
from ..train.compute import prepare_compute
from ..train.folder import RunFolder, open_run
from ..train.run import restore_last
from ..train.sources import load_programs
from ..train.watch import picture_of
from . import common


def sample(given: argparse.Namespace) -> int:
    """Draw pictures from a run, into a PNG grid."""
    if given.n < 1:
        raise AgekitError(f"--n {given.n}: at least one picture is drawn")
    gallery = opened(open_run(given.run), given.device, given.trust)
    plan = _chosen(gallery, given.view, uses_data=False)
    shown = gallery.show(plan.name, count=given.n, seed=given.seed)
    return _saved(given.out, picture_of(shown), plan)


def reconstruct(given: argparse.Namespace) -> int:
    """Pass pictures through a run, each beside what becomes of it."""
    gallery = opened(open_run(given.run), given.device, given.trust)
    plan = _chosen(gallery, given.view, uses_data=True)
    game = gallery.game
    stored = np.stack([_read(path, game.recipe.dataset, game.fields["x"]) for path in _files(given.images)])
    x = as_values(torch.from_numpy(stored).to(game.device), game.fields["x"], game.layout)
    return _saved(given.out, picture_of(gallery.show(plan.name, given={"x": x})), plan)


def opened(folder: RunFolder, device: str | None, trust: bool) -> Gallery:
    """A run's last checkpoint, ready to be looked at; no data is needed, and programs only where they are applied."""
    recipe = load_recipe(folder.recipe, common.plugins(), name=folder.read_mark()["recipe"])
    if device is not None:
        recipe = replace(recipe, compute=recipe.compute.model_copy(update={"device": device}))
    game = Game(recipe, None, folder.marked_data().fields, prepare_compute(recipe.compute))
    if trust:
        load_programs(game, trust=True)
    gallery = Gallery(game)
    state = restore_last(folder, game, gallery)
    if not state:
        raise RunError(f"{folder.path} has no checkpoint yet")
    for damage in state["damaged"]:
        make_console(stderr=True).print(f"warning: {damage}; an earlier checkpoint, of step {state['step']}, is used")
    return gallery


def _chosen(gallery: Gallery, name: str | None, *, uses_data: bool) -> ViewPlan:
    """The view to show: the named one, or the first, of those of pictures that use x alone, or no data at all."""
    views = gallery.game.views
    if name is not None and name not in views:
        raise AgekitError(f"no view is called {name!r}; {nearest(name, views)}")
    fitting = {plan.name: plan for plan in views.values() if _shows(plan, {"x"} if uses_data else set())}
    wanted = "of pictures made from x" if uses_data else "of pictures that needs no data"
    if not fitting:
        raise AgekitError(f"the recipe has no view {wanted}; it has {', '.join(views) or 'none at all'}")
    chosen = name or next(iter(fitting))
    if chosen not in fitting:
        raise AgekitError(f"view {name} is not one {wanted}; --view {' or '.join(fitting)} fits")
    return fitting[chosen]


def _shows(plan: ViewPlan, data: set[str]) -> bool:
    """Whether a view is one of pictures, and needs these fields of the data, no more and no fewer."""
    needed = {node.name for node in plan.nodes if node.op == "field"}
    return needed == data and len(plan.nodes[plan.of].space.shape) == 3


def _files(given: list[Path]) -> list[Path]:
    files: list[Path] = []
    for path in given:
        inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
        if not inside:
            raise DataError(f"{path} holds no picture")
        files += inside
    return files


def _read(path: Path, dataset: Dataset, field: DataField) -> np.ndarray:
    """A picture, framed as the data set frames its own: uint8 [c, h, w]."""
    channels, height, width = (int(size or 0) for size in field.shape)
    try:
        image = decode(path.read_bytes(), "grey" if channels == 1 else "rgb")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except BrokenSample as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    framed = dataset.frame(image)
    return pixels(resize(centre_square(image), width, height)) if framed is None else framed


def _saved(out: Path, picture: np.ndarray | None, plan: ViewPlan) -> int:
    if picture is None:
        raise AgekitError(f"view {plan.name} shows {plan.nodes[plan.of].space}, which is no picture")
    try:
        said = {"view": f"{plan.name} = {plan.view.of}", "statistics": plan.view.statistics}
        save_png(common.writable(out), picture, said)
    except OSError as error:
        raise AgekitError(f"{out} cannot be written: {error.strerror}") from error
    make_console().print(f"{shorten(out)}  {plan.name}: {plan.view.of}, {plan.view.statistics} statistics")
    return 0
