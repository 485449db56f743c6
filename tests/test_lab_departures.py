"""The lab's departures and clouds: what they promise."""

from functools import partial
from itertools import product

import pytest
import torch

from agekit.builtin.references import Gaussian, Sphere, Uniform
from agekit.errors import PluginError
from agekit.lab.clouds import departed, halfway, null
from agekit.lab.departures import DEPARTURES

from .laboratory import GAUSSIAN, SPHERE, cloud


@pytest.mark.parametrize("method", ["sample", "project", "between"])
def test_a_reference_that_fails_is_named(method, monkeypatch):
    monkeypatch.setattr(Gaussian, method, lambda *_, **__: 1 / 0)
    with pytest.raises(PluginError, match=r"^reference: Gaussian of agekit: raised ZeroDivisionError: "):
        halfway(GAUSSIAN)[0].draw(4, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("reference", [GAUSSIAN, SPHERE, Uniform(dim=64)], ids=lambda one: type(one).__name__)
def test_departures_keep_what_they_promise(reference):
    clouds = {cloud.name: cloud for cloud in departed(reference)}
    vanished = {"scale", "heavy_tail"} if isinstance(reference, Sphere) else set()
    assert clouds.keys() == {departure.name for departure in DEPARTURES} - vanished
    for name, one in clouds.items():
        codes = one.draw(4000, torch.Generator().manual_seed(1))
        assert torch.equal(codes, one.draw(4000, torch.Generator().manual_seed(1)))
        if isinstance(reference, Sphere):
            assert torch.allclose(codes.norm(dim=1), torch.ones(4000), atol=1e-5)
        if one.law:
            scale = reference.variance
            covariance = torch.cov(codes.double().T)
            assert torch.allclose(codes.double().mean(dim=0), one.law.mean, atol=0.08 * scale**0.5), name
            assert torch.allclose(covariance, one.law.covariance, atol=0.14 * scale), name
            assert (covariance - one.law.covariance).square().mean().sqrt() < 0.03 * scale, name


def test_departures_are_what_they_are_called():
    draws = partial(torch.Generator().manual_seed, 3)
    codes = {one.name: one.draw(2000, draws()) for one in (null(GAUSSIAN), *departed(GAUSSIAN))}
    base = codes["null"]
    assert torch.equal(codes["shift"], base + 0.2)
    assert torch.allclose(codes["scale"], 0.8 * base)
    assert torch.equal(codes["duplicates"], torch.cat([base[:, :32], base[:, :32]], dim=1))
    assert len(codes["antipodes"].unique(dim=0)) == 2
    assert torch.linalg.matrix_rank(codes["low_rank"], rtol=1e-4) == 16
    signs = (codes["missing_mode"][:, :2] > 0).int() @ torch.tensor([2, 1], dtype=torch.int32)
    counts = torch.bincount(signs, minlength=4) / 2000
    assert counts[3] == 0
    assert counts.tolist() == pytest.approx([0.25, 0.5, 0.25, 0], abs=0.04)
    lengths = codes["heavy_tail"].norm(dim=1) / base.norm(dim=1)
    assert lengths.max() > 2.5
    assert codes["heavy_tail"].square().mean() == pytest.approx(1, abs=0.1)
    neighbours = torch.corrcoef(codes["correlation"].T).diagonal(1)
    assert neighbours.mean() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("dim", [1, 2, 3, 5])
def test_departures_exist_in_few_dimensions(dim):
    for reference, n in product((Gaussian(dim=dim), Sphere(dim=dim)), (2, 9)):
        clouds = departed(reference)
        assert clouds
        for one in (*clouds, *halfway(reference)):
            codes = one.draw(n, torch.Generator().manual_seed(0))
            assert codes.shape == (n, dim)
            assert codes.isfinite().all()


def test_half_way_is_within_the_space():
    start, end = (one.draw(50, torch.Generator().manual_seed(5)) for one in (null(SPHERE), cloud(SPHERE, "shift")))
    middle = {one.name: one for one in halfway(SPHERE)}["shift"].draw(50, torch.Generator().manual_seed(5))
    assert torch.allclose(middle, SPHERE.project(start + end), atol=1e-5)
