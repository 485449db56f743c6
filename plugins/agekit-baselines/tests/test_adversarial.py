"""The roles of the adversarial losses, by hand."""

import numpy as np
import pytest
import torch

from agekit_baselines.adversarial import Hinge, LeastSquares, NonSaturating, Saturating, Wasserstein

SCORES = torch.tensor([-2.0, -0.5, 0.0, 0.5, 3.0], dtype=torch.float64)
s = SCORES.numpy()
D = 1 / (1 + np.exp(-s))

BY_HAND = {
    NonSaturating: {"real": -np.log(D), "fake": -np.log(1 - D), "fool": -np.log(D)},
    Saturating: {"real": -np.log(D), "fake": -np.log(1 - D), "fool": np.log(1 - D)},
    Hinge: {"real": [3, 1.5, 1, 0.5, 0], "fake": [0, 0.5, 1, 1.5, 4], "fool": -s},
    LeastSquares: {"real": (s - 1) ** 2 / 2, "fake": s**2 / 2, "fool": (s - 1) ** 2 / 2},
    Wasserstein: {"real": -s, "fake": s, "fool": -s},
}


@pytest.mark.parametrize("role", ["real", "fake", "fool"])
@pytest.mark.parametrize("loss", BY_HAND, ids=lambda loss: loss.__name__)
def test_each_role_costs_what_its_formula_says(loss, role):
    value = loss(role=role)(SCORES)
    assert value.shape == SCORES.shape
    np.testing.assert_allclose(value.numpy(), BY_HAND[loss][role], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("loss", BY_HAND, ids=lambda loss: loss.__name__)
def test_the_critic_raises_real_scores_and_lowers_fakes_and_who_fools_raises_them(loss):
    for role, sign in (("real", -1), ("fake", 1), ("fool", -1)):
        score = torch.tensor([0.1, 0.6], requires_grad=True)
        (slope,) = torch.autograd.grad(loss(role=role)(score).sum(), score)
        assert (slope.sign() == sign).all()


@pytest.mark.parametrize("loss", [NonSaturating, Saturating], ids=lambda loss: loss.__name__)
def test_certain_critics_have_finite_costs(loss):
    extreme = torch.tensor([-1e4, 1e4])
    for role in ("real", "fake", "fool"):
        assert loss(role=role)(extreme).isfinite().all()
