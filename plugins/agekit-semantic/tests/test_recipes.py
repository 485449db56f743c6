"""Every recipe of the package: it validates, a frozen parser stays as it is, and what does not fit together is told."""

import json
import re
from pathlib import Path

import agekit
import pytest
import torch
from agekit.__main__ import main
from PIL import Image

import agekit_semantic

RECIPES = sorted(agekit_semantic.agekit_recipes().glob("*.toml"), key=lambda path: path.stem)
PARSERS = ("parser_toyfaces", "parser_faces")
GAMES = ("age_toyfaces_semantic", "age_celeba_semantic")
DATA = ("data.dataset=toyfaces", "data.size=16", "data.count=24", "data.batch=8")
TOY = agekit.load("parser_toyfaces").dataset.fields()["mask"].classes
SMALL = (*DATA, "networks.s.width=2", "networks.s.depth=2")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a finished run of a tiny parser."""
    runs = tmp_path_factory.mktemp("runs")
    said = [f"--set={setting}" for setting in (*SMALL, "data.held_out.count=8", "run.steps=2")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AGEKIT_CACHE", str(runs / "cache"))
        assert main(["run", "parser_toyfaces", "--out", str(runs), "--name", "parser", *said]) == 0
    return runs / "parser"


def tiny(name, cache, source, *settings):
    """A recipe with its weights and its terms, on a handful of small cartoon faces and a tiny parser of theirs."""
    own = [
        *SMALL,
        *(["stages.1.data.batch=8"] if "celeba" in name else []),
        f'networks.s.from="{source}"',
        "networks.g.width=4",
        "networks.e.width=4",
        "latent.dim=6",
    ]
    return agekit.build(agekit.load(name, *own, *settings), cache)


def test_the_shipped_recipes_are_those_of_the_readme():
    assert sorted(path.stem for path in RECIPES) == sorted((*PARSERS, *GAMES))
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+_\w+)` \|", readme, re.MULTILINE)) == {*PARSERS, *GAMES}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_valid_and_says_what_it_is(path):
    recipe = agekit.load(path)
    assert recipe.about.summary
    assert recipe.about.source


@pytest.mark.parametrize("name", PARSERS)
def test_parsers_learn_and_are_judged_class_by_class(name, cache):
    game = agekit.build(agekit.load(name, *SMALL, 'data.held_out={ split = "test", count = 8 }'), cache)
    before = game.networks["s"].state_dict()["score.weight"].clone()
    for _ in range(2):
        assert all(value.isfinite() for value in game.step().terms["parser"].values())
    assert not torch.equal(game.networks["s"].state_dict()["score.weight"], before)
    found = agekit.judge(game)["parses"]
    assert {"mean_iou", "pixel_accuracy", "background", "hair"} <= found.keys()
    assert len(found) >= 12
    shown = agekit.show(game, "overlays", 4)
    assert shown.of.shape == shown.beside.shape == (4, 3, 16, 16)


@pytest.mark.parametrize("name", GAMES)
def test_a_frozen_parser_stays_as_it_is_and_lets_gradients_pass(name, cache, run):
    game = tiny(name, cache, run, *([f"networks.s.class_names={json.dumps(TOY)}"] if name == GAMES[1] else []))
    frozen = {key: value.clone() for key, value in game.networks["s"].state_dict().items()}
    for _ in range(2):
        terms = {(p, t): value for p, ts in game.step().terms.items() for t, value in ts.items()}
        assert all(value.isfinite() for value in terms.values()), terms
    assert ("generator", "agree") in terms
    assert all(torch.equal(value, frozen[key]) for key, value in game.networks["s"].state_dict().items())
    modes = {n.text: m for seat in game.seats for n, m in zip(seat.plan.nodes, seat.plan.modes, strict=True)}
    assert (modes["s(x)"], modes["s(g(e(x)))"]) == ("constant", "through")


def test_a_step_follows_the_parser_to_the_generator_alone(cache, run):
    """With the term's weight the generator's gradient moves, and the encoder's does not."""
    slopes = []
    for weight in (0.0, 1.0):
        game = tiny(GAMES[0], cache, run, f"players.generator.terms.agree.weight={weight}")
        found = {}
        for seat in game.seats:
            game.gradients(seat, 0, {term.term.name: term.term.weight for term in seat.plan.terms})
            found[seat.player.name] = torch.cat([p.grad.flatten() for p in seat.parameters])
        slopes.append(found)
    assert not torch.equal(slopes[0]["generator"], slopes[1]["generator"])
    assert torch.equal(slopes[0]["encoder"], slopes[1]["encoder"])


def test_layouts_are_compared_by_any_divergence_of_samples(cache, run):
    for divergence in ("mmd", "energy", "sliced_wasserstein"):
        term = f'{{ divergence = "{divergence}", of = "areas(s(g(z)))", to = "areas(s(x))" }}'
        game = tiny(GAMES[0], cache, run, f"players.generator.terms.layout={term}")
        assert game.step().terms["generator"]["layout"].isfinite()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            (f"networks.s.class_names={json.dumps(TOY[:5])}",),
            "makes the classes background, .* and mask has background",
        ),
        (
            (f"networks.s.class_names={json.dumps(TOY)}", 'networks.s.class_mapping={ face = ["skin", "noze"] }'),
            "class_mapping takes 'noze', which is none of its classes; did you mean nose",
        ),
        (("players.generator.terms.agree.to=mask",), "to is to be of kind scores of mask, and mask is mask"),
        (("players.generator.terms.agree.of=g(e(x))",), "of is to be of kind scores of mask"),
        (('views.odd="overlay(x, e(x))"',), "overlay takes a colour picture and a parse map of its size"),
    ],
)
def test_what_does_not_fit_together_is_refused_before_anything_is_built(settings, message):
    with pytest.raises(agekit.RecipeError, match=message):
        agekit.load(GAMES[0], *settings)


def test_a_parser_of_other_classes_than_the_recipe_maps_is_one_clear_error(cache, run, tmp_path):
    for index in range(8):
        Image.new("RGB", (16, 16), (index, 0, 0)).save(tmp_path / f"{index}.png")
    said = ["data.dataset=image_folder", f"data.root={tmp_path}"]
    with pytest.raises(
        agekit.RunError, match=r"tells apart background, skin, hair, .* to tell apart background, skin, nose"
    ):
        tiny(GAMES[1], cache, run, *said)
    with pytest.raises(agekit.RunError, match=r"networks\.s\.from = .* is of another network"):
        tiny(GAMES[0], cache, run, "networks.s.width=3")
