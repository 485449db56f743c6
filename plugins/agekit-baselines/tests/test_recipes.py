"""Every recipe of the package: it validates, each player trains its own networks alone, and two steps are finite."""

import re
from pathlib import Path

import agekit
import pytest
from agekit.__main__ import main

import agekit_baselines

RECIPES = sorted(agekit_baselines.agekit_recipes().glob("*.toml"), key=lambda path: path.stem)
SYSTEMS = ("aae", "ali", "dcgan", "intro_vae", "soft_intro_vae", "svae", "vae", "wae_gan", "wae_mmd", "wgan_gp")
DATA = ("toyfaces", "cifar10", "celeba")
NAMES = [f"{system}_{data}" for system in SYSTEMS for data in DATA]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def tiny(name, cache, *settings):
    """A recipe with its weights and its terms, on a handful of small cartoon faces."""
    networks = agekit.load(name).networks
    small = [f"networks.{network}.width=4" for network in networks]
    data = ["data.dataset=toyfaces", "data.size=16", "data.count=24", "data.batch=8"]
    return agekit.build(agekit.load(name, *data, *small, "latent.dim=6", *settings), cache)


def test_the_shipped_recipes_are_those_of_the_readme():
    assert sorted(path.stem for path in RECIPES) == sorted(NAMES)
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`(\w+)_\*`", readme)) == set(SYSTEMS)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_valid_and_says_what_it_is(path):
    recipe = agekit.load(path)
    assert recipe.about.summary
    assert recipe.about.source
    assert recipe.dataset_name == path.stem.rsplit("_", 1)[1]


@pytest.mark.parametrize(
    ("system", "term", "factor"),
    [
        ("vae", "reconstruct", lambda numbers: numbers / 0.6),
        ("svae", "reconstruct", lambda numbers: numbers / 0.6),
        ("intro_vae", "reconstruct", lambda numbers: numbers / 0.6),
        ("wae_mmd", "reconstruct", lambda numbers: numbers / 20),
        ("wae_gan", "reconstruct", lambda numbers: numbers / 20),
        ("aae", "reconstruct", lambda numbers: numbers / 2),
        ("soft_intro_vae", "kl", lambda numbers: 1 / numbers),
        ("soft_intro_vae", "kl_fake", lambda numbers: 1 / (2 * numbers)),
        ("soft_intro_vae", "kl_rebuilt", lambda numbers: 1 / (2 * numbers)),
    ],
)
def test_weights_follow_the_size_of_the_pictures(system, term, factor):
    """Sums over a picture's numbers are written as weights of their mean, so that they differ between sizes."""
    for data, numbers in zip(DATA, (3072, 3072, 12288), strict=True):
        stage = agekit.load(f"{system}_{data}").stages[-1]
        weights = [t.weight for player in stage.players for t in player.terms if t.name == term]
        assert weights
        assert weights == pytest.approx([factor(numbers)] * len(weights), rel=1e-3)


def weight(name, term):
    (found,) = (t.weight for player in agekit.load(name).stages[-1].players for t in player.terms if t.name == term)
    return found


@pytest.mark.parametrize(("data", "mmd", "gan"), [("toyfaces", 10, 10), ("cifar10", 10, 10), ("celeba", 100, 1)])
def test_the_lambdas_of_wae_are_the_published_ones(data, mmd, gan):
    """In the units of its code, 0.05 of the squared error, and a sum over seven scales where `mmd` has their mean."""
    assert weight(f"wae_mmd_{data}", "match") == 7 * mmd
    assert weight(f"wae_gan_{data}", "fool") == gan


@pytest.mark.parametrize("data", DATA)
def test_soft_intro_vae_has_the_released_weights_for_pictures_in_0_to_1(data):
    """There a squared error is a quarter of ours; the released 1/4 exp(2 ELBO) is half of `exp_elbo`."""
    encoder, generator = agekit.load(f"soft_intro_vae_{data}").stages[-1].players
    terms = {(player.name, term.name): term for player in (encoder, generator) for term in player.terms}
    for name in ("rebuilt", "fake"):
        exp = terms["encoder", name]
        assert (exp.weight, exp.loss.alpha, exp.loss.beta_rec, exp.loss.beta_neg) == (0.25 * 2, 2, 1 / 4, 256)
        assert terms["generator", name].weight == pytest.approx(1e-8 / 2 / 4)
    assert [terms[player.name, "reconstruct"].weight for player in (encoder, generator)] == [1 / 4, 1 / 4]


