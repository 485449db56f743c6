"""A step of the engine against the published equations, written out by hand in plain torch."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

import agekit
from agekit.game.dealing import Dealer
from agekit.game.game import Game

RECIPES = Path(__file__).parent.parent / "recipes"
SMALL = (
    "data.size=32",
    "data.batch=8",
    "latent.dim=16",
    "networks.g.width=4",
    "networks.e.width=4",
    "compute.precision=fp64",
)


def variance_for_deviation(codes):
    """Equation 7 with the variance where the deviation belongs, as released."""
    mean = codes.mean(0)
    variance = ((codes - mean) ** 2).mean(0)
    return (variance**2 / 2 + mean**2 / 2 - variance.log()).mean() - 0.5


def sphere_kl(codes):
    """Equation 7, against N(0, I/M)."""
    m = codes.shape[1]
    mean = codes.mean(0)
    deviation = ((codes - mean) ** 2).mean(0).sqrt()
    return (m * (deviation**2 + mean**2) / 2 - (deviation * m**0.5).log()).mean() - 0.5


FORMULAS = {
    "age_celeba_2018": (variance_for_deviation, 10, 1000, lambda ẑ, z: 2 - (ẑ * z).mean()),
    "age_celeba": (sphere_kl, 5, 7.8125, lambda ẑ, z: 1 - (ẑ * z).sum(1).mean()),
}


class Transcribed:
    """Copies of a game's networks, in training mode as they are, and the two objectives over them."""

    def __init__(self, game, name):
        self.g, raw = copy.deepcopy(game.networks["g"]), copy.deepcopy(game.networks["e"].network)
        self.raw, self.e = raw, lambda x: functional.normalize(raw(x), dim=1)
        self.kl, self.μ, self.λ, self.match = FORMULAS[name]

    def encoder(self, x, z):
        with torch.no_grad():
            fake = self.g(z)
        self.g.requires_grad_(False)
        self.raw.requires_grad_(True)
        code = self.e(x)
        loss = self.kl(code) - self.kl(self.e(fake)) + self.μ * functional.l1_loss(self.g(code), x)
        return torch.autograd.grad(loss, list(self.raw.parameters()))

    def generator(self, z):
        self.g.requires_grad_(True)
        self.raw.requires_grad_(False)
        code = self.e(self.g(z))
        return torch.autograd.grad(self.kl(code) + self.λ * self.match(code, z), list(self.g.parameters()))


@pytest.fixture
def drawn(monkeypatch):
    """What the engine deals to an update, by name, as it deals it."""
    seen = {}
    deal = Dealer.leaves

    def dealing(self, *given):
        leaves = deal(self, *given)

        def kept(*asked):
            found = leaves(*asked)
            seen.update(found)
            return found

        return kept

    monkeypatch.setattr(Dealer, "leaves", dealing)
    return seen


def game_of(name):
    recipe = agekit.load(RECIPES / f"{name}.toml", *SMALL)
    pixels = np.random.default_rng(1).integers(0, 256, (300, 3, 32, 32), dtype=np.uint8)
    return Game(recipe, {"x": pixels}, recipe.dataset.fields(), torch.device("cpu"))


@pytest.mark.parametrize("name", FORMULAS)
def test_one_step_has_the_gradients_of_the_published_equations(name, drawn):
    game = game_of(name)
    encoder, generator = game.seats
    weights = {seat.player.name: {term.name: term.weight for term in seat.player.terms} for seat in game.seats}

    wanted = Transcribed(game, name)
    game.gradients(encoder, 0, weights["encoder"])
    assert drawn["x"].dtype == drawn["z"].dtype == torch.float64
    _same(encoder.parameters, wanted.encoder(drawn["x"], drawn["z"]))
    assert all(parameter.grad is None for parameter in generator.parameters)
    encoder.optimizer.zero_grad(set_to_none=True)

    drawn.clear()
    wanted = Transcribed(game, name)
    game.gradients(generator, 0, weights["generator"])
    assert set(drawn) == {"z"}
    _same(generator.parameters, wanted.generator(drawn["z"]))
    assert all(parameter.grad is None for parameter in encoder.parameters)


def _same(parameters, gradients):
    assert len(parameters) == len(gradients) > 4
    for parameter, gradient in zip(parameters, gradients, strict=True):
        assert gradient.norm() > 0
        assert (parameter.grad - gradient).norm() <= 1e-6 * gradient.norm()


def test_the_recipes_play_as_published():
    for name, fine_tuning in (("age_celeba_2018", 15), ("age_celeba", 7.5)):
        recipe = agekit.load(RECIPES / f"{name}.toml")
        first, second = recipe.stages
        assert [(p.name, p.updates) for p in first.players] == [("encoder", 1), ("generator", 3)]
        assert (first.batch, second.batch, second.keys.optimizer) == (64, 256, "fresh")
        _, μ, λ, _ = FORMULAS[name]
        (encoder, generator), (later, _) = first.players, second.players
        assert {term.name: term.weight for term in encoder.terms} == {"real": 1, "fake": -1, "reconstruct": μ}
        assert [term.weight for term in generator.terms] == [1, λ]
        assert {term.name: term.weight for term in later.terms} == {"real": 1, "fake": -1, "reconstruct": fine_tuning}
        assert all(getattr(player.optimizer, "betas") == (0.5, 0.999) for player in first.players)  # noqa: B009
