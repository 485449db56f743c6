"""Ranks: several processes have the losses and the gradients of one on the joined batch."""

import pytest
import torch

from agekit.errors import RecipeError
from agekit.game.portions import portions
from agekit.game.ranks import ALONE

from .divided import DIVERGENCES, EACH_RECIPE, SECOND, TOLERANCE, against, compare, small, updates
from .ranks_pool import joined, normalised, of_divergence, of_recipe, played, pool, refused, said
from .tiny import equal

WITH_BATCH_NORM = ("age_toyfaces", "wgan_gp_toyfaces", "ali_toyfaces")
BALANCE = 'players.encoder.terms.reconstruct.weight={ controller = "gradient_balance", term = "'
RANKS = {"fp32": 2, "fp64": 3}
"""Of a batch of eight: 4 and 4; or 3, 3 and 2."""


@pytest.mark.parametrize("divergence", DIVERGENCES)
def test_every_divergence_sees_the_samples_of_all_ranks(divergence):
    taken = 0
    for to in SECOND:
        for precision, count in RANKS.items():
            try:
                expected = updates(against(divergence, to, precision))
            except RecipeError:  # it takes another second operand
                continue
            for found in pool().ask(count, of_divergence, divergence, to, precision):
                taken += compare(found, expected, TOLERANCE[precision])
    assert taken >= (2 + 3) * 5


@pytest.mark.parametrize("name", EACH_RECIPE)
def test_every_recipe_is_the_same_game_on_ranks(name):
    for precision, count in RANKS.items():
        expected = updates(small(name, precision))
        for found in pool().ask(count, of_recipe, name, precision):
            assert compare(found, expected, TOLERANCE[precision]) >= 1


@pytest.mark.parametrize("name", WITH_BATCH_NORM)
def test_batch_norm_goes_by_the_samples_of_all_ranks(name):
    for precision, count in RANKS.items():
        expected = updates(small(name, precision, alone=False))
        for found in pool().ask(count, of_recipe, name, precision, alone=False):
            compare(found, expected, 3 * TOLERANCE[precision])


def test_ranks_may_have_portions_each():
    expected = updates(small("age_toyfaces", "fp64"))
    for found in pool().ask(2, of_recipe, "age_toyfaces", "fp64", "compute.micro_batch=3"):
        compare(found, expected, TOLERANCE["fp64"])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("shape", [(7, 3, 4, 5), (7, 3), (7, 3, 2)])
def test_batch_norm_on_ranks_is_that_of_the_joined_batch_to_the_second_derivative(shape, dtype):
    tolerance = {torch.float64: 1e-10, torch.float32: 1e-4}[dtype]
    expected = normalised(ALONE, shape, dtype, (3, 2, 2))
    answers = pool().ask(3, normalised, shape, dtype, (3, 2, 2))
    rows = [torch.cat([answer[index] for answer in answers]) for index in range(3)]
    for answer in answers:
        for found, wanted in zip([*rows, *answer[3:]], expected, strict=True):
            assert (found - wanted).norm() <= tolerance * wanted.norm()


def test_half_precision_plays_on_ranks():
    expected = updates(small("age_toyfaces", "bf16", alone=False))
    for found in pool().ask(2, of_recipe, "age_toyfaces", "bf16", alone=False):
        compare(found, expected, 0.1)


def test_a_game_goes_on_alike_on_all_ranks_and_as_on_one():
    settings = (f'{BALANCE}reconstruct", like = "real" }}', 'compute.precision="fp64"', "data.flip=true")
    expected, terms = played(ALONE, 3, *settings)
    first, *others = pool().ask(3, played, 3, *settings)
    assert all(equal(first[0], other[0]) for other in others)
    for player, values in terms.items():
        for name, value in values.items():
            torch.testing.assert_close(first[1][player][name], value, rtol=1e-9, atol=1e-12)
    for name, tensor in expected.items():
        torch.testing.assert_close(first[0][name], tensor, rtol=1e-7, atol=1e-9, msg=name)


def test_batch_norm_by_each_rank_is_another_game_whose_statistics_are_the_ranks_mean():
    once = ('compute.precision="fp64"', 'networks.e.statistics="running"', "players.generator.updates=1")
    (first, _), (other, _) = pool().ask(2, played, 1, *once, 'compute.batch_norm="apart"')
    together, _ = pool().ask(2, played, 1, *once)[0]
    assert equal(first, other)
    means = [name for name in first if name.startswith("g.") and name.endswith("running_mean")]
    torch.testing.assert_close(first[means[0]], together[means[0]])  # nothing before it was normalised
    for name in means[1:]:
        assert not torch.allclose(first[name], together[name], rtol=1e-3)


def test_what_networks_keep_besides_statistics_is_the_same_on_all_ranks():
    settings = ("networks.e.spectral_norm=true", 'compute.precision="fp64"')
    expected, _ = played(ALONE, 2, *settings)
    kept = [name for name in expected if name.endswith("._u")]
    assert kept
    for found, _ in pool().ask(3, played, 2, *settings):
        for name in kept:
            torch.testing.assert_close(found[name], expected[name], rtol=1e-8, atol=1e-10)


def test_what_else_depends_on_samples_is_that_of_the_first_rank():
    (first, _), (other, _) = pool().ask(2, played, 2, 'networks.e={ encoder = "marking" }')
    assert first["e.network.mark"].norm() > 0
    assert equal(first, other)


@pytest.mark.parametrize("sizes", [(2, 2, 2), (3, 2, 2), (1, 0, 4)])
def test_rows_are_joined_in_the_order_of_ranks(sizes):
    wanted = [[rank] * 2 for rank, size in enumerate(sizes) for _ in range(size)]
    for found in pool().ask(3, joined, *sizes):
        assert found.tolist() == wanted


def test_ranks_hear_one_another_and_the_first():
    words = ["", "one", "zwölf"]
    for found in pool().ask(3, said, *words):
        assert found == (words, {"by": 0}, True)


def test_each_rank_has_as_many_portions_and_none_is_empty():
    assert [(one.start, one.stop) for one in portions(8, None, ranks=3)] == [(0, 3), (3, 6), (6, 8)]
    assert [one.size for one in portions(8, 3, ranks=2)] == [2, 2, 2, 2]
    assert [one.size for one in portions(9, 4, ranks=2)] == [3, 2, 2, 2]
    with pytest.raises(ValueError, match="a batch of 5 cannot be divided among 3 ranks in portions of at most 1"):
        portions(5, 1, ranks=3)


def test_a_batch_of_fewer_samples_than_ranks_is_refused():
    assert "data.batch: a batch of 2 cannot be divided among 3 ranks" in pool().ask(3, refused, "data.batch=2")[0]
