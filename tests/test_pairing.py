"""Paired seeds: wherever two recipes agree, they have the same first weights, the same data and the same noise."""

import pytest
import torch

from agekit.game.views import Gallery

from .tiny import TINY, equal, game_of, recorded, weights_of

OTHER = (
    "players.encoder.terms.reconstruct=false",
    "players.generator.terms.recover=false",
    "players.generator.updates=3",
    "players.encoder.terms.real.weight=2",
    'players.encoder.optimizer={ optimizer = "adam", lr = 0.01 }',
    "run.log_every=1",
    "views.codes=false",
    "data.flip=true",
)
MORE = "[players.more]\nowns = ['d']\n[players.more.terms]\nk = { divergence = 'kl_sphere', of = 'd(x)' }\n\n"
BEFORE = TINY.replace("[networks]", "[networks]\na = { average_of = 'g' }\nd = { encoder = 'small', width = 2 }")
BEFORE = BEFORE.replace("[views]", f"{MORE}[views]")
"""Other networks before those that are there, and another player."""


def played(monkeypatch, *settings, text=TINY):
    """The first weights, and all draws and choices of samples by what they are for, of three steps."""
    with monkeypatch.context() as patch:
        draws, taken = recorded(patch)
        game = game_of("data.flip=true", *settings, text=text)
        first = weights_of(game)
        chosen: dict[tuple[int, str, int], tuple[int, ...]] = {}
        gradients = type(game).gradients

        def noting(self, seat, update, weights):
            before = len(taken)
            found = gradients(self, seat, update, weights)
            if taken[before:]:
                (chosen[self.steps_done, seat.player.name, update],) = taken[before:]
            return found

        patch.setattr(type(game), "gradients", noting)
        for _ in range(3):
            game.step()
        return first, {key: tuple(drawn.flatten().tolist()) for key, drawn in draws}, chosen


def test_recipes_that_differ_have_the_same_weights_data_and_noise_where_they_agree(monkeypatch):
    weights, draws, samples = played(monkeypatch)
    for settings, text in ((OTHER, TINY), ((), BEFORE)):
        others, other_draws, other_samples = played(monkeypatch, *settings, text=text)
        shared = draws.keys() & other_draws.keys()
        assert len(shared) >= 6
        assert all(draws[key] == other_draws[key] for key in shared)
        assert samples.keys() <= other_samples.keys()
        assert all(samples[key] == other_samples[key] for key in samples)
        assert weights.keys() <= others.keys()
        assert equal(weights, {name: others[name] for name in weights})


def test_another_seed_has_others(monkeypatch):
    weights, draws, samples = played(monkeypatch)
    others, other_draws, other_samples = played(monkeypatch, "run.seed=1")
    assert not draws.keys() & other_draws.keys()
    assert not set(draws.values()) & set(other_draws.values())
    assert all(samples[key] != other_samples[key] for key in samples)
    drawn = [name for name in weights if name.endswith("weight") and weights[name].ndim == 4]
    assert len(drawn) >= 6
    assert not any(torch.equal(weights[name], others[name]) for name in drawn)


def test_what_is_drawn_inside_a_network_and_by_a_loss_depends_on_no_other_term():
    """A stochastic encoder, and slices: the noise of a text, and of a term, whatever else the update computes."""
    noisy = (
        'players.encoder.terms.real={ divergence = "sliced_wasserstein", of = "e(x)" }',
        'networks.e={ encoder = "gaussian", width = 4 }',
        'latent={ reference = "gaussian", dim = 6 }',
        "players.encoder.terms.fake=false",
        "players.generator.terms.fake=false",
    )
    values = []
    for more in ((), ("players.encoder.terms.reconstruct=false", 'views.also="g(z2)"')):
        game = game_of(*noisy, *more)
        values.append(game.step().terms["encoder"]["real"])
    assert torch.equal(*values)


@pytest.mark.parametrize("setting", OTHER)
def test_views_and_metrics_are_of_the_same_draws_and_samples(setting):
    seen = []
    for settings in ((), (setting,)):
        gallery = Gallery(game_of(*settings, 'views.inputs="x"', 'views.z="z"'))
        seen.append((gallery.show("inputs").of, gallery.show("z").of))
    assert all(torch.equal(a, b) for a, b in zip(*seen, strict=True))
