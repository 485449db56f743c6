"""FID and KID against numpy and scipy, on sets of more and of fewer than they have dimensions; and what is refused."""

import math

import numpy as np
import pytest
import scipy.linalg
import torch

from agekit_metrics import distances
from agekit_metrics.distances import FID, KID


def clouds(n, m, d):
    chance = np.random.default_rng(3)
    return chance.normal(size=(n, d)) @ chance.normal(size=(d, d)), chance.normal(0.5, 2.0, size=(m, d))


def fid_of(p, q):
    """By equation 6, with the root that scipy takes."""
    covariances = [np.cov(one, rowvar=False) for one in (p, q)]
    shared = np.trace(scipy.linalg.sqrtm(covariances[0] @ covariances[1]).real)
    return ((p.mean(0) - q.mean(0)) ** 2).sum() + np.trace(covariances[0] + covariances[1]) - 2 * shared


def kid_of(p, q):
    """Sum by sum, over pairs of different samples."""

    def kernel(a, b):
        return (a @ b / len(a) + 1) ** 3

    def within(x):
        pairs = [kernel(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j]
        return np.mean(pairs)

    return within(p) + within(q) - 2 * np.mean([kernel(a, b) for a in p for b in q])


@pytest.mark.parametrize(("n", "m", "d"), [(200, 150, 12), (200, 30, 12), (60, 50, 8)])
def test_fid_is_that_of_scipy(n, m, d):
    p, q = clouds(n, m, d)
    assert FID()(torch.tensor(p), torch.tensor(q))["fid"] == pytest.approx(fid_of(p, q), rel=1e-9)


def test_fid_of_few_samples_is_that_of_their_singular_covariances():
    """For two samples on two crossed lines the root is known: |C_p^{1/2} C_q^{1/2}| of rank one each."""
    p, q = torch.tensor([[-1.0, 0, 0], [1, 0, 0]]), torch.tensor([[-3.0, -3, 0], [3, 3, 0]])
    assert FID()(p, q)["fid"] == pytest.approx(2 + 36 - 2 * math.sqrt(2 * 36 / 2), rel=1e-12)


@pytest.mark.parametrize(("n", "d"), [(500, 64), (60, 2048)])
def test_a_set_is_at_no_distance_from_itself(n, d):
    features = torch.rand(n, d, generator=torch.Generator().manual_seed(0))
    assert abs(FID()(features, features)["fid"]) < 1e-9
    assert FID()(features, features + 0.01)["fid"] == pytest.approx(d * 1e-4, rel=1e-4)


@pytest.mark.parametrize("tile", [1024, 7])
def test_kid_is_the_sum_over_pairs(tile, monkeypatch):
    monkeypatch.setattr(distances, "TILE", tile)
    p, q = clouds(25, 18, 5)
    assert KID()(torch.tensor(p), torch.tensor(q))["kid"] == pytest.approx(kid_of(p, q), rel=1e-9)


def test_kid_has_no_bias():
    chance = torch.Generator().manual_seed(1)
    found = torch.tensor([KID()(*torch.randn(2, 20, 4, generator=chance))["kid"] for _ in range(400)])
    assert abs(found.mean()) < 3 * found.std() / 20
    assert (found < 0).any()


def test_what_is_not_finite_is_said_to_be_so():
    broken = torch.full((4, 3), math.inf)
    assert math.isnan(FID()(broken, torch.randn(4, 3))["fid"])
    assert math.isnan(KID()(broken, torch.randn(4, 3))["kid"])


@pytest.mark.parametrize("metric", [FID(), KID()], ids=["fid", "kid"])
def test_no_pair_of_sets_is_refused(metric):
    with pytest.raises(ValueError, match="1 samples have no covariance: two or more fit"):
        metric(torch.zeros(1, 3), torch.zeros(4, 3))
    with pytest.raises(ValueError, match=r"features \[n, d\] and \[m, d\] fit, found \[4, 3\] and \[4, 2\]"):
        metric(torch.zeros(4, 3), torch.zeros(4, 2))
