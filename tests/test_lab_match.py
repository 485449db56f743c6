"""Matching: the weight at which one divergence replaces another."""

import pytest

from agekit.errors import AgekitError
from agekit.lab.candidates import candidate, candidates
from agekit.lab.clouds import halfway
from agekit.lab.match import home_of, match

from .laboratory import GAUSSIAN, SPHERE, nothing, settings


@pytest.mark.parametrize("reference", [GAUSSIAN, SPHERE], ids=["gaussian", "sphere"])
def test_matching_knows_multiples(reference, registries):
    few = settings(reference, 16, 3)
    one, twice = candidates(["coral", "coral:factor=2"], registries)
    found = match(one, one, halfway(reference), few, nothing)
    assert found.weights == [1.0] * len(halfway(reference))
    found = match(one, twice, halfway(reference), few, nothing)
    assert found.weight == pytest.approx(0.5)
    assert found.weights == pytest.approx([0.5] * len(found.norms))
    assert match(twice, one, halfway(reference), few, nothing).weight == pytest.approx(2)


def test_matching_on_the_sphere_counts_what_an_encoder_feels(registries):
    """kl_gaussian and kl_sphere differ along the codes alone, where the encoder's normalisation is flat."""
    old, new = candidates(["kl_sphere", "kl_gaussian"], registries)
    found = match(old, new, halfway(SPHERE), settings(SPHERE, 32, 2), nothing)
    assert found.weights == pytest.approx([1.0] * len(found.norms), rel=1e-3)


def test_matching_refuses_what_has_no_gradient(registries):
    coral, detached, full = candidates(["coral", "detached", "gaussian_kl_full"], registries)
    with pytest.raises(AgekitError, match="detached has no gradient"):
        match(coral, detached, halfway(GAUSSIAN), settings(GAUSSIAN, 8, 2), nothing)
    with pytest.raises(AgekitError, match="gaussian_kl_full: 8 codes span no covariance"):
        match(coral, full, halfway(GAUSSIAN), settings(GAUSSIAN, 8, 2), nothing)


def test_the_home_of_a_divergence_is_where_it_is_zero(registries):
    names = ["gaussian", "sphere", "uniform"]
    assert home_of(candidate("kl_sphere", registries), 16, names, registries)[0] == "sphere"
    assert home_of(candidate("mmd", registries), 16, names, registries)[0] == "gaussian"
    with pytest.raises(AgekitError, match="uniformity is 0 at no reference"):
        home_of(candidate("uniformity", registries), 16, names, registries)