@pytest.mark.parametrize("name", NAMES)
def test_two_steps_are_finite_and_each_player_trains_its_own_networks_alone(name, cache):
    game = tiny(name, cache)
    for position in range(len(game.recipe.stages)):
        game.enter(position)
        for _ in range(2):
            terms = {(p, t): value for p, ts in game.step().terms.items() for t, value in ts.items()}
            assert len(terms) == sum(len(player.terms) for player in game.stage.players)
            assert all(value.isfinite() for value in terms.values()), terms
        for seat in game.seats:
            for network in game.networks.values():
                network.zero_grad(set_to_none=True)
            game.gradients(seat, 0, {term.name: 1.0 for term in seat.player.terms})
            touched = {n for n, net in game.networks.items() if any(p.grad is not None for p in net.parameters())}
            assert touched == set(seat.player.owns)
            assert all(p.grad.isfinite().all() for n in touched for p in game.networks[n].parameters())
    owners = [name for player in game.stage.players for name in player.owns]
    assert sorted(owners) == sorted(game.networks)


def sections(text):
    """The plan of each player: the networks it trains, and the calls that are marked so."""
    for section in text.split("  player ")[1:]:
        player, owned = re.match(r"(\w+): trains ([\w, ]+);", section).groups()
        yield player, owned.split(", "), set(re.findall(r"^    (\w+)\(.*\)  +trained", section, re.MULTILINE))


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("ali_toyfaces", {"critic": ["d"], "imitators": ["e", "g"]}),
        ("dcgan_toyfaces", {"critic": ["d"], "generator": ["g"]}),
        ("wgan_gp_toyfaces", {"critic": ["d"], "generator": ["g"]}),
        ("wae_gan_toyfaces", {"autoencoder": ["e", "g"], "critic": ["c"]}),
    ],
)
def test_the_printed_plan_shows_who_trains_what(name, wanted, capsys):
    assert main(["plan", name]) == 0
    shown = {player: (owned, trained) for player, owned, trained in sections(capsys.readouterr().out)}
    assert {player: owned for player, (owned, _) in shown.items()} == wanted
    assert all(trained == set(owned) for owned, trained in shown.values())


def test_the_critic_sees_imitations_as_constants(capsys):
    assert main(["plan", "ali_toyfaces"]) == 0
    critic = capsys.readouterr().out.split("player imitators")[0]
    assert re.search(r"e\(x\) +constant", critic)
    assert re.search(r"g\(z\) +constant", critic)


def test_a_penalty_looks_at_the_very_pictures_that_the_critic_saw(capsys):
    assert main(["plan", "wgan_gp_toyfaces"]) == 0
    critic = capsys.readouterr().out.split("player generator")[0]
    assert len(re.findall(r"^    mix\(x, g\(z\)\) ", critic, re.MULTILINE)) == 1
    assert len(re.findall(r"^    d\(mix\(x, g\(z\)\)\) ", critic, re.MULTILINE)) == 1


@pytest.mark.parametrize("name", ["svae_toyfaces", "ali_toyfaces"])
def test_stochastic_encoders_draw_what_the_seed_says(name, cache):
    played = [tiny(name, cache, f"run.seed={seed}").step().terms for seed in (0, 0, 1)]
    first, again, other = ({(p, t): v.item() for p, ts in terms.items() for t, v in ts.items()} for terms in played)
    assert first == again
    assert all(first[key] != other[key] for key in first)


@pytest.mark.parametrize(("name", "beside"), [("svae_toyfaces", 1.0), ("vae_toyfaces", None)])
def test_views_show_samples_of_stochastic_codes(name, beside, cache):
    game = tiny(name, cache)
    codes = agekit.show(game, "codes", 8).of
    assert codes.shape == (8, 6)
    if beside is not None:
        assert codes.norm(dim=1).tolist() == pytest.approx([beside] * 8, abs=1e-5)
    shown = agekit.show(game, "reconstructions", 4)
    assert shown.of.shape == shown.beside.shape == (4, 3, 16, 16)


def test_mistakes_are_one_clear_error():
    real = "players.critic.terms.real"
    with pytest.raises(agekit.RecipeError, match=r"d sees 2 \(x, z\), and was given 1: d\(x\)"):
        agekit.load("ali_toyfaces", f'{real}.of="d(x)"')
    with pytest.raises(agekit.RecipeError, match="is to be of kind score"):
        agekit.load("ali_toyfaces", f'{real}.of="e(x)"')
    with pytest.raises(agekit.RecipeError, match="role"):
        agekit.load("ali_toyfaces", f"{real}.role=rael")
    with pytest.raises(agekit.RecipeError, match="compared with the reference alone"):
        agekit.load("vae_toyfaces", "players.autoencoder.terms.kl.to=z")
