"""agekit from Python: load a recipe, build its game, play it, look at it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from types import ModuleType

from rich.console import Console
from torch import nn

from .compare.reading import told
from .data.places import cache_home
from .errors import RunEnded, RunError
from .export.reading import network as read_network
from .game.bound import Recipe, lasting
from .game.game import Game
from .game.judge import Judge
from .game.load import load_recipe
from .game.views import Gallery, Shown
from .plugins import add
from .plugins import load as load_plugins
from .report.console import RunConsole
from .report.metrics import read_metrics
from .train.compute import prepare_compute
from .train.data import prepare_all
from .train.folder import RunFolder, open_run
from .train.play import play
from .train.run import begin_or_resume
from .train.sources import load_programs, load_sources
from .train.telling import Heard, Teller, numbers


def load(recipe: str | Path, *settings: str, plugins: tuple[ModuleType, ...] = ()) -> Recipe:
    """Read and check a recipe: a file, or the name of one that is shipped.

    `settings` override values, as `--set` does: `"latent.dim=32"`. `plugins` are modules at hand whose components the
    recipe may name. Raises `RecipeError` with everything that is wrong.
    """
    loaded = load_plugins()
    for module in plugins:
        add(loaded, module, module.__name__)
    return load_recipe(str(recipe), loaded, settings)


def build(recipe: Recipe, cache: Path | None = None, *, trust: bool = False) -> Game:
    """Prepare a recipe's data and build its game, ready for `game.step()`; `trust` lets exported programs run.

    Raises `DataError` where the data is missing or damaged, `ComputeError` where the device is not there.
    """
    device = prepare_compute(recipe.compute)
    data = prepare_all(recipe, cache or cache_home())
    game = data.game(recipe, device)
    load_sources(game)
    load_programs(game, trust=trust)
    return game


def run(
    recipe: Recipe,
    folder: str | Path,
    heard: Heard | None = None,
    *,
    console: Console | None = None,
    trust: bool = False,
) -> dict[str, dict[str, float]]:
    """Train a recipe in a folder of its own, or go on with it there; the metrics at its end.

    `heard(step, metrics)` is told whenever metrics are taken, and may raise to end it there; on a `rich` console it is
    told what `agekit run` tells. Raises `RunError` where the folder is of another recipe, `KeyboardInterrupt` after a
    checkpoint where Ctrl-C or SIGTERM came.
    """
    path, teller = Path(folder), Teller(RunConsole(console or Console(quiet=True)), heard=heard)
    if RunFolder(path).mark.is_file():
        opened = open_run(path)
        if lasting(tomllib.loads(opened.recipe.read_text(encoding="utf-8"))) != recipe.lasting:
            raise RunError(f"{path} is of another recipe")
        if told(path).state == "finished":
            return _last_metrics(opened)
    try:
        started = begin_or_resume(recipe, load_plugins(), path, teller, trust=trust)
        if not play(started, teller):
            raise KeyboardInterrupt
    except RunEnded:  # it was killed when all had been written, and its last checkpoint had no name yet
        pass
    finally:
        teller.console.stop()
    return _last_metrics(RunFolder(path))


def _last_metrics(folder: RunFolder) -> dict[str, dict[str, float]]:
    lines = [line for line in read_metrics(folder.metrics) if "metrics" in line]
    return numbers(lines[-1]) if lines else {}


def load_network(file: str | Path) -> nn.Module:
    """The network of a safetensors file that `agekit export` wrote, ready to be applied; no data is needed.

    Raises `RunError` where the file is no such file, or is damaged.
    """
    return read_network(Path(file), load_plugins())


def show(game: Game, view: str, count: int | None = None, seed: int | None = None) -> Shown:
    """Evaluate one of the recipe's views as the game stands: `.of` [count, …], and `.beside` where it has one."""
    return Gallery(game).show(view, count=count, seed=seed)


def judge(game: Game) -> dict[str, dict[str, float]]:
    """Take the recipe's metrics as the game stands: the numbers of each, by name."""
    return {name: dict(judged.values) for name, judged in Judge(Gallery(game)).judge().items()}
