"""Views: which batch-norm mode, which draws, along which way; and that looking moves nothing."""

import pytest
import torch

import agekit
from agekit.errors import ComputeError
from agekit.game.game import Game
from agekit.game.views import Gallery

from .tiny import equal, game_of, weights_of

MODES = ("recalibrated", "running", "batch")


def viewing(statistics):
    """Settings that show everything with these statistics."""
    views = "samples", "reconstructions", "codes"
    return [f'views.{name}.statistics="{statistics}"' for name in views]


def played(*settings, steps=15):
    game = game_of("run.steps=100", *settings)
    for _ in range(steps):
        game.step()
    return game


def in_training(game, codes):
    """The codes of given pictures as they are in training: the encoder's statistics are those of the batch."""
    before = weights_of(game)
    with torch.no_grad():
        made = game.networks["e"](codes)
        for name, tensor in game.named_tensors():
            tensor.copy_(before[name])
    return made


def test_recalibrated_codes_are_those_of_training_and_running_ones_are_not():
    errors = {}
    for statistics in MODES:
        game = played(*viewing(statistics), "data.batch=20", "players.generator.updates=6")
        chosen = torch.arange(40).numpy()
        x = game.data().take(chosen, ["x"])["x"]
        shown = Gallery(game).show("codes", given={"x": x}).of
        errors[statistics] = (shown - in_training(game, x)).norm(dim=1).mean().item()
    assert errors["batch"] < 1e-6
    assert errors["recalibrated"] < 0.1
    assert errors["running"] > 4 * errors["recalibrated"]


@pytest.mark.parametrize("statistics", MODES)
def test_looking_moves_no_weight_no_buffer_no_mode_and_no_later_step(statistics):
    looked, plain = (played(*viewing(statistics), steps=3) for _ in range(2))
    before = weights_of(looked)
    modes = [module.training for network in looked.networks.values() for module in network.modules()]
    momenta = [getattr(module, "momentum", 0) for network in looked.networks.values() for module in network.modules()]
    gallery = Gallery(looked)
    for name in looked.views:
        gallery.show(name)
    assert equal(before, weights_of(looked))
    assert modes == [module.training for network in looked.networks.values() for module in network.modules()]
    assert momenta == [
        getattr(module, "momentum", 0) for network in looked.networks.values() for module in network.modules()
    ]
    for game in (looked, plain):
        game.step()
    assert equal(weights_of(looked), weights_of(plain))


def test_each_call_has_statistics_of_its_own():
    game = played()
    gallery = Gallery(game)
    gallery.recalibrate()
    assert set(gallery.statistics) == {"g(z)", "e(x)", "g(e(x))"}
    mean = "layers.2.running_mean"
    assert not torch.equal(gallery.statistics["g(z)"][mean], gallery.statistics["g(e(x))"][mean])


def test_recalibrated_statistics_are_the_plain_means_of_batches():
    game = played()
    gallery = Gallery(game)
    gallery.recalibrate()
    with torch.no_grad():
        means = []
        for step in range(8):
            z = game.draw(8, game.recipe.run.seed, "calibrate", step, "z")
            means.append(game.networks["g"].layers[1](game.networks["g"].layers[0](z)).mean((0, 2, 3)))
    wanted = torch.stack(means).mean(0)
    assert torch.allclose(gallery.statistics["g(z)"]["layers.2.running_mean"], wanted, atol=1e-5)


@pytest.mark.parametrize(("statistics", "alone"), [("recalibrated", True), ("running", True), ("batch", False)])
def test_a_picture_is_judged_by_itself_unless_by_its_batch(statistics, alone):
    game = played(*viewing(statistics))
    gallery = Gallery(game)
    x = game.data().take(torch.arange(8).numpy(), ["x"])["x"]
    whole = gallery.show("codes", given={"x": x}).of
    half = gallery.show("codes", given={"x": x[:4]}).of
    assert torch.allclose(whole[:4], half, atol=1e-5) is alone


def test_statistics_are_taken_anew_after_a_step_and_only_then():
    game = played(steps=2)
    gallery = Gallery(game)
    gallery.show("samples")
    first = gallery.statistics
    gallery.show("samples")
    assert gallery.statistics is first
    game.step()
    gallery.show("samples")
    assert gallery.statistics is not first


