"""Opening a run to be looked at: its last checkpoint, without its data or with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..data.places import cache_home
from ..errors import AgekitError, RunError
from ..game.bound import Recipe
from ..game.game import Game
from ..game.load import load_recipe
from ..game.views import Gallery
from ..plugins import Loaded
from ..train.compute import prepare_compute
from ..train.data import Report, RunData, check_unchanged, prepare_all
from ..train.folder import RunFolder
from ..train.recovery import restore_last
from ..train.sources import load_programs

SETTABLE = ("data.root", "data.held_out.root")
"""What may be said anew: where the data lies."""


@dataclass(frozen=True)
class Opened:
    """A run as it stood last; `damaged` says what was wrong with later checkpoints."""

    gallery: Gallery
    damaged: tuple[str, ...]

    @property
    def game(self) -> Game:
        return self.gallery.game


def open_alone(folder: RunFolder, loaded: Loaded, device: str | None, *, trust: bool) -> Opened:
    """A run, ready to be looked at; no data is needed, and exported programs only where they are applied.

    Raises `RunError` where it has no checkpoint that can be used.
    """
    recipe = _recipe(folder, loaded, device, ())
    game = Game(recipe, None, folder.marked_data().fields, prepare_compute(recipe.compute))
    return _restored(folder, game, trust=trust)


def open_with_data(
    folder: RunFolder,
    loaded: Loaded,
    device: str | None,
    settings: Iterable[str] = (),
    *,
    trust: bool,
    preparing: Report | None = None,
) -> tuple[Opened, RunData]:
    """A run with the data it was trained on; `settings` may say where that lies now.

    Raises `DataError` where the data is gone, `RunError` where it has changed.
    """
    for key in (text.partition("=")[0].strip() for text in settings):
        if key not in SETTABLE:
            raise AgekitError(f"--set {key}: a run is shown as it was trained; only {', '.join(SETTABLE)} may be said")
    recipe = _recipe(folder, loaded, device, settings)
    data = prepare_all(recipe, cache_home(), preparing)
    check_unchanged(folder, data, held_out=False)
    return _restored(folder, data.game(recipe, prepare_compute(recipe.compute)), trust=trust), data


def _recipe(folder: RunFolder, loaded: Loaded, device: str | None, settings: Iterable[str]) -> Recipe:
    recipe = load_recipe(folder.recipe, loaded, settings, name=folder.read_mark()["recipe"])
    if device is None:
        return recipe
    return replace(recipe, compute=recipe.compute.model_copy(update={"device": device}))


def _restored(folder: RunFolder, game: Game, *, trust: bool) -> Opened:
    if trust:
        load_programs(game, trust=True)
    gallery = Gallery(game)
    state = restore_last(folder, game, gallery)
    if not state:
        raise RunError(f"{folder.path} has no checkpoint yet")
    return Opened(gallery, tuple(state["damaged"]))
