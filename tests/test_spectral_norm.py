"""Spectral normalisation of the published encoder: what it is, and that all that is done to a network works on it."""

import signal

import pytest
import torch
from torch import nn

from agekit.builtin.dcgan import DCGANEncoder
from agekit.contracts import Space
from agekit.game.cost import cost
from agekit.game.scope import scope_of
from agekit.game.views import Gallery
from tests.runs import STAGED, Killed, Quiet, begin, go_on, killed, left_behind
from tests.tiny import equal, game_of, gradients_of, recipe_of, weights_of

ON = "networks.e.spectral_norm=true"
NORMAL = STAGED.replace(
    'e = { encoder = "dcgan", width = 3 }', 'e = { encoder = "dcgan", width = 3, spectral_norm = true }'
)


def encoder(side=32, width=4):
    torch.manual_seed(0)
    return DCGANEncoder(width=width, spectral_norm=True).build((Space("x", (3, side, side)),), Space("z", (7,)))


def layers_of(network):
    return [module for module in network.modules() if isinstance(module, nn.Conv2d)]


def largest(network):
    """The largest singular value of every layer's weights, as a matrix [out, everything else]."""
    return [torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2).item() for layer in layers_of(network)]


def estimates_of(game, name="e"):
    return {
        key: v for key, v in weights_of(game).items() if key.startswith(f"{name}.") and key.endswith(("._u", "._v"))
    }


def test_every_layer_has_largest_singular_value_1_and_there_is_no_batch_norm():
    network = encoder()
    assert largest(network) == pytest.approx([1] * 4, abs=0.05)  # as estimated
    for _ in range(200):
        network(torch.randn(2, 3, 32, 32))
    assert largest(network) == pytest.approx([1] * 4, abs=1e-4)
    assert not [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    with torch.no_grad():
        for layer in layers_of(network):
            layer.parametrizations.weight.original.mul_(3)
    network(torch.randn(2, 3, 32, 32))
    assert largest(network) == pytest.approx([1] * 4, abs=1e-4)


def test_it_is_off_by_default_and_the_weights_are_drawn_as_without_it():
    torch.manual_seed(0)
    plain = DCGANEncoder(width=4).build((Space("x", (3, 32, 32)),), Space("z", (7,)))
    assert any(isinstance(module, nn.BatchNorm2d) for module in plain.modules())
    assert not any("parametrizations" in name for name, _ in plain.named_parameters())
    first = layers_of(encoder())[0].parametrizations.weight.original
    assert torch.equal(first, layers_of(plain)[0].weight)


def test_the_estimates_move_in_every_training_pass_or_in_the_owners_alone():
    counts = {}
    for buffers in ("all", "owner"):
        game = game_of(ON, f'networks.e.buffers="{buffers}"')
        before = estimates_of(game)
        gradients_of(game, "generator")
        counts[buffers] = sum(not torch.equal(v, before[name]) for name, v in estimates_of(game).items())
        own = estimates_of(game)
        gradients_of(game, "encoder")
        assert not equal(own, estimates_of(game))
    assert counts == {"all": len(before), "owner": 0}


@pytest.mark.parametrize("player", ["encoder", "generator"])
def test_only_what_a_player_owns_gets_gradients(player):
    gradients, _ = gradients_of(game_of(ON), player)
    own = "e" if player == "encoder" else "g"
    assert {name[0] for name, gradient in gradients.items() if gradient is not None} == {own}
    assert sum(gradient.norm() > 0 for gradient in gradients.values() if gradient is not None) >= 4


def test_views_leave_the_estimates_alone():
    game = game_of(ON)
    game.step()
    before = weights_of(game)
    Gallery(game).show("reconstructions")
    assert equal(before, weights_of(game))


def test_a_running_average_stays_normal():
    game = game_of(ON, 'networks.t={ average_of = "e", decay = 0.9 }', "run.steps=30")
    for _ in range(30):
        game.step()
    assert not equal(estimates_of(game, "e"), {f"e{k[1:]}": v for k, v in estimates_of(game, "t").items()})
    assert largest(game.networks["t"]) == pytest.approx([1] * 3, abs=0.05)


@pytest.mark.parametrize("precision", ["bf16", "fp64"])
def test_other_precisions_play_too(precision):
    game = game_of(ON, f'compute.precision="{precision}"')
    terms = [value for _ in range(2) for values in game.step().terms.values() for value in values.values()]
    assert all(value.isfinite() for value in terms)
    wanted = torch.float64 if precision == "fp64" else torch.float32
    assert {value.dtype for value in estimates_of(game).values()} == {wanted}


def test_the_plan_counts_the_layers_and_not_what_makes_their_weights():
    recipes = [recipe_of(), recipe_of(ON)]
    plain, normal = (cost(recipe, scope_of(recipe)) for recipe in recipes)
    assert normal.calls["e"].flops == plain.calls["e"].flops > 0
    norm = 6 * 4 * 4  # the one batch-norm of an encoder of 16 pixels and width 3
    assert plain.calls["e"].activations - normal.calls["e"].activations == norm
    assert plain.parameters["e"] - normal.parameters["e"] == 2 * 6


@pytest.mark.slow
@pytest.mark.usefixtures("elsewhere")
def test_a_run_that_is_resumed_ends_with_the_same_bytes():
    begin("whole", NORMAL)
    for name, after, action in (
        ("cut", 7, lambda: signal.raise_signal(signal.SIGINT)),
        ("killed", 6, killed),
    ):
        try:
            begin(name, NORMAL, Quiet(after, action))
        except Killed:
            assert name == "killed"
        assert go_on(name, NORMAL).finished
        assert left_behind(name) == left_behind("whole")
