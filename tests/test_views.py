"""Views: which batch-norm mode, which draws, along which way; and that looking moves nothing."""

import pytest
import torch

import agekit
from agekit.errors import ComputeError
from agekit.game import views
from agekit.game.calibrate import evaluate
from agekit.game.coding import coder
from agekit.game.drawing import LARGEST, Drawn
from agekit.game.game import Game
from agekit.game.views import PART, Gallery

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


@pytest.mark.slow
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


# ---- many


def largest_batch(game, name):
    """A list that will hold the sizes of all batches that a network sees."""
    sizes = []
    game.networks[name].register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    return sizes


def test_any_number_is_shown_in_parts_and_each_as_it_was_in_one():
    game = played(steps=1)
    gallery = Gallery(game)
    gallery.recalibrate()
    sizes, plan, count = largest_batch(game, "g"), game.views["samples"], 2 * PART + 90
    shown = gallery.show("samples", count=count).of
    assert sizes == [201, 201, 200]
    leaves = {"z": game.draw(count, 0, "view", "z")}
    whole = evaluate(game, plan.nodes, leaves, gallery.statistics, ("view", 0), by_batch=False)
    assert torch.allclose(shown, whole.sample(plan.of), atol=1e-5)


def test_a_batch_that_is_normalised_together_is_not_parted():
    game = played('views.samples.statistics="batch"', steps=1)
    sizes = largest_batch(game, "g")
    Gallery(game).show("samples", count=PART + 1)
    assert sizes == [PART + 1]


def test_codes_are_those_of_one_draw_however_they_are_taken():
    game = game_of('views.way={ of = "g(z)", beside = "g(z2)", along = "z" }')
    plan = game.views["way"]
    drawn = Drawn(game, plan, 100, 0)
    parts = [drawn.take(size) for size in (1, 59, 40)]
    whole = Drawn(game, plan, 100, 0).take(100)
    assert all(torch.equal(torch.cat([part[name] for part in parts]), whole[name]) for name in ("z", "z2"))
    assert torch.equal(whole["z2"], game.draw(100, 0, "view", "z2"))


def test_more_codes_than_a_view_may_have_are_drawn_in_blocks_of_their_own():
    game = game_of()
    codes = Drawn(game, game.views["samples"], 2 * LARGEST + 2, 0).take(2 * LARGEST + 2)["z"]
    assert codes.shape == (2 * LARGEST + 2, 6)
    assert len(codes.unique(dim=0)) == len(codes)


def test_samples_of_the_data_are_shown_once_each_in_any_parts(monkeypatch):
    game = played('views.rows={ of = "mix(x, g(z))", beside = "x", times = 2, count = 79 }', steps=1)
    whole = Gallery(game).show("rows").beside
    assert whole is not None
    monkeypatch.setattr(views, "PART", 6)
    parted = Gallery(game).show("rows").beside
    assert parted is not None
    assert torch.equal(whole, parted)
    assert len(whole.flatten(1).unique(dim=0)) == 40


# ---- cut at the code


def test_a_view_cut_at_its_code_is_whole_when_put_together():
    game = played('views.far={ of = "g(e(g(e(x))))" }')
    gallery = Gallery(game)
    x = game.data().take(torch.arange(8).numpy(), ["x"])["x"]
    for name, text in (("reconstructions", "e(x)"), ("far", "e(g(e(x)))")):
        cut = coder(gallery, game.views[name])
        assert cut is not None
        assert (cut.text, cut.of_data) == (text, True)
        made = cut.decode(cut.encode({"x": x}), {})
        assert torch.allclose(made, gallery.show(name, given={"x": x}).of, atol=1e-6)


def test_behind_a_code_of_another_origin_the_statistics_are_those_of_the_view():
    game = played()
    gallery = Gallery(game)
    cuts = [coder(gallery, game.views[name]) for name in ("reconstructions", "samples")]
    z = game.draw(8, "another")
    through, drawn = (cut.decode(z, {}) for cut in cuts if cut)
    assert not torch.allclose(through, drawn, atol=1e-3)
    assert cuts[1] is not None
    assert not cuts[1].of_data


def test_a_view_without_a_code_is_not_cut():
    game = game_of('views.same="x"')
    assert coder(Gallery(game), game.views["same"]) is None
