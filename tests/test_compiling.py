"""Compiled networks compute what they compute as written; those under gradient penalties are left as they are."""

import pytest
import torch

from agekit.game import compiling
from agekit.game.plan import plan_player
from agekit.game.pulls import pulls
from agekit.game.views import Gallery

from .tiny import game_of, gradients_of


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # which the compiler looks for, everywhere
def test_compiled_networks_compute_the_same(traced):
    plain, game = game_of(), game_of("compute.compile=true")
    assert game.compiled == ["g", "e"]
    (ours, terms), (theirs, others) = (gradients_of(one, "encoder") for one in (game, plain))
    for name in terms:
        torch.testing.assert_close(terms[name], others[name], rtol=1e-5, atol=1e-6)
    for name, gradient in theirs.items():
        if gradient is not None:
            torch.testing.assert_close(ours[name], gradient, rtol=1e-4, atol=1e-6)
    weights = {seat.player.name: {term.name: 1.0 for term in seat.player.terms} for seat in game.seats}
    before = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    assert before >= 3  # e, and g with gradients that pass and without any
    assert pulls(game, weights).keys() == {"encoder", "generator"}
    Gallery(game).show("samples")
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == before


def test_networks_under_gradient_penalties_are_not_compiled():
    game = game_of(
        'networks.d={ critic = "dcgan", width = 2 }',
        'players.encoder.owns=["e", "d"]',
        'players.encoder.terms.d={ loss = "gradient_penalty", score = "d(mix(x, g(z)))", at = "mix(x, g(z))" }',
    )
    assert compiling.eager([plan_player(seat.player, game.scope) for seat in game.seats]) == {"d"}
