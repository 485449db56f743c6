"""Components in a game: those that draw, running averages, weights from elsewhere, broken promises."""

from typing import ClassVar

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.distributions import Normal

import agekit
from agekit.contracts import Operand
from agekit.errors import RecipeError
from agekit.train.sources import load_sources

from .tiny import equal, game_of, gradients_of, weights_of

TERMS = "players.encoder.terms"


# ---- components that draw


class Noisy(agekit.Encoder):
    """A Gaussian for each picture, with a bias of its own."""

    dropout: float = agekit.option(0.0, help="share left out")

    def build(self, sees, makes):
        return NoisyModule(int(makes.shape[0] or 0), self.dropout)


class NoisyModule(nn.Module):
    def __init__(self, size, dropout):
        super().__init__()
        self.mean, self.dropout = nn.Linear(3 * 16 * 16, size), nn.Dropout(dropout)

    def forward(self, x):
        mean = self.dropout(self.mean(x.flatten(1)))
        return Normal(mean, torch.ones_like(mean))


class Dropping(agekit.Encoder):
    """Leaves out half of the picture."""

    def build(self, sees, makes):
        return nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(3 * 16 * 16, int(makes.shape[0] or 0)))


class Spread(agekit.Loss):
    """The mean deviation of a distribution."""

    operands = {"of": Operand(vectors=True, takes=frozenset({"distribution"}))}

    def __call__(self, of):
        return of.stddev.mean(1)


class Sliced(agekit.Reciprocity):
    """The difference along a random direction."""

    def __call__(self, of, to, *, generator):
        return ((of - to) * torch.randn(of.shape[1:], generator=generator)).flatten(1).sum(1)


COMPONENTS = {
    "noisy": ("encoders", Noisy),
    "dropping": ("encoders", Dropping),
    "spread": ("losses", Spread),
    "sliced": ("reciprocities", Sliced),
}
NOISY = ('latent.reference="gaussian"', 'networks.e={ encoder = "noisy" }')


def test_a_distribution_is_drawn_from_once_and_handed_to_losses_that_want_it():
    game = game_of(
        *NOISY,
        'players.encoder.terms.spread={ loss = "spread", of = "e(x)" }',
        'players.encoder.terms.same={ reciprocity = "l2", of = "e(x)", to = "e(x)" }',
        'players.encoder.terms.other={ reciprocity = "l2", of = "e(x)", to = "e(g(z))" }',
        components=COMPONENTS,
    )
    gradients, terms = gradients_of(game, "encoder")
    assert terms["spread"] == 1
    assert terms["same"] == 0
    assert terms["other"] > 0
    assert gradients["e.network.mean.weight"].abs().sum() > 0
    again, _ = gradients_of(game, "encoder")
    assert torch.equal(gradients["e.network.mean.weight"], again["e.network.mean.weight"])


def test_a_distribution_is_shown_as_samples():
    game = game_of(*NOISY, components=COMPONENTS)
    shown = agekit.show(game, "codes")
    assert shown.of.shape == (16, 6)
    assert torch.equal(shown.of, agekit.show(game, "codes").of)
    assert not torch.equal(shown.of, agekit.show(game, "codes", seed=3).of)


def test_networks_that_draw_do_not_depend_on_the_order_of_terms():
    a, b = (
        game_of('networks.e={ encoder = "dropping" }', *more, components=COMPONENTS)
        for more in (
            (),
            (
                "players.encoder.terms.real=false",
                'players.encoder.terms.late={ divergence = "kl_sphere", of = "e(x)" }',
            ),
        )
    )
    _, first = gradients_of(a, "encoder")
    _, second = gradients_of(b, "encoder")
    assert first["real"] == second["late"]
    assert first["fake"] == second["fake"]
    assert gradients_of(a, "encoder", update=1)[1]["real"] != first["real"]


def test_a_loss_that_draws_is_handed_a_generator_of_its_own():
    term = '={ reciprocity = "sliced", of = "g(e(x))", to = "x" }'
    game = game_of(f"{TERMS}.one{term}", f"{TERMS}.two{term}", components=COMPONENTS)
    _, terms = gradients_of(game, "encoder")
    _, again = gradients_of(game, "encoder")
    assert terms["one"] != terms["two"]
    assert (terms["one"], terms["two"]) == (again["one"], again["two"])
    assert gradients_of(game, "encoder", update=1)[1]["one"] != terms["one"]


