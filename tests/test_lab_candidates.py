"""Divergences as the lab's command line names them."""

import pytest

from agekit.builtin.divergences import MMD
from agekit.errors import AgekitError, RecipeError
from agekit.lab.candidates import Candidate, candidate, candidates, reference_of
from agekit.lab.measure import takers

from .laboratory import SPHERE, builtin_divergences, settings


def test_a_name_may_have_options_and_draws(registries):
    assert candidate("mmd", registries) == Candidate("mmd", registries.divergences["mmd"](), drawn=False)
    named = candidate("mmd: kernel=rbf, scales=[1, 2.5], to=z2", registries)
    assert named.label == "mmd:kernel=rbf,scales=[1,2.5],to=z2"
    assert named.divergence == MMD(kernel="rbf", scales=(1, 2.5))
    assert named.drawn
    assert candidate("coral:factor=2", registries).drawn
    assert candidate("coral:to=y", registries).drawn  # as in a recipe, it is handed draws
    assert len(candidates(["mmd", "energy", "mmd"], registries)) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kl_shpere", "no divergence is called 'kl_shpere'; did you mean kl_sphere?"),
        ("mmd:kernl=rbf", "kernl: unknown key; did you mean kernel?"),
        ("mmd:kernel=foo", "kernel: found 'foo', where imq or rbf or laplace or linear or energy fits"),
        ("mmd:scales=[1,-1]", "scales.1: found -1, where a number greater than 0 fits"),
        ("mmd:rbf", "found 'rbf', where OPTION=VALUE fits"),
        ("needy", "factor: is missing"),
        ("kl_sphere:to=z2", "it takes no samples to compare with"),
        ("kl_neighbours:to=z2", "it takes no samples to compare with"),
        ("mmd:to=x", "to: found 'x', where y, the reference, or z2, draws of it, fits"),
        ("conditional", "takes of, to, label: the lab has codes alone"),
    ],
)
def test_what_is_named_wrongly_is_told_as_in_recipes(text, said, registries):
    with pytest.raises(RecipeError) as told:
        candidate(text, registries)
    assert said in str(told.value)
    assert str(told.value).startswith(text)


def test_a_reference_that_is_not_taken_is_told(registries):
    with pytest.raises(AgekitError, match=r"cramer_wold: .* no closed form for the reference sphere, only"):
        takers(["cramer_wold"], settings(SPHERE), registries)
    chosen, left_out = takers([], settings(SPHERE, 80), registries)
    assert "cramer_wold" not in {one.label for one in chosen}
    assert len(chosen) == len(builtin_divergences()) - 1
    reasons = dict(left_out)
    assert "no closed form for the reference sphere" in reasons.pop("cramer_wold")
    assert {"conditional", "needy", "coral"} <= reasons.keys()
    assert all(why.endswith("and measured where it is named") for why in reasons.values())
    with pytest.raises(RecipeError, match="did you mean sphere"):
        reference_of("spher", 8, registries)
