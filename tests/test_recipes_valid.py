"""Every recipe that is shipped binds, plans, says what it is, and keeps to the published numbers."""

import re
from pathlib import Path

import pytest
import torch

from agekit.api import load
from agekit.builtin.controllers import Margin
from agekit.builtin.optimizers import Adam
from agekit.builtin.reciprocities import L2, Cosine
from agekit.builtin.schedules import Steps
from agekit.game.plan import plan_player
from agekit.game.scope import scope_of
from agekit.recipe.compose import load as compose

ABLATIONS = ("no_reciprocity", "generator_recon", "direct", "mmd", "gaussian")
DATA = ("celeba", "cifar10", "toyfaces")
ROOT = Path(__file__).parent.parent
RECIPES = sorted((ROOT / "recipes").glob("*.toml"))
EVERY = {path.stem: path for path in (*RECIPES, *sorted((ROOT / "plugins").glob("*/*/recipes/*.toml")))}
"""Those of the plugins, too."""
SYSTEMS = ("pioneer_style", "balanced_pioneer_style")
NAMED = {
    "quickstart",
    "age_celeba",
    "age_celeba_2018",
    "age_cifar10_2018",
    "age_cifar10",
    "age_svhn",
    "age_tiny_imagenet",
    "age_mnist",
    "age_fashion_mnist",
    "age_folder",
    "age_toyfaces",
    "classifier_fashion_mnist",
    "factor_probe",
    *(f"{system}_{data}" for system in SYSTEMS for data in DATA),
    *(f"age_{data}_{ablation}" for data in DATA for ablation in ABLATIONS),
}


def test_all_that_are_promised_are_there():
    assert {path.stem for path in RECIPES} >= NAMED


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_binds_plans_and_says_what_it_is(path):
    recipe = load(path)
    assert recipe.about.summary
    assert recipe.about.source
    scope = scope_of(recipe)
    for stage in recipe.stages:
        plans = [plan_player(player, scope) for player in stage.players]
        assert all("trained" in plan.modes for plan in plans)
        assert stage.views
        assert stage.keys.steps or stage.keys.epochs or stage.run.steps or stage.run.epochs


@pytest.mark.parametrize("name", EVERY)
def test_a_recipe_begins_with_a_comment_and_a_variant_has_at_most_15_lines(name):
    lines = EVERY[name].read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# ")
    assert len(lines[0]) > 20
    assert len(lines) <= 15 or not any(line.startswith("extends") for line in lines)


@pytest.mark.parametrize("name", EVERY)
def test_a_recipe_has_published_numbers_or_its_source_says_that_there_are_none(name):
    about = compose(EVERY[name], find=lambda name, _: EVERY[Path(name).stem]).tree["about"]
    published = about.get("published", {})
    assert bool(published) != ("no numbers" in about["source"])
    for number in published.values():
        assert re.match(r"\d.*[a-z]{4}", number), "a number, and by whom or how"


def test_all_recipes_are_looked_at():
    assert len(EVERY) >= 73
    assert len({path.parent for path in EVERY.values()}) == 5


