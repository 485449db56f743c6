"""Reciprocities: known values, shapes that must not broadcast, and the scaling of 2018."""

import numpy as np
import pytest
import torch
from torch import Tensor

from agekit.builtin.reciprocities import L1, L2, Cosine

EVERY = [L1(), L2(), Cosine(), Cosine(formula="age-2018")]


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("shape", [(5, 7), (5, 3, 4, 4), (5,)])
def test_each_sample_has_the_mean_over_its_elements(shape):
    a, b = noise(*shape), noise(*shape, seed=1)
    x, y = a.numpy().reshape(5, -1), b.numpy().reshape(5, -1)
    cosine = (x * y).sum(axis=1) / np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))
    expected = [
        np.abs(x - y).mean(axis=1),
        ((x - y) ** 2).mean(axis=1),
        1 - cosine,
        2 - cosine / x.shape[1],
    ]
    for reciprocity, values in zip(EVERY, expected, strict=True):
        np.testing.assert_allclose(reciprocity(a, b).numpy(), values, rtol=1e-12)


def test_equal_samples_cost_nothing():
    x = noise(4, 6)
    for reciprocity in (L1(), L2(), Cosine()):
        np.testing.assert_allclose(reciprocity(x, x.clone()).numpy(), 0, atol=1e-15)


def test_the_cosine_is_half_the_squared_distance_of_unit_vectors():
    x, y = (torch.nn.functional.normalize(noise(4, 6, seed=seed)) for seed in range(2))
    np.testing.assert_allclose(Cosine()(x, y).numpy(), L2()(x, y).numpy() * 6 / 2, rtol=1e-12)


def test_published_weights_are_the_exact_ones_times_the_dimension():
    gradients = []
    for reciprocity, weight in ((Cosine(formula="age-2018"), 1000.0), (Cosine(), 15.625)):
        output = noise(4, 64).requires_grad_()
        (weight * reciprocity(output, noise(4, 64, seed=1)).mean()).backward()
        assert output.grad is not None
        gradients.append(output.grad)
    np.testing.assert_allclose(gradients[0].numpy(), gradients[1].numpy(), rtol=1e-12)


@pytest.mark.parametrize("reciprocity", EVERY, ids=repr)
@pytest.mark.parametrize("shape", [(5, 7, 1, 1), (5, 1), (1, 7), (7,), (7, 5)])
def test_shapes_that_would_broadcast_are_refused(reciprocity, shape):
    with pytest.raises(ValueError, match="has no counterpart"):
        reciprocity(noise(5, 7), noise(*shape))


@pytest.mark.parametrize("reciprocity", EVERY, ids=repr)
def test_gradients_are_those_of_the_values(reciprocity):
    assert torch.autograd.gradcheck(reciprocity, (noise(3, 4).requires_grad_(), noise(3, 4, seed=1).requires_grad_()))


@pytest.mark.parametrize("reciprocity", EVERY, ids=repr)
@pytest.mark.parametrize("scale", [0.0, 1e-12, 1e6])
def test_degenerate_samples_have_finite_values_and_gradients(reciprocity, scale):
    output = (scale * noise(3, 4).float()).requires_grad_()
    for target in (torch.zeros(3, 4), noise(3, 4, seed=1).float(), output.detach()):
        value = reciprocity(output, target)
        (slope,) = torch.autograd.grad(value.sum(), output)
        assert value.isfinite().all()
        assert slope.isfinite().all()


@pytest.mark.parametrize("reciprocity", EVERY, ids=repr)
def test_half_precision_and_autocast_are_left_for_float32(reciprocity):
    output, target = noise(4, 64).bfloat16(), noise(4, 64, seed=1).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = reciprocity(output, target)
    assert value.dtype == torch.float32
    np.testing.assert_allclose(value.numpy(), reciprocity(output.double(), target.double()).numpy(), rtol=1e-5)
