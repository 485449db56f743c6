"""Fitted Gaussians of full covariance, and the fitted von Mises–Fisher law: closed forms and laws."""

import math

import numpy as np
import pytest
import torch
from scipy import linalg, optimize, special  # type: ignore[import-untyped]
from torch import Tensor

from agekit.builtin.divergences import Frechet, FullGaussianKL, GaussianKL, VonMisesFisherKL
from agekit.builtin.divergences.diagonal import Direction
from agekit.builtin.divergences.sphere import log_moment
from agekit.builtin.references import Gaussian, Sphere, Uniform
from agekit.contracts import Divergence, Reference

DIRECTIONS: tuple[Direction, ...] = ("qp", "pq")
PAIRED: list[Divergence] = [
    *(FullGaussianKL(direction=d, shrinkage=a) for d in DIRECTIONS for a in (0.0, 0.3)),
    Frechet(),
    Frechet(covariance="diagonal"),
]
REFERENCES = [Sphere(dim=3), Gaussian(dim=3), Uniform(dim=3)]


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def moments(codes: Tensor) -> tuple[np.ndarray, np.ndarray]:
    return codes.numpy().mean(axis=0), np.cov(codes.numpy().T, bias=True)


def numpy_kl(a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray]) -> float:
    gap, inverse, d = a[0] - b[0], np.linalg.inv(b[1]), len(a[0])
    logarithm = np.linalg.slogdet(inverse @ a[1])[1]
    return float(np.trace(inverse @ a[1]) - d - logarithm + gap @ inverse @ gap) / (2 * d)


@pytest.mark.parametrize("reference", REFERENCES, ids=repr)
def test_against_a_reference_the_full_kl_is_the_closed_form_in_either_direction(reference):
    codes = noise(30, 3) @ noise(3, 3, seed=1) + 0.2
    own = np.zeros(3), reference.variance * np.eye(3)
    assert FullGaussianKL()(codes, reference).item() == pytest.approx(numpy_kl(moments(codes), own), rel=1e-9)
    value = FullGaussianKL(direction="pq")(codes, reference)
    assert value.item() == pytest.approx(numpy_kl(own, moments(codes)), rel=1e-9)


def test_against_codes_the_full_kl_is_that_of_two_fitted_gaussians():
    p, q = noise(30, 3) @ noise(3, 3, seed=1), noise(20, 3, seed=2) + 0.3
    assert FullGaussianKL()(p, q).item() == pytest.approx(numpy_kl(moments(p), moments(q)), rel=1e-9)


def test_shrinkage_moves_the_covariance_to_a_multiple_of_the_identity():
    codes = noise(10, 3) @ noise(3, 3, seed=1)
    mean, covariance = moments(codes)
    shrunk = 0.7 * covariance + 0.3 * np.trace(covariance) / 3 * np.eye(3)
    expected = numpy_kl((mean, shrunk), (np.zeros(3), np.eye(3)))
    assert FullGaussianKL(shrinkage=0.3)(codes, Gaussian(dim=3)).item() == pytest.approx(expected, rel=1e-9)


def test_a_batch_no_larger_than_its_dimension_needs_shrinkage():
    with pytest.raises(ValueError, match=r"3 codes span no covariance in dimension 3; .* shrinkage > 0"):
        FullGaussianKL()(noise(3, 3), Gaussian(dim=3))
    assert FullGaussianKL(shrinkage=0.1)(noise(3, 3), Gaussian(dim=3)).isfinite()


def test_the_full_kl_sees_duplicated_coordinates_that_the_diagonal_one_does_not():
    half = noise(200, 4)
    twice = torch.cat([half, half], dim=1)
    assert GaussianKL()(twice, Gaussian(dim=8)).item() < 0.02
    assert FullGaussianKL()(twice, Gaussian(dim=8)).item() > 1


@pytest.mark.slow
def test_the_bias_of_a_batch_is_the_documented_one():
    gaussian, draws = Gaussian(dim=8), torch.Generator().manual_seed(0)
    values = [FullGaussianKL()(gaussian.sample(256, generator=draws), gaussian).item() for _ in range(300)]
    assert np.mean(values) == pytest.approx((8 + 3) / (4 * 256), rel=0.1)
    sphere, kl = Sphere(dim=8), VonMisesFisherKL()
    values = [kl(sphere.sample(256, generator=draws)).item() for _ in range(600)]
    assert np.mean(values) == pytest.approx(8 / (2 * 256), rel=0.1)


@pytest.mark.parametrize("full", [True, False])
def test_the_frechet_distance_is_the_closed_form(full):
    p, q = noise(30, 3) @ noise(3, 3, seed=1) + 0.2, 0.5 * noise(20, 3, seed=2) @ noise(3, 3, seed=3)
    frechet = Frechet(covariance="full" if full else "diagonal")
    sides = [(moments(q), frechet(p, q))]
    sides += [((np.zeros(3), r.variance * np.eye(3)), frechet(p, r)) for r in REFERENCES]
    mean, covariance = moments(p)
    for (other_mean, other), value in sides:
        a, b = (covariance, other) if full else (np.diag(np.diag(covariance)), np.diag(np.diag(other)))
        cross = linalg.sqrtm(linalg.sqrtm(a) @ b @ linalg.sqrtm(a)).real
        expected = ((mean - other_mean) ** 2).sum() + np.trace(a + b - 2 * cross)
        assert value.item() == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("dim", [2, 3, 5, 64, 512])