def test_what_is_frozen_with_its_statistics_is_shown_with_them():
    game = game_of("players.encoder=false", 'networks.e.from="elsewhere"', "views.reconstructions=false")
    for name, buffer in game.networks["e"].named_buffers():
        if name.endswith("running_mean"):
            buffer.add_(0.3)
    gallery = Gallery(game)
    x = game.data().take(torch.arange(8).numpy(), ["x"])["x"]
    with torch.no_grad():
        wanted = game.networks["e"](x)
    assert torch.equal(gallery.show("codes", given={"x": x}).of, wanted)
    assert set(gallery.statistics) == {"g(z)"}


def test_a_running_average_is_recalibrated_like_its_original():
    game = played('networks.t={ average_of = "g", decay = 0.5 }', 'views.averaged={ of = "t(z)", count = 8 }')
    gallery = Gallery(game)
    gallery.show("averaged")
    assert "t(z)" in gallery.statistics


# ---- draws


def test_a_moving_draw_goes_along_great_circles():
    game = game_of('views.way={ of = "z", along = "z", count = 24 }')
    codes = agekit.show(game, "way").of.reshape(3, 8, 6)
    assert torch.allclose(codes.norm(dim=2), torch.ones(3, 8), atol=1e-5)
    steps = (codes[:, 1:] * codes[:, :-1]).sum(2).clamp(-1, 1).acos()
    assert torch.allclose(steps, steps[:, :1].expand(3, 7), atol=1e-3)
    whole = (codes[:, 0] * codes[:, -1]).sum(1).acos()
    assert torch.allclose(steps.sum(1), whole, atol=1e-3)
    assert not torch.allclose(codes[0], codes[1])


def test_what_stands_still_beside_a_moving_draw_keeps_its_draws():
    game = game_of('views.way={ of = "z2", beside = "z", along = "z", count = 8 }', 'views.still="z2"')
    way = agekit.show(game, "way")
    assert torch.equal(way.of, agekit.show(game, "still", count=8).of)
    assert way.beside is not None
    assert not torch.equal(way.of, way.beside)


def test_seeds_choose_draws_and_data_and_the_runs_own_is_the_default():
    game = played(steps=1)
    gallery = Gallery(game)
    for name in ("samples", "reconstructions", "codes"):
        own, same, other = (gallery.show(name, seed=seed).of for seed in (None, 0, 7))
        assert torch.equal(own, same)
        assert not torch.equal(own, other)


def test_beside_shows_the_same_samples():
    game = played(steps=1)
    shown = Gallery(game).show("reconstructions")
    assert shown.beside is not None
    assert shown.of.shape == shown.beside.shape == (8, 3, 16, 16)
    again = Gallery(game).show("reconstructions", given={"x": shown.beside})
    assert torch.equal(again.of, shown.of)


def test_as_many_are_shown_as_are_wanted_given_or_there():
    game = played('views.mixed={ of = "mix(x, g(z))", count = 100 }', steps=1)
    gallery = Gallery(game)
    assert len(gallery.show("samples").of) == 8
    assert len(gallery.show("samples", count=100).of) == 100
    assert len(gallery.show("codes", count=100).of) == 40
    assert len(gallery.show("mixed").of) == 40
    assert len(gallery.show("codes", count=3, given={"x": torch.zeros(5, 3, 16, 16)}).of) == 5


def test_data_is_repeated_a_row_each_and_its_draws_are_not():
    game = played('views.rows={ of = "mix(x, g(z))", beside = "x", times = 4, count = 10 }', steps=1)
    shown = Gallery(game).show("rows")
    assert shown.beside is not None
    assert shown.of.shape == (10, 3, 16, 16)
    assert shown.columns == 4
    assert [torch.equal(shown.beside[0], shown.beside[i]) for i in range(10)] == [True] * 4 + [False] * 6
    assert not torch.equal(shown.of[0], shown.of[1])
    given = torch.zeros(2, 3, 16, 16)
    assert len(Gallery(game).show("rows", given={"x": given}).of) == 8
    with pytest.raises(agekit.RecipeError, match=r"times = 2 repeats samples of the data, and g\(z\) uses none"):
        game_of("views.samples.times=2")


def test_without_data_a_view_of_draws_is_shown_and_one_of_data_is_refused():
    recipe = game_of(*viewing("running")).recipe
    game = Game(recipe, None, recipe.dataset.fields(), torch.device("cpu"))
    assert agekit.show(game, "samples").of.shape == (8, 3, 16, 16)
    with pytest.raises(ComputeError, match="needs the run's data"):
        agekit.show(game, "codes")
