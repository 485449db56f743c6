"""What is listed and shown: recipes, shelves and their components."""

import pytest

from agekit.contracts import SHELVES

pytestmark = pytest.mark.usefixtures("nowhere")


def test_list_shows_every_shelf_and_the_recipes(told):
    status, out, err = told("list")
    assert (status, err) == (0, [])
    assert out[0].split("  ")[0] == "shelf"
    listed = {line.split()[0] for line in out[1:]}
    assert {"generators", "encoders", "references", "divergences", "reciprocities", "datasets", "recipes"} <= listed
    assert listed <= {"recipes", *(shelf.name for shelf in SHELVES)}
    assert any(line.split()[:2] == ["recipes", "age_celeba"] and "AGE on CelebA" in line for line in out)


def test_one_shelf_is_listed_by_either_of_its_names(told):
    status, out, _ = told("list", "divergences")
    assert status == 0
    assert {line.split()[0] for line in out[1:]} == {"divergences"}
    assert {"kl_sphere", "kl_gaussian", "mmd"} <= {line.split()[1] for line in out[1:]}
    assert told("list", "divergence")[1] == out
    assert {line.split()[0] for line in told("list", "recipes")[1][1:]} == {"recipes"}


def test_an_unknown_shelf_is_told_with_the_nearest(told):
    assert told("list", "divergance") == (
        1,
        [],
        ["error: no shelf is called 'divergance'; did you mean divergences?"],
    )


@pytest.mark.parametrize("kind", ["divergence", "divergences"])
def test_show_prints_formula_source_and_options(told, kind):
    status, out, _ = told("show", kind, "kl_sphere")
    text = "\n".join(out)
    assert status == 0
    assert out[0] == "divergence kl_sphere  (from agekit.builtin)"
    assert "Source: Ulyanov, Vedaldi and Lempitsky 2018, equation 7" in text
    assert "operands: of (vectors)" in text
    assert any(line.split()[:4] == ["direction", "qp", "or", "pq"] and '"qp"' in line for line in out)


def test_show_prints_units_and_needed_options(told):
    out = told("show", "schedule", "linear")[1]
    assert any(line.split()[:4] == ["start", "a", "number", "(needed)"] for line in out)
    assert any(line.startswith("over") and " steps " in line for line in out)


def test_every_component_can_be_shown(told, monkeypatch):
    from agekit.cli import common
    from agekit.plugins import load

    shown, loaded = 0, load()
    monkeypatch.setattr(common, "plugins", lambda: loaded)
    for registry in loaded.registries.shelves.values():
        for name in registry:
            assert told("show", registry.shelf.key, name)[0] == 0
            shown += 1
    assert shown >= 30


def test_show_names_the_nearest(told):
    assert told("show", "divergence", "kl_shpere")[2] == [
        "error: no divergence is called 'kl_shpere'; did you mean kl_sphere?"
    ]
    assert told("show", "divergense", "kl_sphere")[2] == [
        "error: no kind of component is called 'divergense'; did you mean divergence?"
    ]
