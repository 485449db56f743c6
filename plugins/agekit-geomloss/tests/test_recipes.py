"""Every recipe of the package: it validates, and two steps of it are finite."""

import re
from pathlib import Path

import agekit
import pytest

import agekit_geomloss

RECIPES = sorted(agekit_geomloss.agekit_recipes().glob("*.toml"), key=lambda path: path.stem)


def test_the_shipped_recipes_are_those_of_the_readme():
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    assert {path.stem for path in RECIPES} == set(re.findall(r"`(age_\w+)`", readme))
    assert len(RECIPES) >= 1


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_valid_and_says_what_it_is(path):
    recipe = agekit.load(path)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# ")
    assert len(lines) <= 15
    assert recipe.about.summary
    assert recipe.about.source


@pytest.mark.parametrize("reference", ["sphere", "gaussian"])
@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_two_steps_are_finite(path, reference, tmp_path):
    data = ["data.size=16", "data.count=24", "data.batch=8", "data.held_out.count=8"]
    small = ["networks.g.width=4", "networks.e.width=4", "latent.dim=4", f"latent.reference={reference}"]
    game = agekit.build(agekit.load(path.stem, *data, *small), tmp_path)
    for _ in range(2):
        terms = {(p, t): value for p, ts in game.step().terms.items() for t, value in ts.items()}
        assert len(terms) == 5
        assert all(value.isfinite() for value in terms.values()), terms
