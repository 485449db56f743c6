"""The Sinkhorn divergence against an independent one in numpy, its laws and limits, and what it refuses."""

import importlib
import importlib.util
import sys

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from agekit_geomloss.sinkhorn import Sinkhorn, has_keops

KEOPS = has_keops()


def noise(n, d, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


P, Q = 0.8 * noise(12, 3) + 0.4, noise(9, 3, seed=1)


def softmin(eps, scores):
    """−ε log mean exp(scores / ε) over the last axis."""
    top = scores.max(axis=-1, keepdims=True)
    return -(top[..., 0] + eps * np.log(np.exp((scores - top) / eps).mean(axis=-1)))


def transport(x, y, p, eps):
    """OT_ε: Sinkhorn's iterations on the logarithms, one side after the other, until nothing moves."""
    cost = np.linalg.norm(x[:, None] - y[None], axis=2) ** p / p
    f, g = np.zeros(len(x)), np.zeros(len(y))
    for _ in range(2000):
        before, f = f, softmin(eps, g - cost)
        g = softmin(eps, (f[:, None] - cost).T)
        if np.abs(f - before).max() < 1e-13:
            return f.mean() + g.mean()
    raise AssertionError("it has not converged")


def sinkhorn(x, y, p, blur):
    x, y = x.numpy(), y.numpy()
    return transport(x, y, p, blur**p) - (transport(x, x, p, blur**p) + transport(y, y, p, blur**p)) / 2


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("blur", [0.8, 3.0])
def test_it_is_the_converged_one(p, blur):
    found = Sinkhorn(p=p, blur=blur, iterations=400)(P, Q).item()
    assert found == pytest.approx(sinkhorn(P, Q, p, blur), rel=1e-9)


@pytest.mark.parametrize("p", [1, 2])
def test_with_scaling_it_is_close_to_the_converged_one(p):
    exact = sinkhorn(P, Q, p, 0.8)
    assert Sinkhorn(p=p, blur=0.8, scaling=0.9)(P, Q).item() == pytest.approx(exact, rel=2e-3)
    assert Sinkhorn(p=p, blur=0.8, scaling=0.5)(P, Q).item() == pytest.approx(exact, rel=5e-2)


def test_by_default_the_blur_is_half_the_root_mean_square_distance_of_draws():
    distance = (Q[:, None] - Q[None]).square().sum(dim=2).mean().sqrt().item()
    assert Sinkhorn()(P, Q).item() == pytest.approx(Sinkhorn(blur=distance / 2)(P, Q).item(), rel=1e-9)


@pytest.mark.parametrize("p", [1, 2])
def test_equal_clouds_are_not_apart_however_few_the_iterations(p):
    x = P.clone().requires_grad_()
    value = Sinkhorn(p=p, blur=0.5, iterations=3)(x, P)
    (slope,) = torch.autograd.grad(value, x)
    assert abs(value.item()) < 1e-14
    assert slope.abs().max() < 1e-12


def test_it_has_no_order_of_clouds():
    for p in (1, 2):
        loss = Sinkhorn(p=p, blur=0.7)
        assert loss(P, Q).item() == pytest.approx(loss(Q, P).item(), rel=1e-9)
        assert loss(P, Q).item() > 0.01


def test_a_large_blur_leaves_the_energy_distance_or_the_means():
    def apart(x, y):
        return np.linalg.norm(x.numpy()[:, None] - y.numpy()[None], axis=2).mean()

    energy = apart(P, Q) - (apart(P, P) + apart(Q, Q)) / 2
    assert Sinkhorn(p=1, blur=1e5)(P, Q).item() == pytest.approx(energy, rel=1e-4)
    means = (P.mean(dim=0) - Q.mean(dim=0)).square().sum().item() / 2
    assert Sinkhorn(p=2, blur=1e3)(P, Q).item() == pytest.approx(means, rel=1e-4)


def test_a_small_blur_leaves_the_wasserstein_distance():
    x, y = noise(12, 1), 2 * noise(12, 1, seed=1) + 1
    gaps = (x.sort(dim=0).values - y.sort(dim=0).values).abs()
    assert Sinkhorn(p=1, blur=1e-3, scaling=0.95)(x, y).item() == pytest.approx(gaps.mean().item(), rel=2e-2)
    assert Sinkhorn(p=2, blur=1e-2, scaling=0.95)(x, y).item() == pytest.approx((gaps**2).mean().item() / 2, rel=2e-2)


@pytest.mark.parametrize("scale", [1e-9, 1e6])
def test_it_grows_with_the_scale_as_its_cost_does(scale):
    for p in (1, 2):
        found, one = Sinkhorn(p=p)(scale * P, scale * Q), Sinkhorn(p=p)(P, Q)
        assert found.item() == pytest.approx(scale**p * one.item(), rel=1e-6)
        assert Sinkhorn(p=p, scaling=0.5)(scale * P, scale * Q).isfinite()


@pytest.mark.parametrize("p", [1, 2])
def test_gradients_by_both_clouds_are_those_of_the_values(p):
    loss = Sinkhorn(p=p, blur=0.8, iterations=400)
    assert torch.autograd.gradcheck(loss, (P.clone().requires_grad_(), Q.clone().requires_grad_()), fast_mode=True)


def test_the_default_blur_is_a_constant_for_the_gradient():
    blur = (Q.var(dim=0, correction=0).sum() / 2).sqrt().item()
    slopes = []
    for loss in (Sinkhorn(), Sinkhorn(blur=blur)):
        draws = Q.clone().requires_grad_()
        slopes.append(torch.autograd.grad(loss(P, draws), draws)[0])
    torch.testing.assert_close(*slopes, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("p", [1, 2])
def test_where_the_clouds_are_does_not_matter(p):
    assert Sinkhorn(p=p)(P + 1e6, Q + 1e6).item() == pytest.approx(Sinkhorn(p=p)(P, Q).item(), rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("p", [1, 2])
def test_degenerate_clouds_have_finite_values_and_gradients(p, dtype):
    one, spread = torch.ones(6, 3), noise(6, 3)
    for codes in (one[:1], 0 * one, one, torch.cat([spread[:3]] * 2), 1e-18 * spread, 1e6 * spread):
        for draws in (noise(4, 3, seed=1), codes, 0 * one):
            x = codes.to(dtype, copy=True).requires_grad_()
            value = Sinkhorn(p=p)(x, draws.to(dtype))
            (slope,) = torch.autograd.grad(value, x)
            assert value.dtype == slope.dtype == dtype
            assert value.isfinite()
            assert slope.isfinite().all()


def test_whether_gradients_are_taken_stays_as_it_was():
    with torch.no_grad():
        value = Sinkhorn()(P.clone().requires_grad_(), Q)
        assert not torch.is_grad_enabled()
    assert not value.requires_grad


def test_without_pykeops_online_is_refused(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValidationError, match=r"online needs pykeops, .* pip install 'agekit-geomloss\[online\]'"):
        Sinkhorn(backend="online")


@pytest.mark.skipif(not KEOPS, reason="pykeops is not installed")
@pytest.mark.parametrize("p", [1, 2])
def test_both_backends_have_one_value_and_one_gradient(p):
    found = []
    for backend in ("tensorized", "online"):
        x = P.clone().requires_grad_()
        value = Sinkhorn(p=p, backend=backend)(x, Q)
        found.append((value.detach(), *torch.autograd.grad(value, x)))
    torch.testing.assert_close(*found, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("shapes", [((4, 3), (4, 2)), ((4, 3, 1), (4, 3, 1)), ((0, 3), (4, 3)), ((3,), (4, 3))])
def test_what_is_no_pair_of_clouds_is_refused(shapes):
    with pytest.raises(ValueError, match=r"clouds .* fit, found"):
        Sinkhorn()(*(torch.zeros(shape) for shape in shapes))


def test_its_solver_is_imported_where_it_is_used(monkeypatch):
    """What comes with it takes half a second, and prints: no matter of commands that only list components."""
    monkeypatch.delitem(sys.modules, "agekit_geomloss.sinkhorn")
    monkeypatch.setitem(sys.modules, "geomloss", None)
    assert importlib.import_module("agekit_geomloss.sinkhorn").Sinkhorn().p == 2
