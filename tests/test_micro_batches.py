"""Micro-batches: a batch in portions has the losses and the gradients of the batch in one graph."""

import signal
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

import agekit
from agekit.contracts import Operand
from agekit.errors import RecipeError
from agekit.game.cost import cost
from agekit.game.describe import describe_plan
from agekit.game.game import Game
from agekit.game.portions import portions
from agekit.game.randomness import Cut
from agekit.train.folder import open_run
from agekit.train.play import play
from agekit.train.run import resume

from .divided import ALONE_BUT_IN_LOSSES, DIVERGENCES, EACH_RECIPE, RECIPES, SECOND, TOLERANCE, against, compared, small
from .runs import Quiet, begin, left_behind
from .tiny import TINY, game_of, gradients_of, recipe_of, weights_of

THREES = "compute.micro_batch=3"
"""Of a batch of eight: 3, 3, 2."""


@pytest.mark.parametrize("divergence", DIVERGENCES)
def test_every_divergence_sees_the_whole_batch(divergence):
    taken = 0
    for to in SECOND:
        for precision, tolerance in TOLERANCE.items():
            try:
                taken += compared((against(divergence, to, precision, *more) for more in ((), (THREES,))), tolerance)
            except RecipeError:  # it takes another second operand
                continue
    assert taken >= 2 * 5


def test_no_divergence_is_left_out():
    assert len(DIVERGENCES) >= 16


@pytest.mark.parametrize("name", EACH_RECIPE)
def test_every_recipe_is_the_same_game_in_portions(name):
    for precision, tolerance in TOLERANCE.items():
        assert compared((small(name, precision, *more) for more in ((), (THREES,))), tolerance) >= 1


def test_recipes_with_dropout_stochastic_encoders_mixing_and_spectral_norm_are_among_them():
    assert {"ali", "svae", "soft_intro_vae", "wgan_gp", "pioneer_style", "age"} <= {n[:-9] for n in RECIPES}


def test_a_batch_is_divided_evenly_and_not_at_all_where_it_need_not_be():
    assert [(one.start, one.stop) for one in portions(8, 3)] == [(0, 3), (3, 6), (6, 8)]
    assert sum(one.share for one in portions(7, 2)) == pytest.approx(1)
    for most in (8, 9, None):
        assert [one.whole for one in portions(8, most)] == [True]


def test_no_more_samples_than_that_are_computed_at_once():
    game, seen = game_of(THREES), []
    for network in game.networks.values():
        network.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    game.step()
    assert set(seen) == {2, 3}
    seen.clear()
    gradients_of(game, "encoder")
    assert len(seen) == 3 * (3 + 4)  # e(x), g(z), e(g(z)) ahead, and all four with graphs


def test_a_game_of_terms_that_are_samplewise_needs_no_second_pass():
    settings = [f"players.{place}=false" for place in ("encoder.terms.real", "encoder.terms.fake", "generator")]
    game, seen = game_of(*settings, 'networks.g.from="elsewhere"', THREES), []
    for network in game.networks.values():
        network.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    gradients_of(game, "encoder")
    assert seen == [3, 3, 3, 3, 2, 2]


def test_samples_are_mirrored_as_in_the_whole_batch():
    settings = (*ALONE_BUT_IN_LOSSES, "data.flip=true", 'compute.precision="fp64"')
    assert compared((game_of(*settings, *more) for more in ((), (THREES,))), TOLERANCE["fp64"]) == 5


def test_batch_norm_moves_once_for_each_portion():
    game = game_of(THREES)
    gradients_of(game, "encoder")
    counters = {n: int(value) for n, value in weights_of(game).items() if n.endswith("num_batches_tracked")}
    assert counters
    assert set(counters.values()) == {2 * 3}  # two calls of each network


def test_the_second_pass_sees_the_first_ones_statistics():
    """The gradients are those at the operands that the divergences saw: a small step has the promised effect."""
    game = game_of(THREES, 'compute.precision="fp64"', 'networks.g.buffers="owner"')
    before = weights_of(game)

    def loss(step):
        game.networks["e"].load_state_dict({n[2:]: v for n, v in before.items() if n.startswith("e.")})
        for name, parameter in game.networks["e"].named_parameters():
            parameter.data += step * ways[f"e.{name}"]
        gradients, terms = gradients_of(game, "encoder")
        return gradients, float(terms["real"] - terms["fake"] + 5 * terms["reconstruct"])

    ways = {n: torch.zeros_like(v) for n, v in before.items()}
    gradients, _ = loss(0)
    chance = torch.Generator().manual_seed(0)
    ways = {n: torch.randn(v.shape, generator=chance, dtype=v.dtype) for n, v in before.items() if n in gradients}
    slope = sum(float((g * ways[n]).sum()) for n, g in gradients.items() if g is not None)
    assert (loss(1e-6)[1] - loss(-1e-6)[1]) / 2e-6 == pytest.approx(slope, rel=1e-3)


class Advancing(agekit.Encoder):
    """An encoder with a buffer that each call moves, and goes by, as the power iteration of spectral normalisation."""

    def build(self, sees, makes):
        return Advanced(sees[0].shape, makes.shape[0])


class Advanced(nn.Module):
    def __init__(self, shape, dim):
        super().__init__()
        self.linear = nn.Linear(torch.Size(shape).numel(), dim)
        self.register_buffer("calls", torch.ones(()))
        self.calls: Tensor

    def forward(self, x):
        if self.training:
            self.calls += 1
        return self.linear(x.flatten(1)) + self.calls.clone() * self.linear.bias


