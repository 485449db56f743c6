"""Every recipe of the package: it validates, keeps to the published numbers, and two steps of it are finite."""

import math
import re
from pathlib import Path

import agekit
import pytest
import torch
from agekit.__main__ import main

import agekit_color

RECIPES = sorted(agekit_color.agekit_recipes().glob("*.toml"), key=lambda path: path.stem)
BASE = "age_cars_color"
LAB = 2 / 3 * 110
"""From a mean over (a, b)/110 to one over L, a and b in their own units, where L has no error."""


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def tiny(name, cache, *settings):
    """A recipe with its weights and its terms, on a handful of small cartoon faces."""
    data = ["data.dataset=toyfaces", "data.size=16", "data.count=24", "data.batch=8"]
    data.append('data.held_out={ split = "test", count = 8 }')
    small = ["networks.g.width=4", "networks.g.blocks=1", "networks.e.width=4"]
    return agekit.build(agekit.load(name, *data, *small, *settings), cache)


def test_the_shipped_recipes_are_those_of_the_readme():
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    assert {path.stem for path in RECIPES} == set(re.findall(r"`(age_\w+)`", readme))
    assert len(RECIPES) >= 6


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_valid_and_says_what_it_is(path):
    recipe = agekit.load(path)
    assert recipe.about.summary
    assert recipe.about.source
    assert recipe.dataset_name == path.stem.split("_")[1]


def terms_of(recipe):
    return {(player.name, term.name): term.weight for player in recipe.stages[0].players for term in player.terms}


def test_weights_are_halves_of_the_published_ones():
    both = {"reconstruct": pytest.approx(10 * LAB / 2, rel=1e-5), "recover": 10 / 16 / 2}
    wanted = {
        "encoder": {"real": 1, "fake": -0.5, **both},
        "generator": {"fake": 1, **both},
    }
    flat = {(player, term): weight for player, terms in wanted.items() for term, weight in terms.items()}
    assert terms_of(agekit.load(BASE)) == flat
    bare = {key: weight for key, weight in flat.items() if key[1] in ("real", "fake")}
    assert terms_of(agekit.load(f"{BASE}_no_reciprocity")) == bare


def test_numbers_are_the_published_ones():
    recipe = agekit.load(BASE)
    stage = recipe.stages[0]
    assert (recipe.reference.dim, stage.batch, stage.run.epochs) == (16, 64, 200)
    assert [player.updates for player in stage.players] == [1, 4]
    g, e = (recipe.networks[name].component for name in "ge")
    assert (g.width, g.blocks, e.width) == (64, 10, 64)
    for player in stage.players:
        rates = [player.optimizer.lr(agekit.Progress(100 * epoch, 20000, 100)) for epoch in (0, 1, 2, 3, 4)]
        assert rates == pytest.approx([6e-4, 6e-4 * 0.96, 6e-4 * 0.96, 6e-4 * 0.96**2, 6e-4 * 0.96**2])
        assert player.optimizer.betas == (0.5, 0.999)


def test_the_adaptive_weight_is_the_released_one():
    """Its limit, 1.05 of the released formula's ideal, is half as far above the ideal for the exact formula."""
    weight = terms_of(agekit.load(f"{BASE}_adaptive"))["encoder", "fake"]
    assert (weight.start, weight.drift, weight.correction, weight.most) == (-0.5, -0.001, 0.02, 0)
    assert weight.terms == ("real", "fake")
    ideal = math.log(16) - 0.5 + (1 / 16) ** 2 / 2
    assert weight.ratio == 1
    assert weight.excess == pytest.approx(0.05 * ideal / 2, abs=5e-4)


RELEASED = [
    *(f"players.{p}.terms.{t}.divergence=kl_gaussian" for p, t in (("encoder", "real"), ("encoder", "fake"))),
    "players.generator.terms.fake.divergence=kl_gaussian",
    *(f"players.{p}.terms.{t}.formula=age-2018" for p, t in (("encoder", "real"), ("encoder", "fake"))),
    "players.generator.terms.fake.formula=age-2018",
    *(f"players.{player}.terms.recover.formula=age-2018" for player in ("encoder", "generator")),
    *(f"players.{player}.terms.recover.weight=10" for player in ("encoder", "generator")),
    *(f"players.{player}.terms.reconstruct.weight={10 * LAB}" for player in ("encoder", "generator")),
]


@pytest.mark.parametrize("player", [0, 1], ids=["encoder", "generator"])
@pytest.mark.parametrize("without", [(), ("reconstruct",), ("reconstruct", "recover")], ids=str)
def test_forces_are_half_of_those_of_the_released_formulas(player, without, cache):
    found = []
    for settings in ((), RELEASED):
        seat = (game := tiny(BASE, cache, "data.batch=24", "latent.dim=16", *settings)).seats[player]
        weights = {t.term.name: 0.0 if t.term.name in without else t.term.weight for t in seat.plan.terms}
        game.gradients(seat, 0, weights)
        found.append(torch.cat([parameter.grad.flatten() for parameter in seat.parameters]))
    exact, released = found
    assert torch.cosine_similarity(exact, released, dim=0) > 0.999
    assert (released.norm() / exact.norm()).item() == pytest.approx(2, rel=0.02)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_two_steps_are_finite_and_each_player_trains_its_own_networks_alone(path, cache):
    game = tiny(path.stem, cache)
    for _ in range(2):
        terms = {(p, t): value for p, ts in game.step().terms.items() for t, value in ts.items()}
        assert terms.keys() == terms_of(game.recipe).keys()
        assert all(value.isfinite() for value in terms.values()), terms
    for seat in game.seats:
        for network in game.networks.values():
            network.zero_grad(set_to_none=True)
        game.gradients(seat, 0, {term.name: 1.0 for term in seat.player.terms})
        touched = {n for n, net in game.networks.items() if any(p.grad is not None for p in net.parameters())}
        assert touched == set(seat.player.owns)
    shown = agekit.show(game, "colourings", 16)
    assert shown.of.shape == shown.beside.shape == (16, 3, 16, 16)
    assert shown.columns == 8


def test_luminance_and_chroma_are_made_of_the_picture_that_is_drawn(capsys):
    assert main(["plan", "age_toyfaces_color"]) == 0
    encoder = capsys.readouterr().out.split("player generator")[0]
    assert re.search(r"luminance\(x\) +constant", encoder)
    assert len(re.findall(r"^    g\(z, l\) ", encoder, re.MULTILINE)) == 1


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("networks.e.sees=['ab']", r"e sees 1 \(ab\), and was given 2: e\(ab, l\)"),
        ("players.encoder.terms.real.of=e(l, ab)", r"e sees ab \[2×64×64\], and was given l \[1×64×64\]"),
        ("players.encoder.terms.reconstruct.to=l", r"ab \[2×64×64\].* l \[1×64×64\]|l \[1×64×64\].* ab \[2×64×64\]"),
        ("views.colourings.of=rgb(l, g(z, l))", r"rgb takes chroma \[2×h×w\] and luminance \[1×h×w\], in this order"),
        ("data.fields.l=luminance(ab)", "luminance takes one colour picture"),
    ],
)
def test_mistakes_are_one_clear_error(setting, message):
    with pytest.raises(agekit.RecipeError, match=message):
        agekit.load(BASE, setting)
