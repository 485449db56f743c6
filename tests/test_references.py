"""References: the laws of their draws, their projections and the ways within them."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import stats  # type: ignore[import-untyped]
from torch import Tensor

from agekit.builtin.references import Gaussian, Sphere, Uniform

EVERY = [Sphere(dim=8), Gaussian(dim=8), Uniform(dim=8)]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=seeded(seed), dtype=torch.float64)


def unit(*shape: int, seed: int = 0) -> Tensor:
    return torch.nn.functional.normalize(noise(*shape, seed=seed))


@pytest.mark.parametrize("reference", EVERY, ids=repr)
def test_draws_are_a_function_of_the_generator_alone(reference):
    draws = reference.sample(6, generator=seeded())
    assert draws.shape == (6, 8)
    assert draws.dtype == torch.float32
    assert torch.equal(draws, reference.sample(6, generator=seeded()))
    assert not torch.equal(draws, reference.sample(6, generator=seeded(1)))
    state = torch.get_rng_state()
    reference.sample(6, generator=seeded())
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("reference", EVERY, ids=repr)
def test_coordinates_are_centred_and_uncorrelated_with_the_stated_variance(reference):
    n = 100_000
    covariance = torch.cov(reference.sample(n, generator=seeded()).double().T)
    assert torch.allclose(covariance, reference.variance * torch.eye(8).double(), atol=5 * reference.variance / n**0.5)
    mean = reference.sample(n, generator=seeded(1)).double().mean(dim=0)
    assert mean.abs().max() < 5 * (reference.variance / n) ** 0.5


@pytest.mark.parametrize(
    ("reference", "law"),
    [
        (Sphere(dim=8), stats.beta(3.5, 3.5, loc=-1, scale=2)),
        (Gaussian(dim=8), stats.norm()),
        (Uniform(dim=8), stats.uniform(-1, 2)),
    ],
    ids=["sphere", "gaussian", "uniform"],
)
def test_one_coordinate_follows_its_law(reference, law):
    draws = reference.sample(5000, generator=seeded()).numpy()
    for coordinate in (0, 7):
        assert stats.kstest(draws[:, coordinate], law.cdf).pvalue > 0.01


@pytest.mark.parametrize("reference", EVERY, ids=repr)
def test_draws_lie_within_the_space_and_projecting_them_there_is_harmless(reference):
    draws = reference.sample(64, generator=seeded())
    if isinstance(reference, Sphere):
        assert torch.allclose(draws.norm(dim=1), torch.ones(64), atol=1e-6)
        assert torch.allclose(reference.project(draws), draws, atol=1e-6)
    if isinstance(reference, Uniform):
        assert draws.abs().max() <= 1
        assert reference.project(1e3 * draws).abs().max() <= 1
    if isinstance(reference, Gaussian):
        assert torch.equal(reference.project(draws), draws)


def test_the_sphere_divides_each_code_by_its_own_length_where_batch_and_dimension_agree():
    codes = noise(8, 8)
    expected = codes.numpy() / np.sqrt((codes.numpy() ** 2).sum(axis=1))[:, None]
    np.testing.assert_allclose(Sphere(dim=8).project(codes).numpy(), expected, rtol=1e-14)


@pytest.mark.parametrize("reference", EVERY, ids=repr)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [0.0, 1e-30, 1e-6, 1e6, 1e37])
def test_projection_is_finite_with_finite_gradients(reference, dtype, scale):
    codes = (scale * noise(4, 8)).to(dtype).requires_grad_()
    projected = reference.project(codes)
    (slope,) = torch.autograd.grad(projected[:, 0].sum(), codes)
    assert projected.dtype == dtype
    assert projected.isfinite().all()
    assert slope.isfinite().all()


@pytest.mark.parametrize("scale", [2.0**40, 2.0**60, 2.0**120])
def test_on_the_sphere_codes_keep_their_direction_however_large(scale):
    codes = noise(64, 64).float()
    assert torch.equal(Sphere(dim=64).project(scale * codes), Sphere(dim=64).project(codes))


@pytest.mark.parametrize("reference", EVERY, ids=repr)
def test_projection_has_the_gradient_of_its_values(reference):
    assert torch.autograd.gradcheck(reference.project, (noise(3, 8).requires_grad_(),))


@pytest.mark.parametrize("reference", EVERY, ids=repr)
def test_half_precision_codes_are_projected_in_float32(reference):
    codes = noise(4, 8).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        projected = reference.project(codes)
    assert projected.dtype == torch.float32
    assert torch.allclose(projected, reference.project(codes.float()))


@pytest.mark.parametrize("reference", EVERY, ids=repr)
def test_the_way_starts_at_one_code_and_ends_at_the_other(reference):
    a, b = (reference.sample(16, generator=seeded(seed)).double() for seed in range(2))
    for t, end in ((0.0, a), (1.0, b)):
        assert torch.allclose(reference.between(a, b, torch.full((16, 1), t).double()), end, atol=1e-6)


def test_the_way_on_the_sphere_is_the_great_circle_at_constant_speed():
    a, b, t = unit(16, 8), unit(16, 8, seed=1), torch.rand(16, 1, generator=seeded(), dtype=torch.float64)
    angle = torch.arccos((a * b).sum(dim=1, keepdim=True))
    expected = (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)
    assert torch.allclose(Sphere(dim=8).between(a, b, t), expected, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("gap", [0.0, 1e-12, 1e-7, 1e-4])
@pytest.mark.parametrize("side", [1, -1])
def test_close_and_opposite_codes_have_a_way_on_the_sphere(dtype, gap, side):
    a = unit(16, 8)
    b = side * torch.nn.functional.normalize(a + gap * noise(16, 8, seed=1))
    a, b = a.to(dtype), b.to(dtype)
    way = [Sphere(dim=8).between(a, b, torch.full((16, 1), t, dtype=dtype)) for t in (0.0, 0.25, 0.5, 0.75, 1.0)]
    tolerance = 5e-6 if dtype == torch.float32 else 1e-9
    assert torch.allclose(way[0], a, atol=tolerance)
    assert torch.allclose(way[-1], b, atol=tolerance)
    for here, there in pairwise(way):
        assert torch.allclose(here.norm(dim=1), torch.ones(16, dtype=dtype), atol=tolerance)
        step = (here - there).norm(dim=1)
        full = 2 * math.sin(math.pi / 8) if side < 0 else 0.0
        assert torch.allclose(step, torch.full_like(step, full), atol=1e-3)


def test_the_way_between_gaussian_draws_keeps_to_their_shell():
    gaussian = Gaussian(dim=256)
    a, b = (gaussian.sample(64, generator=seeded(seed)) for seed in range(2))
    middle = gaussian.between(a, b, torch.full((64, 1), 0.5)).norm(dim=1)
    assert torch.allclose(middle, (a.norm(dim=1) + b.norm(dim=1)) / 2, rtol=1e-5)
    origin = gaussian.between(torch.zeros(1, 256), b[:1], torch.full((1, 1), 0.5))
    assert origin.isfinite().all()


def test_the_way_through_the_cube_is_straight():
    a, b = (Uniform(dim=8).sample(4, generator=seeded(seed)) for seed in range(2))
    assert torch.allclose(Uniform(dim=8).between(a, b, torch.full((4, 1), 0.25)), 0.75 * a + 0.25 * b)


@pytest.mark.parametrize("reference", [Sphere(dim=5), Gaussian(dim=5), Uniform(dim=5)], ids=lambda r: type(r).__name__)
def test_codes_that_were_moved_out_come_back_and_those_within_stay(reference):
    draws = reference.sample(64, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(reference.inside(draws), draws, atol=1e-6)
    moved = reference.inside(draws + 3)
    assert torch.allclose(reference.inside(moved), moved, atol=1e-6)
    if reference.law != "standard normal":
        assert not torch.allclose(moved, draws + 3)
        assert moved.abs().max() <= 1 + 1e-6
