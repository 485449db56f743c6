"""agekit from Python: load a recipe, build its game, play it, look at it."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from torch import nn

from .data.places import cache_home
from .export.reading import network as read_network
from .game.bound import Recipe
from .game.game import Game
from .game.judge import Judge
from .game.load import load_recipe
from .game.views import Gallery, Shown
from .plugins import add
from .plugins import load as load_plugins
from .train.compute import prepare_compute
from .train.data import prepare_all
from .train.sources import load_programs, load_sources


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