def test_what_networks_keep_besides_statistics_advances_as_in_the_whole_batch():
    """The calls of the reciprocity, in the last pass alone, come before that of the divergence."""
    settings = (
        'networks.e={ encoder = "advancing" }',
        'players.encoder.terms.real={ reciprocity = "l2", of = "e(g(e(x)))", to = "z" }',
        ALONE_BUT_IN_LOSSES[0],
        'compute.precision="fp64"',
    )
    components: dict[str, tuple[str, type]] = {"advancing": ("encoders", Advancing)}
    games = [game_of(*settings, *more, components=components) for more in ((), (THREES,))]
    compared(games, 100 * TOLERANCE["fp64"])  # codes of a fresh encoder lie close together, and rounding grows
    assert [weights_of(game)["e.network.calls"].item() for game in games] == [1 + 3 + 1] * 2


BALANCE = 'players.encoder.terms.reconstruct.weight={ controller = "gradient_balance", term = "reconstruct", like = "'


@pytest.mark.parametrize("like", ["real", "reconstruct"])
def test_norms_of_gradients_are_those_of_the_whole_batch(like):
    settings = (*ALONE_BUT_IN_LOSSES, f'{BALANCE}{like}" }}', 'compute.precision="fp64"')
    norms = [game_of(*settings, *more).step().norms["encoder"] for more in ((), (THREES,))]
    assert norms[0].keys() == norms[1].keys() == {"reconstruct", like}
    for name, norm in norms[0].items():
        torch.testing.assert_close(norms[1][name], norm, rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    "draw",
    [
        lambda n: torch.rand(n, 2),
        lambda n: nn.functional.dropout(torch.ones(n, 5)),
        lambda n: nn.functional.dropout2d(torch.ones(n, 5, 2, 2).to(memory_format=torch.channels_last)),
        lambda n: torch.randn_like(torch.ones(n, 3, 4, 4).to(memory_format=torch.channels_last)),
        lambda n: torch.empty(n, 3).uniform_(),
        lambda n: torch.normal(torch.zeros(n), torch.ones(n)),
        lambda n: torch.bernoulli(torch.full((n, 4), 0.5)),
        lambda n: torch.distributions.Beta(torch.ones(n, 2), torch.ones(n, 2)).sample(),
        lambda n: torch.randint(9, (n,)),
    ],
)
def test_what_is_drawn_is_cut_from_the_draws_of_the_whole_batch(draw):
    torch.manual_seed(0)
    whole, after = draw(50), torch.rand(1)
    for portion in portions(50, 20):
        torch.manual_seed(0)
        with Cut(portion):
            assert torch.equal(draw(portion.size), whole[portion.rows])
            assert torch.equal(torch.rand(1), after)


class Together(agekit.Loss):
    """A penalty that looks at all samples, |∇ mean score|²."""

    operands = {"score": Operand(kind="score"), "at": Operand(differentiated=True)}
    samplewise: ClassVar[bool] = False

    def __call__(self, score: Tensor, at: Tensor) -> Tensor:
        return torch.autograd.grad(score.mean(), at, create_graph=True)[0].square().sum()


def test_what_needs_the_graph_of_the_whole_batch_is_refused_by_name():
    settings = (
        'networks.d={ critic = "dcgan", width = 2 }',
        'players.critic={ owns = ["d"] }',
        'players.critic.terms.all={ loss = "together", score = "d(x)", at = "x" }',
    )
    components = {"together": ("losses", Together)}
    recipe_of(*settings, "compute.micro_batch=8", components=components)
    with pytest.raises(RecipeError) as caught:
        recipe_of(*settings, THREES, components=components)
    said = "loss together takes derivatives itself, and is not samplewise: it needs the batch at once, without compute."
    assert f"players.critic.terms.all: {said}micro_batch" in str(caught.value)


def test_a_micro_batch_of_none_is_refused():
    with pytest.raises(RecipeError, match=r"compute\.micro_batch: found 0, where a whole number greater than or equal"):
        recipe_of("compute.micro_batch=0")


def test_the_plan_says_what_is_divided_and_whose_statistics_are():
    said = {}
    for settings in ((), (THREES,), (THREES, *ALONE_BUT_IN_LOSSES)):
        recipe = recipe_of(*settings)
        scope = Game(recipe, None, recipe.dataset.fields(), torch.device("cpu")).scope
        said[settings] = describe_plan(recipe, scope, cost(recipe, scope)).splitlines()
    whole, divided, alone = said.values()
    assert not any("portion" in line for line in whole)
    assert "  batches come in 3 portions of 3 or 2, the losses as of the whole batch" in divided
    assert "  batch-norm of g, e takes the statistics of each portion by itself" in divided
    assert not any("by itself" in line for line in alone)
    assert [line for line in divided if line.endswith(", twice")] != []


@pytest.mark.usefixtures("elsewhere")
def test_a_run_in_portions_goes_on_as_if_it_had_not_stopped():
    settings = [THREES, "run.steps=3", *(f"views.{name}=false" for name in ("samples", "reconstructions", "codes"))]
    begin("whole", TINY, settings=settings)
    begin("cut", TINY, Quiet(2, lambda: signal.raise_signal(signal.SIGINT)), settings)
    play(resume(recipe_of(*settings), open_run(Path("runs") / "cut"), Quiet()), Quiet())
    assert left_behind("whole") == left_behind("cut")
