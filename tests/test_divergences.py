"""Fitted-Gaussian divergences: closed forms, the published numbers, and what they cannot see."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from agekit.builtin.divergences import GaussianKL, SphereKL, StandardKL
from agekit.builtin.references import Gaussian, Sphere, Uniform
from agekit.contracts import Divergence, Reference

ALONE = [
    *(SphereKL(direction=direction) for direction in ("qp", "pq")),
    *(StandardKL(direction=d, formula=f) for d in ("qp", "pq") for f in ("exact", "age-2018")),
]
SAMPLED = [GaussianKL(direction=direction) for direction in ("qp", "pq")]


def show(divergence: Divergence) -> str:
    return repr(divergence)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def unit(codes: Tensor) -> Tensor:
    return torch.nn.functional.normalize(codes)


def numpy_kl(a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray]) -> float:
    (mean_a, variance_a), (mean_b, variance_b) = a, b
    terms = (variance_a + (mean_a - mean_b) ** 2) / (2 * variance_b) - 0.5 - 0.5 * np.log(variance_a / variance_b)
    return float(np.mean(terms))


def numpy_moments(codes: Tensor) -> tuple[np.ndarray, np.ndarray]:
    return codes.numpy().mean(axis=0), codes.numpy().var(axis=0)


@pytest.mark.parametrize("reference", [Sphere(dim=5), Gaussian(dim=5), Uniform(dim=5)], ids=repr)
def test_against_a_reference_it_is_the_kl_of_the_fitted_gaussian_in_either_direction(reference):
    codes = 0.7 * noise(30, 5) + 0.2
    fit, own = numpy_moments(codes), (np.zeros(5), np.full(5, reference.variance))
    assert GaussianKL()(codes, reference).item() == pytest.approx(numpy_kl(fit, own), rel=1e-9)
    assert GaussianKL(direction="pq")(codes, reference).item() == pytest.approx(numpy_kl(own, fit), rel=1e-9)


def test_against_codes_it_is_the_kl_of_two_fitted_gaussians():
    p, q = 0.7 * noise(30, 5) + 0.2, 1.3 * noise(17, 5, seed=1)
    expected = numpy_kl(numpy_moments(p), numpy_moments(q))
    assert GaussianKL()(p, q).item() == pytest.approx(expected, rel=1e-9)
    assert GaussianKL(direction="pq")(q, p).item() == pytest.approx(expected, rel=1e-9)


def test_the_fixed_references_are_the_general_formula():
    codes = unit(noise(30, 5))
    for direction in ("qp", "pq"):
        general = GaussianKL(direction=direction)
        assert torch.equal(SphereKL(direction=direction)(codes), general(codes, Sphere(dim=5)))
        assert torch.equal(StandardKL(direction=direction)(codes), general(codes, Gaussian(dim=5)))


def test_the_formula_of_2018_puts_the_variance_in_the_place_of_the_deviation():
    codes = 0.7 * noise(30, 5) + 0.2
    m, v = numpy_moments(codes)
    qp = np.mean((v**2 + m**2) / 2 - np.log(v) - 0.5)
    pq = np.mean((1 + m**2) / (2 * v**2) + np.log(v) - 0.5)
    assert StandardKL(formula="age-2018")(codes).item() == pytest.approx(qp, rel=1e-9)
    assert StandardKL(formula="age-2018", direction="pq")(codes).item() == pytest.approx(pq, rel=1e-9)


@pytest.mark.parametrize(("dim", "exact", "published"), [(16, 0.918, 2.275), (64, 1.587, 3.659), (128, 1.930, 4.352)])
def test_the_least_values_on_the_sphere_are_the_published_ones(dim, exact, published):
    sphere = Sphere(dim=dim)
    assert StandardKL().ideal(sphere) == pytest.approx(exact, abs=5e-4)
    assert StandardKL(formula="age-2018").ideal(sphere) == pytest.approx(published, abs=5e-4)
    assert SphereKL().ideal(sphere) == GaussianKL().ideal(sphere) == 0


@pytest.mark.parametrize("divergence", ALONE, ids=show)
def test_the_ideal_is_what_many_draws_come_to(divergence):
    for reference in (Sphere(dim=8), Gaussian(dim=8), Uniform(dim=8)):
        codes = reference.sample(200_000, generator=torch.Generator().manual_seed(0))
        assert divergence(codes).item() == pytest.approx(divergence.ideal(reference), rel=2e-3, abs=1e-3)


@pytest.mark.parametrize(("n", "bias"), [(8, 0.277), (64, 0.031), (256, 0.008)])
def test_the_bias_of_a_batch_is_the_one_measured_on_the_released_code(n, bias):
    sphere, divergence, generator = Sphere(dim=64), StandardKL(formula="age-2018"), torch.Generator().manual_seed(0)
    values = [divergence(sphere.sample(n, generator=generator)).item() for _ in range(40_000 // n)]
    assert np.mean(values) - divergence.ideal(sphere) == pytest.approx(bias, abs=3e-3 if n == 8 else 6e-4)


def raw_codes() -> dict[str, Tensor]:
    spread = noise(64, 64)
    return {
        "uniform": spread,
        "shifted": spread + 0.2,
        "concentrated": spread * torch.linspace(0.1, 2, 64, dtype=torch.float64),
        "collapsed": 0.05 * spread + noise(1, 64, seed=1),
        "antipodal": 0.05 * spread + spread[:, :1].sign() * noise(1, 64, seed=1),
    }


def gradient(divergence: Divergence, raw: Tensor) -> Tensor:
    raw = raw.clone().requires_grad_()
    divergence(unit(raw)).backward()
    assert raw.grad is not None
    return raw.grad.flatten()


@pytest.mark.parametrize("name", raw_codes())
def test_on_the_sphere_the_gradient_of_2018_is_twice_the_exact_one(name):
    exact = gradient(StandardKL(), raw_codes()[name])
    published = gradient(StandardKL(formula="age-2018"), raw_codes()[name])
    assert 2.0 <= (published.norm() / exact.norm()).item() <= 2.010
    assert torch.cosine_similarity(published, exact, dim=0).item() > 0.9999


@pytest.mark.parametrize("name", raw_codes())
def test_on_the_sphere_the_two_fixed_references_pull_alike(name):
    sphere, standard = gradient(SphereKL(), raw_codes()[name]), gradient(StandardKL(), raw_codes()[name])
    assert torch.allclose(sphere, standard, rtol=1e-8, atol=1e-12)


def test_in_the_other_direction_and_off_the_sphere_the_formula_of_2018_is_not_twice_the_exact_one():
    raw = raw_codes()["concentrated"]
    exact = gradient(StandardKL(direction="pq"), raw)
    published = gradient(StandardKL(direction="pq", formula="age-2018"), raw)
    assert torch.cosine_similarity(published, exact, dim=0).item() < 0.99


def test_two_antipodal_clusters_reach_the_minimum():
    corner = noise(1, 64).sign() / 8
    codes = torch.cat([corner, -corner]).repeat(32, 1)
    assert SphereKL()(codes).item() == pytest.approx(0, abs=1e-9)
    for formula in ("exact", "age-2018"):
        divergence = StandardKL(formula=formula)
        assert divergence(codes).item() == pytest.approx(divergence.ideal(Sphere(dim=64)), abs=1e-9)


def test_duplicated_coordinates_are_not_seen():
    half = noise(64, 32)
    assert StandardKL()(torch.cat([half, half], dim=1)).item() == pytest.approx(StandardKL()(half).item())


def test_equal_codes_have_no_divergence_and_others_have_some():
    codes = noise(20, 4)
    for divergence in SAMPLED:
        assert divergence(codes, codes.clone()).item() == 0
        assert divergence(codes, codes + 0.1).item() > 1e-3


def everywhere(codes: Tensor) -> list[Tensor]:
    others: list[Reference | Tensor] = [
        Sphere(dim=codes.shape[1]),
        0.5 * noise(9, codes.shape[1], seed=2).bfloat16().to(codes),
    ]
    values = [divergence(codes) for divergence in ALONE]
    values += [divergence(codes, other) for divergence in SAMPLED for other in others]
    assert len(values) == 10
    return values


def test_the_order_of_codes_does_not_matter():
    codes = noise(20, 4)
    for value, turned in zip(everywhere(codes), everywhere(codes.flip(0)), strict=True):
        assert value.item() == pytest.approx(turned.item(), rel=1e-12)


def test_gradients_are_those_of_the_values():
    codes = (0.5 * noise(6, 3) + 0.2).requires_grad_()
    assert torch.autograd.gradcheck(lambda p: tuple(everywhere(p)), (codes,))
    assert torch.autograd.gradcheck(SAMPLED[0], (codes, noise(5, 3, seed=1).requires_grad_()))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "codes",
    [
        torch.zeros(4, 3),
        torch.ones(4, 3) / math.sqrt(3),
        torch.tensor([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]]),
        1e-20 * noise(4, 3),
        1e6 * noise(4, 3),
    ],
    ids=["zero", "collapsed", "one coordinate", "tiny", "huge"],
)
def test_degenerate_codes_have_finite_values_and_gradients(codes, dtype):
    codes = codes.to(dtype)
    for value in everywhere(codes):
        assert value.isfinite()
    count = len(everywhere(codes))
    for index in range(count):
        leaf = codes.clone().requires_grad_()
        (slope,) = torch.autograd.grad(everywhere(leaf)[index], leaf)
        assert slope.isfinite().all()


def test_a_collapsed_batch_costs_much_and_is_pushed_apart():
    codes = (torch.ones(8, 4, dtype=torch.float64) / 2 + 1e-8 * noise(8, 4)).requires_grad_()
    value = SphereKL()(codes)
    value.backward()
    assert codes.grad is not None
    assert value.item() > 10
    assert ((codes.grad * (codes - codes.mean(dim=0))).sum(dim=0) < 0).all()


@pytest.mark.parametrize("shape", [(1, 4), (0, 4), (4,), (4, 4, 1, 1)])
def test_what_has_no_spread_is_refused(shape):
    for divergence in ALONE:
        with pytest.raises(ValueError, match=r"batch \[n, d\] of n ≥ 2"):
            divergence(torch.ones(shape))
    for divergence in SAMPLED:
        with pytest.raises(ValueError, match=r"batch"):
            divergence(noise(4, 4), torch.ones(shape))


def test_codes_of_another_dimension_are_refused():
    with pytest.raises(ValueError, match="dimension 4 cannot be compared with codes of 1"):
        GaussianKL()(noise(5, 4), noise(5, 1))
    with pytest.raises(ValueError, match="dimension 4 cannot be compared with a reference of 8"):
        GaussianKL()(noise(5, 4), Sphere(dim=8))


def test_half_precision_and_autocast_are_left_for_float32():
    codes = noise(64, 8).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        values = everywhere(codes)
    for value, expected in zip(values, everywhere(codes.double()), strict=True):
        assert value.dtype == torch.float32
        assert value.item() == pytest.approx(expected.item(), rel=1e-4)


def test_shapes_are_worked_out_on_the_meta_device():
    assert SphereKL()(torch.empty(4, 3, device="meta")).shape == ()


def test_operands_follow_from_the_signature():
    assert list(SphereKL.operands) == list(StandardKL.operands) == ["of"]
    assert GaussianKL.operands["to"].takes == {"reference", "samples"}
