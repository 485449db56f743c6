"""The neighbours under the sentinel's eyes: alive as they are, and dead where a critic or an encoder has won."""

import agekit
import pytest
from agekit.game.deaths import signs
from agekit.game.vitals import Monitor

TINY = ("data.size=16", "data.count=256", "data.batch=16", "latent.dim=8", "networks.g.width=8")
HEALTHY = {
    "vae_toyfaces": ("networks.e.width=16",),
    "dcgan_toyfaces": ("networks.d.width=8",),
    "wgan_gp_toyfaces": ("networks.d.width=8", "players.critic.updates=1"),
    "ali_toyfaces": ("networks.e.width=16", "networks.d.width=8"),
    "wae_gan_toyfaces": ("networks.e.width=16", "networks.c.width=64"),
    "soft_intro_vae_toyfaces": ("networks.e.width=16",),
    "svae_toyfaces": ("networks.e.width=16",),
}


def looks(recipe, *settings, steps=60, every=20):
    """The deaths that show at each look."""
    game = agekit.build(agekit.load(recipe, *TINY, *settings))
    monitor = Monitor(game)
    for step in range(1, steps + 1):
        report = game.step()
        if step % every == 0:
            yield [(one.name, one.players) for one in signs(monitor.look(report.terms), game.stage)]


@pytest.mark.slow
@pytest.mark.parametrize("recipe", HEALTHY)
def test_healthy_neighbours_raise_no_alarm(recipe):
    found = list(looks(recipe, *HEALTHY[recipe]))
    assert not set.intersection(*map(set, found))


@pytest.mark.slow
def test_a_critic_that_has_nothing_left_to_learn_has_won():
    rates = ("players.critic.optimizer.lr=0.002", "players.critic.updates=3", "players.generator.optimizer.lr=1e-5")
    *_, before, last = looks("dcgan_toyfaces", "networks.d.width=16", *rates)
    assert before == last == [("outright win", ("critic",))]


def test_posteriors_that_say_nothing_of_their_data_are_at_a_point():
    """Their draws spread as they should, and their means do not."""
    heavy = ("players.autoencoder.terms.kl.weight=1e4", "networks.e.width=4", "players.autoencoder.optimizer.lr=0.01")
    *_, last = looks("vae_toyfaces", *heavy)
    assert ("point", ("autoencoder",)) in last
