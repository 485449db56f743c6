"""A plugin that is broken is named by the recipes and runs that need it, and by no others."""

import pytest

import agekit
from agekit.cli import main
from agekit.files import sealed, sealed_text, write_json


@pytest.mark.parametrize("command", ["resume", "sample"])
def test_a_run_of_a_broken_plugin_names_it(command, installed, tmp_path, capsys):
    installed("bad", "raise RuntimeError('no such card')")
    mark = {"format": 1, "recipe": "mine", "data": {"fingerprint": "", "fields": {}}}
    write_json(tmp_path / "run.json", sealed(mark))
    text = 'extends = "age_mnist"\nplayers.encoder.terms.real.divergence = "coral"\n'
    (tmp_path / "recipe.toml").write_text(sealed_text(text))
    assert main([command, str(tmp_path)]) == 1
    assert "it may come from a plugin that is broken: bad (RuntimeError: no such card)" in capsys.readouterr().err
    with pytest.raises(agekit.RecipeError, match="it may come from a plugin that is broken: bad"):
        agekit.load(tmp_path / "recipe.toml")
    with pytest.raises(agekit.RecipeError) as caught:
        agekit.load("age_mnist", "latent.dim=0")
    assert "broken" not in str(caught.value)


def test_a_broken_plugin_is_fatal_only_to_a_recipe_that_needs_it(installed, tmp_path, capsys):
    installed("bad", "raise RuntimeError('no such card')")
    recipe = tmp_path / "mine.toml"
    recipe.write_text('extends = "age_mnist"\n')
    assert main(["validate", str(recipe)]) == 0
    said = capsys.readouterr()
    assert "valid (mnist" in said.out
    assert "warning: plugin bad (agekit-bad (agekit_bad)) is broken: RuntimeError: no such card" in said.err
    recipe.write_text('extends = "age_mnist"\nplayers.encoder.terms.real.divergence = "coral"\n')
    assert main(["plan", str(recipe)]) == 1
    said = capsys.readouterr()
    assert "mine.toml:2: players.encoder.terms.real.divergence: no divergence is called 'coral'" in said.err
    assert "it may come from a plugin that is broken: bad (RuntimeError: no such card)" in said.err
    assert "Traceback" not in said.err


NEEDING = {
    "a term": ("[players.encoder.terms]\nreal.of = 'nearest(e(x))'\n", "players.encoder.terms.real.of"),
    "a view": ("[views]\nsamples = 'nearest(g(z))'\n", "views.samples"),
    "a metric": ("[metrics]\nmine = { metric = 'spread', of = 'nearest(e(x))' }\n", "metrics.mine.of"),
    "a derived field": ("[data.fields]\nl = 'nearest(x)'\n", "data.fields.l"),
    "what a network that is wrong is in, too": (
        "[networks.e]\nwidth = 0\n[players.encoder.terms]\nreal.of = 'nearest(e(x))'\n",
        "players.encoder.terms.real.of",
    ),
    "a schedule": ("[players.encoder.optimizer]\nlr = { schedule = 'nearest' }\n", "players.encoder.optimizer.lr"),
    "a controller": ("[players.encoder.terms]\nfake.weight = { controller = 'nearest' }\n", "players.encoder.terms"),
    "a metric's component": ("[metrics]\nmine = { metric = 'nearest', of = 'x' }\n", "metrics.mine.metric"),
}


@pytest.mark.parametrize("name", NEEDING)
def test_whatever_a_recipe_needs_of_a_broken_plugin_its_error_names_it(name, installed, tmp_path):
    installed("bad", "raise RuntimeError('no such card')")
    text, key = NEEDING[name]
    (tmp_path / "mine.toml").write_text('extends = "age_mnist"\n' + text)
    with pytest.raises(agekit.RecipeError) as caught:
        agekit.load(tmp_path / "mine.toml")
    *problems, note = str(caught.value).splitlines()
    assert any(f": {key}" in problem and "'nearest'" in problem for problem in problems), problems
    assert note == "it may come from a plugin that is broken: bad (RuntimeError: no such card)"


@pytest.mark.parametrize("extends", [True, False])
def test_a_recipe_of_a_broken_plugin_names_it(extends, installed, tmp_path):
    installed("bad", "raise RuntimeError('no such card')")
    (tmp_path / "mine.toml").write_text('extends = "their_faces"\n')
    with pytest.raises(agekit.RecipeError, match="no such recipe: their_faces") as caught:
        agekit.load(tmp_path / "mine.toml" if extends else "their_faces")
    assert str(caught.value).endswith("it may come from a plugin that is broken: bad (RuntimeError: no such card)")


def test_a_leaf_that_is_misspelt_is_of_no_plugin(installed):
    installed("bad", "raise RuntimeError('no such card')")
    with pytest.raises(agekit.RecipeError) as caught:
        agekit.load("age_mnist", "players.encoder.terms.real.of='e(xx)'")
    assert "broken" not in str(caught.value)