class Kept(agekit.Reciprocity):
    """Keeps what it is handed."""

    kept: ClassVar[list[tuple[torch.Tensor, torch.Tensor]]] = []

    def __call__(self, of, to):
        self.kept.append((of.detach(), to.detach()))
        return (of - to).flatten(1).sum(1)


def test_all_mixes_of_an_update_share_their_coefficients(monkeypatch):
    monkeypatch.setattr(Kept, "kept", [])
    pairs = (("mix(z, e(x))", "e(x)"), ("z", "e(x)"), ("mix(x, g(z))", "g(z)"), ("x", "g(z)"))
    terms = (f'{TERMS}.t{i}={{ reciprocity = "kept", of = "{of}", to = "{to}" }}' for i, (of, to) in enumerate(pairs))
    gradients_of(game_of(*terms, components={"kept": ("reciprocities", Kept)}), "encoder")
    (mixed_codes, code), (z, _) = (pair for pair in Kept.kept if pair[0].ndim == 2)
    (x, _), (mixed, image) = (pair for pair in Kept.kept if pair[0].ndim == 4)  # whose nodes are there is taken
    of_codes = ((mixed_codes - code) / (z - code)).median(1).values
    of_images = ((mixed - image) / (x - image)).flatten(1).median(1).values
    assert torch.allclose(of_codes, of_images, atol=1e-4)
    assert len(of_codes.unique()) == 8
    assert ((of_codes > 0) & (of_codes < 1)).all()


# ---- running averages, weights from elsewhere


def test_a_running_average_follows_weights_and_statistics_and_copies_counters():
    game = game_of('networks.t={ average_of = "e", decay = 0.75 }')
    start = weights_of(game)
    assert all(torch.equal(value, start[f"e{name[1:]}"]) for name, value in start.items() if name[0] == "t")
    game.step()
    after = weights_of(game)
    names = [name for name in after if name[0] == "t"]
    assert sum(name.endswith("num_batches_tracked") for name in names) == 1
    for name in names:
        now, was = after[f"e{name[1:]}"], start[name]
        wanted = now if name.endswith("num_batches_tracked") else 0.75 * was + 0.25 * now
        assert torch.allclose(after[name], wanted, atol=1e-7)
        assert not torch.equal(after[name], was)
    assert not any(parameter.requires_grad for parameter in game.networks["t"].parameters())


def frozen_encoder(folder):
    """The weights of a tiny encoder of another seed, in a file."""
    path = folder / "e.safetensors"
    tensors = game_of("run.seed=9").networks["e"].state_dict()
    save_file({name: value.contiguous() for name, value in tensors.items()}, path)
    return path


def test_weights_come_from_a_file_and_averages_begin_there(tmp_path):
    game = game_of(f'networks.e.from="{frozen_encoder(tmp_path)}"', 'networks.t={ average_of = "e" }')
    load_sources(game)
    there = game_of("run.seed=9").networks["e"].state_dict()
    assert equal(dict(game.networks["e"].state_dict()), dict(there))
    assert equal(dict(game.networks["t"].state_dict()), dict(there))


def test_weights_of_another_network_are_refused(tmp_path):
    game = game_of(f'networks.e.from="{frozen_encoder(tmp_path)}"', "networks.e.width=2")
    with pytest.raises(agekit.RunError, match=r"networks.e.from = .*of another network: .* fits"):
        load_sources(game)
    (tmp_path / "text").write_text("no tensors")
    for path, said in (("text", "is no safetensors file"), ("absent", "does not exist")):
        game = game_of(f'networks.e.from="{tmp_path / path}"')
        with pytest.raises(agekit.RunError, match=said):
            load_sources(game)


# ---- networks that do not keep their word


class Wide(agekit.Encoder):
    """Makes a number too many."""

    def build(self, sees, makes):
        return nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, int(makes.shape[0] or 0) + 1))


class Deaf(agekit.Encoder):
    """Sees other pictures than it is told."""

    def build(self, sees, makes):
        return nn.Linear(5, int(makes.shape[0] or 0))


@pytest.mark.parametrize(
    ("encoder", "said"),
    [
        (Wide, r"networks.e: makes \[2, 7\] of a batch of 2, where z \[6\]"),
        (Deaf, "networks.e: cannot be applied to x"),
    ],
)
def test_a_network_that_makes_another_shape_is_refused_at_once(encoder, said):
    with pytest.raises(RecipeError, match=said):
        game_of('networks.e={ encoder = "odd" }', components={"odd": ("encoders", encoder)})
