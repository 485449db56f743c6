"""Every mistake in a recipe is one clear message: where, which key, what was found, what would fit."""

import pytest

from agekit.errors import RecipeError
from agekit.game.check import bind
from agekit.recipe.compose import load
from tests.fakes import AGE, bound, registries
from tests.mistakes import GENERATOR, MISTAKES, NOBODY

SAID_LINE = {
    "[data]": 1,
    "dataset =": 2,
    "batch =": 3,
    "[latent]": 5,
    "dim =": 7,
    "g = {": 10,
    "e = {": 11,
    "[players.encoder]": 13,
    'owns = ["e"]': 14,
    "real = {": 16,
    "fake = {": 17,
    "reconstruct = {": 18,
    "[players.generator]": 20,
    'owns = ["g"]': 21,
    "samples =": 28,
    "reconstructions =": 29,
    "[run]": 31,
}


def said(text: str) -> list[str]:
    """What is wrong with a recipe, each problem on its line."""
    with pytest.raises(RecipeError) as caught:
        bound(text)
    return str(caught.value).split("\n")


def test_the_lines_that_these_tests_count_on():
    lines = AGE.splitlines()
    assert {start: next(i for i, line in enumerate(lines, 1) if line.startswith(start)) for start in SAID_LINE} == (
        SAID_LINE
    )
    assert bound(AGE).networks["g"].component.model_dump() == {"width": 4, "depth": 2}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_clear_line(name):
    (was, becomes), message = MISTAKES[name]
    assert was in AGE
    assert said(AGE.replace(was, becomes, 1)) == [message]


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("x", "has the name of a field of the data; choose another"),
        ("l", "has the name of a field of the data; choose another"),
        ("stop", "has the name of an operator; choose another"),
        ("z2", "is no name for a network: z, z2, … are draws and y is the reference"),
        ("y", "is no name for a network: z, z2, … are draws and y is the reference"),
        ('"a b"', "is no name for a network: z, z2, … are draws and y is the reference"),
    ],
)
def test_a_network_s_name_must_be_its_own(name, what):
    network = f'{name} = {{ encoder = "tiny", from = "runs/a" }}\ng = {{'
    text = AGE.replace("g = {", network, 1).replace("batch = 16", 'batch = 16\nfields = { l = "grey(x)" }')
    key = name.strip('"')
    assert said(text) == [f"game.toml:11: networks.{key}: {what}"]


def test_fields_derived_in_a_circle():
    assert said(AGE.replace("batch = 16", 'batch = 16\nfields = { a = "grey(b)", b = "grey(a)" }')) == [
        "game.toml:4: data.fields.a: the field 'b' is derived from itself: b → a → b",
        "game.toml:4: data.fields.b: the field 'a' is derived from itself: a → b → a",
    ]


def test_codes_without_a_latent_space():
    text = AGE.replace('[latent]\nreference = "ball"\ndim = 6\n', "")
    assert said(text) == [
        "game.toml:7: networks.g: sees or makes codes, and the recipe has no [latent]",
        "game.toml:8: networks.e: sees or makes codes, and the recipe has no [latent]",
    ]


def test_the_reference_without_a_latent_space():
    text = """\
[data]
dataset = "shapes"
[networks]
s = { parser = "tiny" }
[players.parser]
owns = ["s"]
terms.classes = { loss = "cross_entropy", of = "s(x)", to = "mask" }
terms.pose = { divergence = "either", of = "pose" }
terms.noise = { reciprocity = "distance", of = "pose", to = "z" }
[run]
steps = 1
"""
    lacking = "is a code, and there are none here: no [latent] names their reference"
    assert said(text) == [
        f"game.toml:8: players.parser.terms.pose: y {lacking}",
        f"game.toml:9: players.parser.terms.noise.to: z {lacking}",
    ]


