"""A game so small that a step takes milliseconds, on data that is made up in memory."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace

import numpy as np
import torch

from agekit import plugins
from agekit.contracts import DataField
from agekit.game.batches import Batches
from agekit.game.bound import Recipe
from agekit.game.check import bind
from agekit.game.dealing import Dealer
from agekit.game.game import Game
from agekit.game.ranks import ALONE, Ranks
from agekit.game.recording import Recorder
from agekit.hooks import hookimpl
from agekit.recipe.compose import overlay, setting
from agekit.recipe.source import parse

TINY = """
[data]
dataset = "toyfaces"
size    = 16
count   = 40
batch   = 8

[latent]
reference = "sphere"
dim       = 6

[networks]
g = { generator = "dcgan", width = 2 }
e = { encoder = "dcgan", width = 3 }

[players.encoder]
owns = ["e"]
[players.encoder.terms]
real        = { divergence = "kl_sphere", of = "e(x)" }
fake        = { divergence = "kl_sphere", of = "e(g(z))", weight = -1 }
reconstruct = { reciprocity = "l1", of = "g(e(x))", to = "x", weight = 5 }

[players.generator]
owns    = ["g"]
updates = 2
[players.generator.terms]
fake    = { divergence = "kl_sphere", of = "e(g(z))" }
recover = { reciprocity = "cosine", of = "e(g(z))", to = "z", weight = 4 }

[views]
samples         = { of = "g(z)", count = 8 }
reconstructions = { of = "g(e(x))", beside = "x", count = 8 }
codes           = { of = "e(x)", count = 16 }

[run]
steps            = 12
log_every        = 3
pictures_every   = 6
checkpoint_every = 4
"""


def recipe_of(*settings: str, text: str = TINY, components: Mapping[str, tuple[str, type]] | None = None) -> Recipe:
    """The tiny recipe, or another, with `--set` settings; `components` are registered first: name to (shelf, class)."""
    loaded = loaded_with(components or {})
    document = parse(text, "tiny.toml")
    for one in settings:
        document = overlay(document, setting(one, document), [])
    return bind(document, loaded.registries, "tiny")


def loaded_with(components: Mapping[str, tuple[str, type]]) -> plugins.Loaded:
    """All that is installed, and these components: name to (shelf, class)."""
    loaded = plugins.load()

    @hookimpl
    def agekit_register(registries):
        for name, (shelf, component) in components.items():
            registries.shelves[shelf].add(name, component)

    plugins.add(loaded, SimpleNamespace(agekit_register=agekit_register), "tiny")
    return loaded


def game_of(
    *settings: str,
    text: str = TINY,
    components: Mapping[str, tuple[str, type]] | None = None,
    ranks: Ranks = ALONE,
    recorder: Recorder | None = None,
) -> Game:
    """The game of `recipe_of`, on random data: 40 samples, and 21 held out where the recipe has such."""
    recipe = recipe_of(*settings, text=text, components=components)
    fields = recipe.dataset.fields()
    held_out = noise(fields, 21, seed=1) if recipe.held_out else None
    return Game(recipe, noise(fields, 40, seed=0), fields, torch.device("cpu"), held_out, ranks, recorder)


def noise(fields: Mapping[str, DataField], count: int, seed: int) -> dict[str, np.ndarray]:
    """Random samples of these fields."""
    random = np.random.default_rng(seed)
    arrays = {}
    for name, field in fields.items():
        shape = (count, *(size or 1 for size in field.shape))
        whole = random.integers(0, len(field.classes) or 256, shape).astype(np.uint8)
        arrays[name] = random.random(shape, np.float32) if field.values == "vector" else whole
    return arrays


def weights_of(game: Game) -> dict[str, torch.Tensor]:
    """A copy of every weight and buffer."""
    return {name: tensor.clone() for name, tensor in game.named_tensors()}


def equal(a: Mapping[str, torch.Tensor], b: Mapping[str, torch.Tensor]) -> bool:
    """Whether two sets of tensors have the same names and bits."""
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def gradients_of(game, player, update=0, weights=None):
    """The gradients that an update of a player leaves, by parameter, and its terms; `weights` replaces some of them."""
    seat = next(seat for seat in game.seats if seat.player.name == player)
    written = {term.name: term.weight for term in seat.player.terms if isinstance(term.weight, float)}
    terms, _ = game.gradients(seat, update, {**written, **(weights or {})})
    return {
        f"{name}.{inner}": parameter.grad
        for name, network in game.networks.items()
        for inner, parameter in network.named_parameters()
    }, terms


def recorded(monkeypatch):
    """What is drawn from now on: the keys of codes, and the samples of data."""
    draws, taken = [], []
    draw, gather = Dealer.draw, Batches.gather

    def drawing(self, count, source, *name):
        drawn = draw(self, count, source, *name)
        draws.append(((*source.key, *name), drawn))
        return drawn

    def gathering(self, indices, names):
        taken.append(tuple(indices))
        return gather(self, indices, names)

    monkeypatch.setattr(Dealer, "draw", drawing)
    monkeypatch.setattr(Batches, "gather", gathering)
    return draws, taken
