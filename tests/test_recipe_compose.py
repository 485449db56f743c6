"""What a recipe extends, changes and removes, and what the command line sets."""

from pathlib import Path

import pytest

from agekit.errors import Problem, RecipeError
from agekit.recipe.compose import Document, absolute, load, overlay, parse, stages

BASE = """\
[data]
dataset = "celeba"
size = 64
batch = 32
fields = { l = "grey(x)" }

[latent]
reference = "sphere"
dim = 64

[networks]
g = { generator = "dcgan", width = 64, sees = ["z", "l"], from = "runs/a" }

[players.encoder]
owns = ["e"]
optimizer = { optimizer = "adam", lr = 1e-3, betas = [0.5, 0.999] }
[players.encoder.terms]
real = { divergence = "kl_sphere", of = "e(x)", direction = "pq", weight = 2 }
fake = { divergence = "mmd", of = "e(g(z))", to = "e(x)", bandwidths = [1.0], weight = -1 }

[[stages]]
name = "one"
epochs = 5
[[stages]]
name = "two"
data.batch = 256
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "base.toml").write_text(BASE)
    return tmp_path


def extending(folder: Path, text: str, *settings: str) -> Document:
    (folder / "child.toml").write_text(f'extends = "base.toml"\n{text}')
    return load(folder / "child.toml", settings)


def refused(folder: Path, text: str, *settings: str) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        extending(folder, text, *settings)
    return [str(problem) for problem in caught.value.problems]


def laid(base: str, over: str) -> Document:
    problems: list[Problem] = []
    document = overlay(parse(base, "base.toml"), parse(over, "over.toml"), problems)
    assert not problems
    return document


def test_tables_merge_and_values_are_replaced(folder):
    document = extending(folder, "[data]\nbatch = 8\n[players.critic]\nowns = ['d']\n")
    assert document.tree["data"] == {"dataset": "celeba", "size": 64, "batch": 8, "fields": {"l": "grey(x)"}}
    assert list(document.tree["players"]) == ["encoder", "critic"]
    assert "extends" not in document.tree
    assert document.origin(("data", "batch")) == "child.toml:3"
    assert document.origin(("data", "size")) == "base.toml:3"
    assert document.origin(("players", "critic", "owns")) == "child.toml:5"
    assert document.origin(("nowhere",)) == "child.toml"


def test_lists_are_replaced_whole(folder):
    document = extending(folder, "[players.encoder]\nowns = ['e', 'd']\n[[stages]]\nname = 'only'\n")
    assert document.tree["players"]["encoder"]["owns"] == ["e", "d"]
    assert document.tree["stages"] == [{"name": "only"}]
    assert document.origin(("stages", 0, "name")) == "child.toml:5"


def test_a_chain_of_recipes_is_followed_from_each_one_s_own_folder(folder):
    (folder / "inner").mkdir()
    (folder / "inner" / "middle.toml").write_text('extends = "../base.toml"\ndata.batch = 8\n')
    (folder / "top.toml").write_text('extends = "inner/middle.toml"\ndata.size = 32\n')
    document = load(folder / "top.toml")
    assert (document.tree["data"]["batch"], document.tree["data"]["size"]) == (8, 32)
    assert document.origin(("data", "batch")) == "middle.toml:2"


@pytest.mark.parametrize("names", [["a"], ["a", "b"], ["a", "b", "c"]])
def test_circles_are_told(tmp_path, names):
    for name, following in zip(names, [*names[1:], names[0]], strict=True):
        (tmp_path / f"{name}.toml").write_text(f'extends = "{following}.toml"\n')
    with pytest.raises(RecipeError) as caught:
        load(tmp_path / "a.toml")
    way = " → ".join(f"{name}.toml" for name in [*names, names[0]])
    assert str(caught.value) == f"a.toml: extends: goes round in a circle: {way}"


def test_extends_is_the_name_of_a_file(tmp_path):
    (tmp_path / "a.toml").write_text("\nextends = 3\n")
    with pytest.raises(RecipeError, match=r"^a\.toml:2: extends: found 3, where a file's name fits$"):
        load(tmp_path / "a.toml")
    (tmp_path / "a.toml").write_text('extends = "none.toml"\n')
    with pytest.raises(RecipeError, match="cannot be read"):
        load(tmp_path / "a.toml")


def test_false_removes_entries(folder):
    document = extending(folder, "[players.encoder.terms]\nfake = false\n[data]\nfields.l = false\n")
    assert list(document.tree["players"]["encoder"]["terms"]) == ["real"]
    assert document.tree["data"]["fields"] == {}
    assert not [key for key in document.origins if "fake" in key]


def test_false_elsewhere_is_a_value(folder):
    assert extending(folder, "data.flip = false\n").tree["data"]["flip"] is False


def test_published_numbers_are_not_inherited(tmp_path):
    (tmp_path / "base.toml").write_text("[about]\nsummary = 'a'\npublished = { fid = 1, score = 3 }\n")
    (tmp_path / "child.toml").write_text("extends = 'base.toml'\n[about]\nsource = 'b'\n")
    (tmp_path / "other.toml").write_text("extends = 'base.toml'\nabout.published.fid = 2\n")
    child = load(tmp_path / "child.toml")
    assert child.tree["about"] == {"summary": "a", "source": "b"}
    assert not [key for key in child.origins if "published" in key]
    assert load(tmp_path / "other.toml").tree["about"] == {"summary": "a", "published": {"fid": 2}}
    assert load(tmp_path / "base.toml", ["about.published.fid=2"]).tree["about"]["published"] == {"fid": 2, "score": 3}


def test_removing_what_is_not_there_names_the_nearest(folder):
    assert refused(folder, "[players.encoder.terms]\nfakes = false\nreel = false\n") == [
        "child.toml:3: players.encoder.terms.fakes: nothing to remove; did you mean fake?",
        "child.toml:4: players.encoder.terms.reel: nothing to remove; did you mean real?",
    ]
    assert refused(folder, "", "players.encoder.terms.fakes=false") == [
        "--set: players.encoder.terms.fakes: nothing to remove; did you mean fake?"
    ]


def test_another_component_drops_the_old_one_s_options_and_keeps_of_to_and_weight(folder):
    terms = "[players.encoder.terms]\nfake = { divergence = 'kl_gaussian' }\nreal = { reciprocity = 'l1' }\n"
    document = extending(folder, terms)
    assert document.tree["players"]["encoder"]["terms"] == {
        "real": {"of": "e(x)", "weight": 2, "reciprocity": "l1"},
        "fake": {"of": "e(g(z))", "to": "e(x)", "weight": -1, "divergence": "kl_gaussian"},
    }
    dropped = ("players", "encoder", "terms", "fake", "bandwidths")
    assert not [key for key in document.origins if key[:5] == dropped]


def test_the_same_component_keeps_its_options(folder):
    document = extending(folder, "players.encoder.terms.fake = { divergence = 'mmd', weight = 1 }\n")
    assert document.tree["players"]["encoder"]["terms"]["fake"]["bandwidths"] == [1.0]


def test_options_of_the_contract_outlive_a_component(folder):
    document = extending(
        folder,
        "latent.reference = 'gaussian'\ndata.dataset = 'mnist'\n"
        "networks.g = { generator = 'small' }\nplayers.encoder.optimizer.optimizer = 'sgd'\n",
    )
    assert document.tree["latent"] == {"reference": "gaussian", "dim": 64}
    assert document.tree["data"] == {"dataset": "mnist", "batch": 32, "fields": {"l": "grey(x)"}}
    assert document.tree["networks"]["g"] == {"generator": "small", "sees": ["z", "l"], "from": "runs/a"}
    assert document.tree["players"]["encoder"]["optimizer"] == {"optimizer": "sgd", "lr": 1e-3}


@pytest.mark.parametrize(
    ("over", "left"),
    [("sgd", {"optimizer": "sgd", "lr": 1e-3}), ("adam", {"optimizer": "adam", "lr": 1e-3, "betas": [0.5, 0.9]})],
)
def test_an_optimizer_that_was_not_named_is_another_component_all_the_same(over, left):
    base = "[players.e.optimizer]\nbetas = [0.5, 0.9]\nlr = 1e-3\n"
    document = laid(base, f"players.e.optimizer = {{ optimizer = '{over}' }}\n")
    assert document.tree["players"]["e"]["optimizer"] == left


@pytest.mark.parametrize(
    ("base", "over", "left"),
    [
        ("steps = 9", "epochs = 2", {"epochs": 2}),
        ("epochs = 9", "steps = 2", {"steps": 2}),
        ("epochs = 9", "seed = 2", {"epochs": 9, "seed": 2}),
        ("epochs = 9", "steps = 2\nepochs = 3", {"epochs": 3, "steps": 2}),
    ],
)
def test_of_steps_and_epochs_the_later_counts(base, over, left):
    document = laid(f"[run]\n{base}\n", f"[run]\n{over}\n")
    assert document.tree["run"] == left
    assert {key[1] for key in document.origins if len(key) == 2} == left.keys()


def test_a_setting_of_a_length_ousts_the_other_in_the_run_and_in_a_stage(folder):
    document = extending(folder, "[run]\nepochs = 5\n", "run.steps=2", "stages.0.steps=3", "stages.1.run.epochs=4")
    assert document.tree["run"] == {"steps": 2}
    assert document.tree["stages"][0] == {"name": "one", "steps": 3}
    one, two = stages(document)
    assert (one.tree["run"], two.tree["run"]) == ({"steps": 2}, {"epochs": 4})


@pytest.mark.parametrize(
    ("base", "over", "left"),
    [
        ('split = "test"\ncount = 9', "share = 0.1", {"share": 0.1}),
        ("share = 0.1", 'split = "test"', {"split": "test"}),
        ('split = "test"', "count = 9", {"split": "test", "count": 9}),
    ],
)
def test_of_a_share_and_other_samples_to_hold_out_the_later_counts(base, over, left):
    document = laid(f"[data.held_out]\n{base}\n", f"[data.held_out]\n{over}\n")
    assert document.tree["data"]["held_out"] == left
    assert {key[2] for key in document.origins if len(key) == 3} == left.keys()


def test_a_table_laid_over_another_is_told_by_the_line_of_the_later(folder):
    document = extending(folder, '[players.encoder.terms]\nreal = { of = "g(z)" }\n')
    term = ("players", "encoder", "terms", "real")
    assert document.origin(term) == "child.toml:3"
    assert document.origin((*term, "direction")) == "base.toml:18"


def test_a_flag_is_a_setting_that_bears_its_own_name(folder):
    document = load(folder / "base.toml", ["run.seed=1"], {"--seed": "run.seed=2"})
    assert document.tree["run"]["seed"] == 2
    assert document.origin(("run", "seed")) == "--seed"


def test_paths_are_made_absolute_from_where_we_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    text = """\
data = { root = "pictures", note = "pictures" }
[networks]
a = { from = "runs/a" }
b = { from = "~/runs/b" }
c = { from = "/runs/c" }
d = { from = 3 }
[[stages]]
data.root = ""
networks.a.from = "runs/later"
"""
    document = parse(text, "a.toml")
    made = absolute(document)
    assert made.tree["data"] == {"root": str(tmp_path / "pictures"), "note": "pictures"}
    assert [network["from"] for network in made.tree["networks"].values()] == [
        str(tmp_path / "runs" / "a"),
        "/home/me/runs/b",
        "/runs/c",
        3,
    ]
    assert made.tree["stages"] == [
        {"data": {"root": ""}, "networks": {"a": {"from": str(tmp_path / "runs" / "later")}}}
    ]
    assert document == parse(text, "a.toml")
    malformed = parse("data = 3\nnetworks = [1]\nstages = [2]", "b.toml")
    assert absolute(malformed) == malformed


def test_settings_are_toml_or_else_text(folder):
    document = extending(
        folder,
        "",
        "data.batch=8",
        "data.root=/some/where",
        "data.flip=true",
        'data.fields.l="luma(x)"',
        "players.encoder.owns=['e', 'd']",
        "run.name = a = b",
    )
    assert document.tree["data"] | {"size": 0} == {
        "dataset": "celeba",
        "size": 0,
        "batch": 8,
        "root": "/some/where",
        "flip": True,
        "fields": {"l": "luma(x)"},
    }
    assert document.tree["players"]["encoder"]["owns"] == ["e", "d"]
    assert document.tree["run"]["name"] == "a = b"
    assert document.origin(("data", "batch")) == "--set"
    assert document.origin(("data", "size")) == "base.toml:3"


def test_settings_follow_one_another(folder):
    document = extending(folder, "", "data.batch=8", "data.batch=9", "players.encoder.terms.fake.divergence=kl_sphere")
    assert document.tree["data"]["batch"] == 9
    assert "bandwidths" not in document.tree["players"]["encoder"]["terms"]["fake"]


def test_settings_reach_into_lists(folder):
    document = extending(folder, "", "stages.1.data.batch=16", "stages.0.epochs=1")
    assert document.tree["stages"] == [{"name": "one", "epochs": 1}, {"name": "two", "data": {"batch": 16}}]
    assert document.origin(("stages", 1, "data", "batch")) == "--set"
    assert document.origin(("stages", 1, "name")) == "base.toml:25"
    assert stages(document)[1].origin(("data", "batch")) == "--set"


def test_settings_replace_one_entry_of_a_list_within_tables(folder):
    document = extending(folder, "", "players.encoder.optimizer.betas.0=0.9", "networks.g.sees.1=x")
    assert document.tree["players"]["encoder"]["optimizer"]["betas"] == [0.9, 0.999]
    assert document.tree["networks"]["g"]["sees"] == ["z", "x"]
    assert document.origin(("players", "encoder", "optimizer", "betas", 0)) == "--set"
    assert document.origin(("players", "encoder", "optimizer", "betas", 1)) == "base.toml:16"


def test_a_number_names_an_entry_of_a_table_as_well(folder):
    assert extending(folder, "", "about.published.2018=3").tree["about"] == {"published": {"2018": 3}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("data.batch", "found 'data.batch', where KEY=VALUE fits"),
        ("=3", "found '=3', where KEY=VALUE fits"),
        ("data..batch=3", "found 'data..batch=3', where KEY=VALUE fits"),
        ("stages.2.epochs=3", "'stages.2.epochs=3': the list has 2 entries, counted from 0"),
        ("stages.two.epochs=3", "'stages.two.epochs=3': the list has 2 entries, counted from 0"),
        ("stages.5=3", "'stages.5=3': the list has 2 entries, counted from 0"),
        ("data.batch.size=3", "'data.batch.size=3': data.batch is 32, in which nothing has a place"),
    ],
)
def test_settings_that_make_no_sense_are_told(folder, text, said):
    assert refused(folder, "", text) == [f"--set: {said}"]


def test_a_recipe_without_stages_has_one():
    document = parse("[data]\nbatch = 1\n", "a.toml")
    assert [stage.tree for stage in stages(document)] == [{"data": {"batch": 1}}]


def test_each_stage_lays_what_it_names_over_the_recipe(folder):
    one, two = stages(extending(folder, ""))
    assert one.tree["data"]["batch"] == 32
    assert two.tree["data"]["batch"] == 256
    assert two.tree["data"]["size"] == 64
    assert "name" not in two.tree
    assert "stages" not in two.tree
    assert two.origin(("data", "batch")) == "base.toml:26"
    assert one.origin(("data", "batch")) == "base.toml:4"


def test_a_stage_removes_for_itself_alone(folder):
    text = "[[stages]]\nplayers.encoder.terms.fake = false\n[[stages]]\n"
    one, two = stages(extending(folder, text))
    assert list(one.tree["players"]["encoder"]["terms"]) == ["real"]
    assert list(two.tree["players"]["encoder"]["terms"]) == ["real", "fake"]


def test_laying_over_changes_neither():
    base, over = parse(BASE, "base.toml"), parse("[data]\nbatch = 1\n[networks.g]\ngenerator = 'x'\n", "over.toml")
    before = parse(BASE, "base.toml")
    overlay(base, over, [])
    assert (base.tree, base.origins) == (before.tree, before.origins)


def test_a_term_appended_comes_last():
    document = laid(BASE, "[players.encoder.terms]\nmore = { reciprocity = 'l1' }\n")
    assert list(document.tree["players"]["encoder"]["terms"]) == ["real", "fake", "more"]