def test_the_moments_of_the_von_mises_fisher_law_are_bessel_functions(dim):
    order = dim / 2 - 1
    for kappa in (1e-3, 0.5, 3.0, 40.0, 600.0):
        bessel = special.ive(order, kappa)
        logarithm, gap, _ = log_moment(torch.tensor(kappa, dtype=torch.float64), dim)
        if bessel > 1e-250:
            expected = math.log(bessel) + kappa + special.gammaln(dim / 2) - order * math.log(kappa / 2)
            assert logarithm.item() == pytest.approx(expected, abs=1e-10, rel=1e-10)
            assert 1 - gap.item() == pytest.approx(special.ive(order + 1, kappa) / bessel, abs=1e-11)


@pytest.mark.parametrize("dim", [2, 3, 16])
def test_the_von_mises_fisher_kl_is_that_of_the_fitted_law(dim):
    codes = noise(50, dim) + 0.8
    unit = codes.numpy() / np.linalg.norm(codes.numpy(), axis=1, keepdims=True)
    length, order = np.linalg.norm(unit.mean(axis=0)), dim / 2 - 1
    kappa = optimize.brentq(lambda k: special.ive(order + 1, k) / special.ive(order, k) - length, 1e-9, 1e5, xtol=1e-13)
    moment = math.log(special.ive(order, kappa)) + kappa + special.gammaln(dim / 2) - order * math.log(kappa / 2)
    assert VonMisesFisherKL()(codes).item() == pytest.approx(kappa * length - moment, rel=1e-8)


def everything(p: Tensor, q: Tensor) -> list[Tensor]:
    others: list[Reference | Tensor] = [q, *REFERENCES]
    return [divergence(p, other) for divergence in PAIRED for other in others] + [VonMisesFisherKL()(p)]


def summed(values: list[Tensor]) -> Tensor:
    return (torch.stack(values) * torch.linspace(0.5, 1.5, len(values), dtype=torch.float64)).sum()


def test_equal_clouds_have_no_divergence_and_antipodal_ones_no_mean_direction():
    codes = noise(20, 3)
    assert [divergence(codes, codes.clone()).item() for divergence in PAIRED] == pytest.approx([0] * 6, abs=1e-12)
    assert VonMisesFisherKL()(torch.cat([codes, -codes])).item() == pytest.approx(0, abs=1e-12)


def test_the_order_of_codes_does_not_matter():
    p, q = noise(9, 3), noise(8, 3, seed=1)
    values, turned = ([value.item() for value in everything(*pair)] for pair in ((p, q), (p.flip(0), q.flip(0))))
    assert len(values) == 25
    assert values == pytest.approx(turned, rel=1e-9)


def test_gradients_are_those_of_the_values():
    p, q = (0.5 * noise(6, 3) + 0.2).requires_grad_(), noise(5, 3, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: summed(everything(a, b)), (p, q))
    assert torch.autograd.gradgradcheck(VonMisesFisherKL(), (p,))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", ["zero", "collapsed", "duplicates", "one coordinate", "tiny", "huge", "antipodal"])
def test_degenerate_clouds_have_finite_values_and_gradients(name, dtype):
    spread, axis = noise(6, 3), torch.tensor([1.0, 0.0, 0.0])
    clouds = {
        "zero": torch.zeros(6, 3),
        "collapsed": torch.ones(6, 3) / math.sqrt(3),
        "duplicates": torch.cat([spread[:1]] * 3 + [spread[1:2]] * 3),
        "one coordinate": torch.cat([spread[:, :1]] * 3, dim=1),
        "tiny": 1e-18 * spread,
        "huge": 1e6 * spread,
        "antipodal": torch.stack([axis, -axis] * 3),
    }
    leaf, checked = clouds[name].to(dtype).requires_grad_(), 0
    for q in (noise(4, 3, seed=1).to(dtype), leaf.detach().clone()):
        for value in everything(leaf, q):
            (slope,) = torch.autograd.grad(value, leaf)
            assert value.isfinite()
            assert slope.isfinite().all()
            checked += 1
    assert checked == 50


def test_clouds_that_span_little_of_the_space_have_a_finite_frechet_distance():
    """Of the product of their covariances, most eigenvalues are 0, or below it by rounding."""
    for seed in range(0, 20, 2):
        p = noise(6, 64, seed=seed).requires_grad_()
        value = Frechet()(p, noise(6, 64, seed=seed + 1))
        (slope,) = torch.autograd.grad(value, p)
        assert value.isfinite()
        assert slope.isfinite().all()


@pytest.mark.parametrize("dim", [2, 16])
def test_a_batch_raises_the_fitted_von_mises_fisher_law_by_half_of_d_over_n(dim):
    batches = torch.nn.functional.normalize(noise(400, 200, dim), dim=2)
    values = torch.stack([VonMisesFisherKL()(codes) for codes in batches])
    assert values.mean().item() == pytest.approx(dim / 2 / 200, abs=4 * values.std().item() / 20)


def test_what_cannot_be_fitted_is_refused():
    for divergence in PAIRED:
        with pytest.raises(ValueError, match="n ≥ 2"):
            divergence(noise(1, 3), Gaussian(dim=3))
        with pytest.raises(ValueError, match="dimension 3 cannot be compared"):
            divergence(noise(5, 3), Gaussian(dim=4))
        with pytest.raises(ValueError, match="dimension 3 cannot be compared"):
            divergence(noise(5, 3), noise(5, 1))
    with pytest.raises(ValueError, match="d ≥ 2"):
        VonMisesFisherKL()(noise(5, 1))


def test_half_precision_and_autocast_are_left_for_float32():
    p, q = noise(64, 3).bfloat16(), noise(64, 3, seed=1).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        values = everything(p, q)
    for value, expected in zip(values, everything(p.double(), q.double()), strict=True):
        assert value.dtype == torch.float32
        assert value.item() == pytest.approx(expected.item(), rel=1e-4)


def test_shapes_are_worked_out_on_the_meta_device():
    codes = torch.empty(4, 3, device="meta")
    assert all(value.shape == () for value in everything(codes, codes))