def test_several_mistakes_are_told_at_once():
    text = (
        AGE.replace("batch = 16", "batc = 1")
        .replace("dim = 6", 'dim = "6"')
        .replace('g = { generator = "tiny" }', 'g = { generator = "tinny" }')
        .replace('of = "e(x)"', 'of = "e(xx)"')
        .replace("g(e(x))", "g(e(q))")
        .replace("weight = 7.5", 'weight = "7.5"')
        .replace("steps = 10", "steps = 10\nstops = 1")
    )
    messages = said(text)
    assert [message.split(": ")[1] for message in messages] == [
        "run.stops",
        "data.batc",
        "latent.dim",
        "networks.g.generator",
        "players.generator.terms.recover.weight",
        "players.encoder.terms.real.of",
        "players.encoder.terms.reconstruct.of",
        "views.reconstructions",
    ]
    assert all(message.startswith("game.toml:") for message in messages)


def test_what_uses_a_broken_network_is_not_blamed_for_it():
    assert said(AGE.replace('g = { generator = "tiny" }', 'g = { generator = "tiny", depth = 0 }')) == [
        "game.toml:10: networks.g.depth: found 0, where a whole number greater than or equal to 1 fits"
    ]


@pytest.mark.parametrize("table", ["data", "latent", "networks", "players", "views", "run", "about", "compute"])
def test_a_table_that_is_none_is_told_once(table):
    lines = AGE.splitlines()
    starts = [i for i, line in enumerate(lines) if line.startswith("[")]
    ends = [*starts[1:], len(lines)]
    kept = [
        "\n".join(lines[start:end])
        for start, end in zip(starts, ends, strict=True)
        if lines[start].strip("[]").split(".")[0] != table
    ]
    assert said(f"{table} = 3\n" + "\n".join(kept)) == [f"game.toml:1: {table}: found 3, where a table fits"]


def test_an_empty_recipe_names_the_file():
    assert said("") == ["game.toml: data: names no component: one of dataset = … fits"]


def test_a_recipe_without_players_has_no_game():
    text = AGE[: AGE.index("[networks]")] + "[run]\nsteps = 1\n"
    assert said(text) == ["game.toml: players: is empty: a game has at least one player"]


def test_a_player_without_terms_or_networks():
    empty = AGE.replace('owns = ["g"]', "owns = []").replace("g = {", 'h = { generator = "tiny", from = "a" }\ng = {')
    assert said(empty) == [
        "game.toml:22: players.generator.owns: is empty: the player has nothing to train",
        f"game.toml:11: networks.g: {NOBODY}",
    ]
    assert (
        "game.toml:20: players.generator.terms: is missing; a table fits: what it minimises: the weighted sum of these"
        in said(AGE.replace("[players.generator.terms]\n", "").replace(GENERATOR, ""))
    )


def test_an_average_cannot_be_owned():
    text = AGE.replace("g = {", 't = { average_of = "e" }\ng = {', 1).replace('owns = ["e"]', 'owns = ["e", "t"]')
    assert said(text)[0] == "game.toml:15: players.encoder.owns: t is the running average of e, and cannot be trained"


def test_an_average_of_an_average_is_refused():
    text = AGE.replace("g = {", 't = { average_of = "e" }\nu = { average_of = "t" }\ng = {', 1)
    assert said(text) == ["game.toml:11: networks.u.average_of: no network is called 't'; known: e, g"]


def test_vectors_with_named_entries_are_no_classes():
    text = AGE.replace("g = {", 'p = { encoder = "tiny", makes = "pose", from = "a" }\ng = {', 1)
    recipe = bound(text.replace("[views]", '[views]\npose = { of = "p(x)", beside = "pose" }'))
    assert recipe.networks["p"].makes == "pose"


