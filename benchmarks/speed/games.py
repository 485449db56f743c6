"""Games whose draws and data are the same on every device, so that devices can be held against each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from agekit import plugins
from agekit.game.bound import Recipe
from agekit.game.dealing import Dealer
from agekit.game.game import Game
from agekit.game.load import load_recipe
from agekit.game.randomness import Draws, generator
from agekit.game.recording import Recorder
from agekit.train.compute import prepare_compute

Weights = dict[str, Tensor]


class HostDraws(Dealer):
    """Deals codes that are drawn on the CPU, whose generator is another than that of a CUDA device."""

    def draw(self, count: int, draws: Draws, *name: str | int) -> Tensor:
        """The codes that a game on the CPU would be dealt."""
        assert self.reference is not None  # noqa: S101 - AGE has one
        drawn = self.reference.sample(count, generator=generator(torch.device("cpu"), *draws.key, *name))
        return drawn.to(draws.device, self.dtype)


class Refusing:
    """Records nothing: a game with it plays update by update, with its rates and weights where a recording has them."""

    rates = torch.float32

    def begin(self) -> None:
        """Nothing is kept."""

    def rehearse(self, work: Callable[[], None]) -> str:
        work()
        return "as it is to be"

    def record(self, work: Callable[[], None], generators: Sequence[torch.Generator]) -> Callable[[], None]:
        raise NotImplementedError


class Repeating(Refusing):
    """Where there are no graphs: a recording is the work itself."""

    def rehearse(self, work: Callable[[], None]) -> str:
        work()
        return ""

    def record(self, work: Callable[[], None], generators: Sequence[torch.Generator]) -> Callable[[], None]:
        del generators  # work draws of them as they stand
        return work


@cache
def loaded() -> plugins.Loaded:
    """All that is installed; looked for once."""
    return plugins.load()


def recipe_of(name: str, *settings: str) -> Recipe:
    """A shipped recipe; read without what only runs need, which a machine with a GPU may lack."""
    return load_recipe(name, loaded(), settings)


@dataclass(frozen=True)
class Maker:
    """Makes games of AGE on CelebA, on made-up pictures."""

    device: torch.device
    width: int
    batch: int
    images: int = 256

    def game(self, *settings: str, device: torch.device | None = None, recorder: Recorder | None = None) -> Game:
        """A game with further settings."""
        device = device or self.device
        widths = (f"networks.{name}.width={self.width}" for name in "eg")
        said = [f"compute.device={device}", f"data.batch={self.batch}", *widths, *settings]
        recipe = recipe_of("age_celeba", *said)
        pictures = np.random.default_rng(0).integers(0, 256, (self.images, 3, 64, 64), dtype=np.uint8)
        fields = {"x": recipe.dataset.fields()["x"]}
        return Game(recipe, {"x": pictures}, fields, prepare_compute(recipe.compute), recorder=recorder)


def host_drawn(game: Game) -> Game:
    """The game, dealt what a game on the CPU would be dealt."""
    now = game.dealer
    game.dealer = HostDraws(now.stage, now.position, now.reference, now.batches, now.dtype)
    return game


def weights_of(game: Game) -> Weights:
    """A copy of every weight and buffer, in the CPU's memory."""
    return {name: tensor.detach().cpu().clone() for name, tensor in game.named_tensors()}


def with_dropout(game: Game) -> Game:
    """The game, its encoder drawing by itself: of each input it drops one number in ten."""
    game.networks["e"].register_forward_pre_hook(lambda _, inputs: (functional.dropout(inputs[0], 0.1, training=True),))
    return game