PUBLISHED = {
    # M, batches, generator updates, μ, λ, halving every, epochs: facts of the released code and their exact equivalents
    "age_celeba": (64, (64, 256), 3, (5, 7.5), 7.8125, 5, (5, 1)),
    "age_celeba_2018": (64, (64, 256), 3, (10, 15), 1000, 5, (5, 1)),
    "age_cifar10": (128, (64,), 2, (5,), 3.90625, 40, (150,)),
    "age_cifar10_2018": (128, (64,), 2, (10,), 1000, 40, (150,)),
    "age_tiny_imagenet": (128, (64,), 2, (5,), 7.8125, 3, (6,)),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_numbers_are_the_published_ones(name):
    recipe = load(name)
    assert recipe.reference is not None
    weights, batches, epochs = [], [], []
    for stage in recipe.stages:
        encoder, generator = stage.players
        terms = {term.name: term.weight for player in stage.players for term in player.terms}
        weights.append(terms["reconstruct"])
        batches.append(stage.batch)
        epochs.append(stage.keys.epochs or stage.run.epochs)
        assert {term.name: term.weight for term in encoder.terms} | {"reconstruct": 0} == {
            "real": 1,
            "fake": -1,
            "reconstruct": 0,
        }
        for player in stage.players:
            assert isinstance(player.optimizer, Adam)
            assert isinstance(player.optimizer.lr, Steps)
            rate = player.optimizer.lr
            assert player.optimizer.betas == (0.5, 0.999)
            assert (rate.value, rate.factor, rate.first, rate.unit) == (2e-4, 0.5, rate.every - 1, "epochs")
    found = (
        recipe.reference.dim,
        tuple(batches),
        generator.updates,
        tuple(weights),
        terms["recover"],
        rate.every,
        tuple(epochs),
    )
    assert found == PUBLISHED[name]


@pytest.mark.parametrize("data", DATA)
def test_pioneer_has_the_published_weights_margins_and_an_encoder_without_batch_norm(data):
    """The margin is the published schedule's for CelebA-HQ at this resolution, in units of the KL; there M = 512."""
    plain, balanced = (load(f"{system}_{data}").stages for system in SYSTEMS)
    assert len(plain) == len(balanced) == 1
    for stage in (plain[0], balanced[0]):
        encoder, generator = stage.players
        assert (encoder.updates, generator.updates) == (1, 2)
        assert stage.networks["e"].component.model_dump()["spectral_norm"] is True
        assert isinstance(generator.terms[1].loss, Cosine)
        assert generator.terms[1].loss.formula == "exact"
        assert [term.weight for term in generator.terms] == [1, 1000 / 512]
    assert {term.name: term.weight for term in plain[0].players[0].terms} == {"real": 1, "fake": -1, "reconstruct": 10}
    margin = 0.2 if data == "celeba" else 0.5
    assert {term.name: term.weight for term in balanced[0].players[0].terms} == {
        "real": Margin(upper="fake", lower="real", margin=margin),
        "fake": Margin(upper="fake", lower="real", margin=margin, full=-1),
        "reconstruct": 10,
    }


@pytest.mark.parametrize("ablation", ABLATIONS)
@pytest.mark.parametrize("data", DATA)
def test_an_ablation_states_only_what_differs(data, ablation):
    path = next(path for path in RECIPES if path.stem == f"age_{data}_{ablation}")
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 15
    assert lines[1] == f'extends = "age_{data}.toml"'
    recipe, whole = load(path), load(f"age_{data}")
    assert recipe.about.summary != whole.about.summary
    assert recipe.about.source != whole.about.source
    for mine, base in zip(recipe.stages[0].players, whole.stages[0].players, strict=True):
        assert (mine.name, mine.owns, mine.updates, mine.optimizer) == (
            base.name,
            base.owns,
            base.updates,
            base.optimizer,
        )


def terms_of(name, stage=0):
    return {
        (player.name, term.name): (term.label, term.weight, {at: str(text) for at, text in term.operands.items()})
        for player in load(name).stages[stage].players
        for term in player.terms
    }


@pytest.mark.parametrize("data", DATA)
def test_what_each_ablation_changes(data):
    whole = terms_of(f"age_{data}")
    found = {name: terms_of(f"age_{data}_{name}") for name in ABLATIONS}
    changed = {
        name: {key for key in whole.keys() | terms.keys() if whole.get(key) != terms.get(key)}
        for name, terms in found.items()
    }
    reciprocities = {("encoder", "reconstruct"), ("generator", "recover")}
    divergences = {("encoder", "real"), ("encoder", "fake"), ("generator", "fake")}
    assert changed == {
        "no_reciprocity": reciprocities,
        "generator_recon": {("generator", "reconstruct")},
        "direct": divergences,
        "mmd": divergences,
        "gaussian": divergences | {("generator", "recover")},
    }
    stages, given_stages = load(f"age_{data}").stages, load(f"age_{data}_generator_recon").stages
    assert [(stage.keys, stage.batch) for stage in given_stages] == [(stage.keys, stage.batch) for stage in stages]
    for stage in range(len(stages)):
        given = terms_of(f"age_{data}_generator_recon", stage)
        assert given["generator", "reconstruct"] == terms_of(f"age_{data}", stage)["encoder", "reconstruct"]
    assert ("encoder", "real") not in found["direct"]
    assert found["direct"]["generator", "fake"][2] == {"of": "e(g(z))", "to": "e(x)"}
    assert found["direct"]["encoder", "fake"][1] == -found["direct"]["generator", "fake"][1] == -1
    assert found["mmd"]["encoder", "real"][1] == -found["mmd"]["encoder", "fake"][1] == 5


@pytest.mark.parametrize("data", DATA)
def test_a_gaussian_prior_keeps_the_force_of_the_latent_match(data):
    """λ(1 − cos) of unit vectors is (λ/2)|z − ẑ|², and a draw of N(0, I) has √M times their length."""
    weight = {name: terms_of(name)["generator", "recover"][1] for name in (f"age_{data}", f"age_{data}_gaussian")}
    reference = load(f"age_{data}").reference
    assert reference is not None
    z, other = torch.randn(2, 6, reference.dim, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    close = torch.nn.functional.normalize(z + 0.01 * other)
    z = torch.nn.functional.normalize(z)
    unit = Cosine()(close, z) * weight[f"age_{data}"]
    free = L2()(close * reference.dim**0.5, z * reference.dim**0.5) * weight[f"age_{data}_gaussian"]
    torch.testing.assert_close(unit, free, rtol=1e-6, atol=0)