STAGED = AGE + "[[stages]]\n[[stages]]\n"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("networks.g.width = 9", "game.toml:35: stages.1.networks: cannot change between stages"),
        ("networks.g.sees = ['z', 'z']", None),
        ("data.size = 16", "game.toml:35: stages.1.data: cannot change between stages"),
        ("latent.dim = 7", "game.toml:35: stages.1.latent: cannot change between stages"),
        ("run.seed = 7", "game.toml:35: stages.1.run.seed: cannot change between stages"),
        ("compute.device = 'cpu'", "game.toml:35: stages.1.compute: cannot change between stages"),
        ("data.fields.l = 'grey(x)'", "game.toml:35: stages.1.data.fields: cannot change between stages"),
        ("step = 3", "game.toml:35: step: unknown key; did you mean steps?"),
        ("stages = 3", "game.toml:35: stages: unknown key; did you mean steps?"),
        ("extends = 'a'", "game.toml:35: extends: unknown key; known: about, compute, data"),
        (
            "epochs = 2\nsteps = 3",
            "game.toml:35: stages.1.epochs: found 2, where one of steps and epochs fits, and steps = 3 is there too",
        ),
        ("optimizer = 'old'", "game.toml:35: stages.1.optimizer: found 'old', where fresh or carried fits"),
        ("players.encoder.update = 9", "game.toml:35: players.encoder.update: unknown key; did you mean updates?"),
    ],
)
def test_a_stage_overrides_what_it_may(line, message):
    messages = said(STAGED + line + "\n")
    assert messages[0].startswith(message or "game.toml:")
    assert len(messages) == 1 or message is None


def test_a_stage_may_change_updates_weights_batches_and_views():
    text = (
        "data.batch = 4\nplayers.encoder.terms.fake.weight = -2\nplayers.generator.updates = 1\nviews.samples = false\n"
    )
    one, two = bound(STAGED + text).stages
    assert (one.batch, two.batch) == (16, 4)
    assert [player.updates for player in two.players] == [1, 1]
    assert "samples" not in two.views


def test_a_network_may_rest_in_a_stage_if_another_trains_it():
    one, two = bound(STAGED + "players.generator = false\n").stages
    assert one.owner("g") == "generator"
    assert two.owner("g") is None
    both = AGE + "[[stages]]\nplayers.generator = false\n[[stages]]\nplayers.generator = false\n"
    assert said(both) == [f"game.toml:10: networks.g: {NOBODY}"]


def test_stages_are_a_list_of_tables():
    assert said(AGE + "[stages]\nsteps = 3\n") == ["game.toml:33: stages: is a list of tables, each written [[stages]]"]


def test_a_problem_common_to_all_stages_is_told_once():
    assert said(STAGED.replace("batch = 16", "batc = 16")) == [
        "game.toml:3: data.batc: unknown key; did you mean batch?"
    ]


def test_places_survive_composition(tmp_path):
    (tmp_path / "base.toml").write_text(AGE.replace("batch =", "batc ="))
    (tmp_path / "child.toml").write_text('extends = "base.toml"\n[players.encoder.terms]\nreal = { of = "e(xx)" }\n')
    document = load(tmp_path / "child.toml", ["latent.dim=x"])
    with pytest.raises(RecipeError) as caught:
        bind(document, registries(), "child")
    assert str(caught.value).split("\n") == [
        "base.toml:3: data.batc: unknown key; did you mean batch?",
        "--set: latent.dim: found 'x', where a whole number fits",
        "child.toml:3: players.encoder.terms.real.of: nothing is called 'xx'; did you mean x?",
    ]


def test_weights_from_elsewhere_need_not_be_there():
    assert (
        bound(AGE.replace("g = {", 's = { parser = "tiny", from = "no/such/run" }\ng = {', 1)).networks["s"].keys.source
    )


@pytest.mark.parametrize(
    ("was", "becomes", "key"),
    [
        ("samples =", '"../samples" =', "views.../samples"),
        ("real = {", '"a/b" = {', "players.encoder.terms.a/b"),
        ("[players.encoder", '[players."a b"', "players.a b"),
    ],
)
def test_names_that_become_files_and_curves_are_plain(was, becomes, key):
    lines = said(AGE.replace(was, becomes))
    assert [line.partition(": ")[2] for line in lines] == [
        f"{key}: is no plain name: up to 100 letters, digits, dashes and underscores fit"
    ]
