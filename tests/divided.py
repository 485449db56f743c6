"""Games whose batch is divided, among portions or ranks, and what their updates come to, beside that of the whole."""

from collections.abc import Iterable

import pytest
import torch
from torch import nn

import agekit
from agekit.game.game import Game
from agekit.game.ranks import ALONE, Ranks
from agekit.recipe.find import shipped

from .tiny import game_of, gradients_of, loaded_with, noise

ALONE_BUT_IN_LOSSES = ('networks.g.statistics="running"', 'networks.e.statistics="running"')
"""No sample sees another."""

TOLERANCE = {"fp32": 1e-5, "fp64": 1e-12}
LOADED = loaded_with({})
DIVERGENCES = sorted(LOADED.registries.divergences)
RECIPES = sorted(name for name in shipped(LOADED.recipes) if "toyfaces" in name or name == "factor_probe")
SLOW = {"pioneer_style_toyfaces", "balanced_pioneer_style_toyfaces"}
EACH_RECIPE = [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in RECIPES]
SECOND = (None, "e(x)")
"""What a divergence of fakes is to be compared with: the reference, as it is by default, or codes of data."""

Found = dict[str, tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]]
"""By player, the gradients of what it owns, and its terms."""


def updates(game: Game) -> Found:
    """An update of every player, without a step, with weights that tell the terms apart."""
    found: Found = {}
    for seat in game.seats:
        name = seat.player.name
        weights = {term.name: 1.5 - index for index, term in enumerate(seat.player.terms)}
        gradients, terms = gradients_of(game, name, weights=weights)
        own = {key: one for key, one in gradients.items() if one is not None and key.split(".")[0] in seat.player.owns}
        found[name] = own, terms
    return found


def compare(found: Found, expected: Found, tolerance: float) -> int:
    """Assert that updates come to the same; how many terms they have."""
    assert list(found) == list(expected)
    for player, (gradients, terms) in found.items():
        wanted, values = expected[player]
        assert list(gradients) == list(wanted)
        assert list(terms) == list(values)
        a, b = (torch.cat([one.double().flatten() for one in all_.values()]) for all_ in (gradients, wanted))
        assert b.norm() > 0
        assert (a - b).norm() <= tolerance * b.norm(), player
        for name, value in values.items():
            torch.testing.assert_close(terms[name], value, rtol=tolerance, atol=tolerance)
    return sum(len(terms) for _, terms in found.values())


def against(divergence: str, to: str | None, precision: str, *settings: str, ranks: Ranks = ALONE) -> Game:
    """A game in which the generator's fakes are judged by a divergence."""
    operands = 'of = "e(g(z))"' + (f', to = "{to}"' if to else "")
    term = f'players.generator.terms.fake={{ divergence = "{divergence}", {operands} }}'
    return lively(game_of(*ALONE_BUT_IN_LOSSES, term, f'compute.precision="{precision}"', *settings, ranks=ranks))


def small(name: str, precision: str, *settings: str, alone: bool = True, ranks: Ranks = ALONE) -> Game:
    """A shipped recipe as a small game, in which no sample sees another but in the losses, unless it may."""
    recipe = agekit.load(name)
    settings += (f'compute.precision="{precision}"', "data.batch=8", "data.count=40")
    for network, spec in recipe.networks.items():
        if alone:
            settings += (f'networks.{network}.statistics="running"',)
        if "width" in type(spec.component).model_fields and spec.keys.average_of is None:
            settings += (f"networks.{network}.width=2",)
    recipe = agekit.load(name, *settings)
    fields = recipe.dataset.fields()
    return lively(Game(recipe, noise(fields, 40, seed=0), fields, torch.device("cpu"), ranks=ranks))


@torch.no_grad()
def lively(game: Game) -> Game:
    """The game with weights that keep signals their size, and smooth: so that rounding stays as small as it is.

    As weights are first drawn, without batch-norm, all codes are one; and at a kink a rounding may turn a gradient.
    """
    for network in game.networks.values():
        for module in list(network.modules()):
            kinks = [name for name, inner in module.named_children() if isinstance(inner, nn.ReLU | nn.LeakyReLU)]
            for name in kinks:
                setattr(module, name, nn.SiLU())
        chance = torch.Generator().manual_seed(0)
        for parameter in (one for one in network.parameters() if one.ndim > 1):
            drawn = torch.randn(parameter.shape, generator=chance, dtype=torch.float64)
            parameter.copy_(drawn * (2 / parameter[0].numel()) ** 0.5)
    return game


def compared(games: Iterable[Game], tolerance: float) -> int:
    """Compare an update of every player in two games; how many terms were compared."""
    expected, found = map(updates, games)
    return compare(found, expected, tolerance)
