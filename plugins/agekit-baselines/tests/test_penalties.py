"""Gradient penalties: known slopes, and gradients of the second order that reach the critic."""

import numpy as np
import pytest
import torch

from agekit_baselines.penalties import R1, GradientPenalty


def images(seed=0):
    noise = torch.randn(5, 3, 4, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return noise.requires_grad_()


def linear_critic():
    return torch.linspace(-1, 1, 48, dtype=torch.float64).requires_grad_()


@pytest.mark.parametrize("target", [0.0, 1.0, 2.5])
def test_a_linear_critic_has_the_slope_of_its_weights(target):
    x, w = images(), linear_critic()
    norm = np.linalg.norm(w.detach().numpy())
    score = x.flatten(1) @ w
    np.testing.assert_allclose(GradientPenalty(target=target)(score, x).detach().numpy(), (norm - target) ** 2)
    np.testing.assert_allclose(R1()(score, x).detach().numpy(), norm**2 / 2)
    assert R1()(score, x).shape == GradientPenalty()(score, x).shape == (5,)


def test_each_sample_is_judged_by_its_own_slope():
    x = images()
    norms = np.linalg.norm(3 * x.detach().numpy().reshape(5, -1) ** 2, axis=1)
    score = x.pow(3).flatten(1).sum(1)
    np.testing.assert_allclose(GradientPenalty()(score, x).detach().numpy(), (norms - 1) ** 2, rtol=1e-12)
    np.testing.assert_allclose(R1()(score, x).detach().numpy(), norms**2 / 2, rtol=1e-12)


def test_second_order_gradients_reach_the_weights_of_the_critic():
    x, w = images(), linear_critic()
    norm = w.detach().norm()
    (slope,) = torch.autograd.grad(GradientPenalty()(x.flatten(1) @ w, x).mean(), w)
    np.testing.assert_allclose(slope.numpy(), (2 * (norm - 1) * w.detach() / norm).numpy(), rtol=1e-12)
    (slope,) = torch.autograd.grad(R1()(x.flatten(1) @ w, x).mean(), w)
    np.testing.assert_allclose(slope.numpy(), w.detach().numpy(), rtol=1e-12)


def test_a_dead_critic_has_a_finite_gradient():
    x, w = images(), torch.zeros(48, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(GradientPenalty()(x.flatten(1) @ w, x).mean(), w)
    assert slope.isfinite().all()


@pytest.mark.parametrize("penalty", [GradientPenalty(), R1()], ids=repr)
def test_a_score_of_something_else_is_refused(penalty):
    x, other = images(), images(1)
    for score in (other.flatten(1).sum(1), other.detach().flatten(1).sum(1)):
        with pytest.raises(ValueError, match="score does not depend on `at`"):
            penalty(score, x)
