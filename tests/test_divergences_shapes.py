"""Divergences that see the shape of a cloud: slices, Cramér–Wold, Stein, nearest neighbours, moments."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate, special, stats  # type: ignore[import-untyped]
from torch import Tensor

from agekit.builtin.divergences import (
    CramerWold,
    KernelStein,
    MomentMatching,
    NeighbourKL,
    SIGReg,
    SlicedWasserstein,
    slices,
)
from agekit.builtin.divergences.cramer_wold import slice_mean
from agekit.builtin.divergences.neighbours import log_cap
from agekit.builtin.references import Gaussian, Sphere, Uniform

GAUSSIAN, SPHERE, CUBE = Gaussian(dim=3), Sphere(dim=3), Uniform(dim=3)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ways(dim: int, count: int, seed: int = 0) -> np.ndarray:
    theta = torch.randn(count, dim, generator=draws(seed)).double().numpy()
    return np.asarray((theta / np.linalg.norm(theta, axis=1, keepdims=True)).T)


def test_the_sliced_wasserstein_distance_is_that_of_each_slice():
    x, q = noise(9, 3) + 0.3, noise(7, 3, seed=1)
    for y in (q, noise(9, 3, seed=2)):
        pairs = [((x.numpy() @ ways(3, 20))[:, i], (y.numpy() @ ways(3, 20))[:, i]) for i in range(20)]
        value = SlicedWasserstein(slices=20, p=1.0)(x, y, generator=draws())
        expected = np.mean([stats.wasserstein_distance(a, b) for a, b in pairs])
        assert value.item() == pytest.approx(expected, rel=1e-6)
    assert SlicedWasserstein()(x, x.flip(0), generator=draws()).item() == pytest.approx(0, abs=1e-20)


def test_repeating_every_code_changes_no_sliced_distance():
    x, y = noise(6, 3) + 0.3, noise(4, 3, seed=1)
    repeated = SlicedWasserstein()(x.repeat(2, 1), y.repeat(3, 1), generator=draws())
    assert SlicedWasserstein()(x, y, generator=draws()).item() == pytest.approx(repeated.item(), rel=1e-12)


def test_sigreg_is_the_trapezoidal_rule_on_characteristic_functions(monkeypatch):
    x, t = 0.7 * noise(9, 3) + 0.2, np.linspace(-5, 5, 17)
    waves = np.exp(1j * (x.numpy() @ ways(3, 20))[:, :, None] * t).mean(axis=0)
    gaps = np.abs(waves - np.exp(-(t**2) / 2)) ** 2 * np.exp(-(t**2) / 2)
    expected = np.trapezoid(gaps, t, axis=1).mean()
    assert SIGReg(slices=20)(x, generator=draws()).item() == pytest.approx(expected, rel=1e-6)
    monkeypatch.setattr(slices, "BLOCK", 30)
    assert SIGReg(slices=20)(x, generator=draws()).item() == pytest.approx(expected, rel=1e-6)


def test_sigregs_bias_and_ideals_are_those_documented():
    gaussian, sphere, generator = Gaussian(dim=8), Sphere(dim=8), draws()
    values = [
        SIGReg(slices=32)(gaussian.sample(64, generator=generator), generator=generator).item() for _ in range(300)
    ]
    assert np.mean(values) == pytest.approx(1.06 / 64, rel=0.05)
    value = SIGReg()(sphere.sample(20_000, generator=generator), generator=generator)
    assert value.item() == pytest.approx(SIGReg().ideal(sphere), rel=0.01)


@pytest.mark.parametrize("dim", [2, 3, 8, 64])
def test_the_mean_over_slices_is_kummers_function(dim):
    s = np.concatenate([[0.0], np.logspace(-4, 4, 60)])
    value, slope, _ = slice_mean(dim, 1.0)(torch.tensor(s))
    assert np.abs(value.numpy() - special.hyp1f1(0.5, dim / 2, -s)).max() < 1e-10
    assert np.abs(slope.numpy() + special.hyp1f1(1.5, dim / 2 + 1, -s) / dim).max() < 1e-7


def test_the_cramer_wold_distance_is_the_published_formula():
    x, y, g = (0.7 * noise(9, 3) + 0.2).numpy(), noise(7, 3, seed=1).numpy(), (4 / 27) ** 0.4

    def phi(a: np.ndarray, b: np.ndarray, c: float) -> float:
        squared = ((a[:, None] - b) ** 2).sum(axis=2)
        return float(special.hyp1f1(0.5, 1.5, -squared / c).mean())

    between = (phi(x, x, 4 * g) + phi(y, y, 4 * g) - 2 * phi(x, y, 4 * g)) / (2 * math.sqrt(math.pi * g))
    cross = 2 * phi(x, np.zeros((1, 3)), 2 + 4 * g) / math.sqrt(g + 0.5)
    normal = (phi(x, x, 4 * g) / math.sqrt(g) + 1 / math.sqrt(1 + g) - cross) / (2 * math.sqrt(math.pi))
    assert CramerWold()(torch.tensor(x), torch.tensor(y)).item() == pytest.approx(between, rel=1e-8)
    assert CramerWold()(torch.tensor(x), GAUSSIAN).item() == pytest.approx(normal, rel=1e-8)
    assert CramerWold()(torch.tensor(x), torch.tensor(x)).item() == pytest.approx(0, abs=1e-14)


def test_in_one_dimension_cramer_wold_is_the_gap_of_smoothed_densities():
    x, gamma = np.array([[-0.4], [0.3], [1.1]]), 0.3

    def gap(t: float) -> float:
        smoothed = stats.norm.pdf(t, x[:, 0], math.sqrt(gamma)).mean()
        return float(smoothed - stats.norm.pdf(t, 0, math.sqrt(1 + gamma))) ** 2

    expected = integrate.quad(gap, -10, 10, epsabs=1e-14, limit=200)[0]
    value = CramerWold(gamma=gamma)(torch.tensor(x), Gaussian(dim=1))
    assert value.item() == pytest.approx(expected, rel=1e-9)


def test_the_stein_kernel_is_what_automatic_derivatives_make_of_its_definition():
    codes, stein = noise(5, 3) + 0.2, KernelStein(scale=0.7, exponent=-0.4)

    def k(a: Tensor, b: Tensor) -> Tensor:
        return (1 + (a - b).square().sum() / (0.7 * 6)) ** -0.4

    def u(a: Tensor, b: Tensor) -> float:
        by_a, by_b = torch.func.grad(k, 0)(a, b), torch.func.grad(k, 1)(a, b)
        mixed = torch.func.jacrev(torch.func.grad(k, 0), 1)(a, b).trace()
        return float(k(a, b) * (a @ b) - a @ by_b - b @ by_a + mixed)

    pairs = [u(a, b) for i, a in enumerate(codes) for j, b in enumerate(codes) if i != j]
    assert stein(codes).item() == pytest.approx(np.mean(pairs), rel=1e-9)
    every = [*pairs, *(u(a, a) for a in codes)]
    biased = KernelStein(scale=0.7, exponent=-0.4, estimator="biased")
    assert biased(codes).item() == pytest.approx(np.mean(every), rel=1e-9)


def test_the_stein_discrepancy_is_zero_on_average_at_the_normal_and_has_an_ideal_on_the_sphere():
    gaussian, sphere, generator = Gaussian(dim=5), Sphere(dim=5), draws()
    values = np.array([KernelStein()(gaussian.sample(32, generator=generator)).item() for _ in range(300)])
    assert abs(values.mean()) < 3.5 * values.std() / math.sqrt(300)
    assert KernelStein()(sphere.sample(3000, generator=generator)).item() == pytest.approx(
        KernelStein().ideal(sphere), rel=0.02
    )


@pytest.mark.parametrize("dim", [2, 3, 8, 64])
def test_the_mass_of_a_cap_is_the_incomplete_beta_function(dim):
    angle = np.linspace(0.05, math.pi - 0.05, 41)
    half = special.betainc((dim - 1) / 2, 0.5, np.sin(angle) ** 2) / 2
    mass = np.where(angle > math.pi / 2, 1 - half, half)
    found = log_cap(torch.tensor(2 - 2 * np.cos(angle)), dim).exp().numpy()
    assert np.abs(found / mass - 1).max() < 1e-7


def test_the_neighbour_kl_is_its_definition():
    codes = 0.7 * noise(12, 3) + 0.2
    distances = np.linalg.norm(codes.numpy()[:, None] - codes.numpy(), axis=2)
    for k in (1, 3):
        radius = np.sort(distances, axis=1)[:, k]
        entropy = special.digamma(12) - special.digamma(k) + math.log(4 / 3 * math.pi) + 3 * np.log(radius).mean()
        cross = 1.5 * math.log(2 * math.pi) + (codes.numpy() ** 2).sum(axis=1).mean() / 2
        assert NeighbourKL(k=k)(codes, GAUSSIAN).item() == pytest.approx(cross - entropy, rel=1e-9)
        unit = codes.numpy() / np.linalg.norm(codes.numpy(), axis=1, keepdims=True)
        heights = 1 - np.sort(unit @ unit.T, axis=1)[:, -1 - k]  # a cap of S² has an area of 2π times its height
        expected = special.digamma(k) - special.digamma(12) - np.log(heights / 2).mean()
        assert NeighbourKL(k=k)(codes, SPHERE).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("dim", "n"), [(2, 8), (3, 64), (64, 16), (64, 64)])
def test_on_the_sphere_the_neighbour_kl_is_unbiased_where_codes_are_uniform(dim, n):
    sphere, generator = Sphere(dim=dim), draws()
    values = np.array([NeighbourKL()(sphere.sample(n, generator=generator), sphere).item() for _ in range(200)])
    assert abs(values.mean()) < 3.5 * values.std() / math.sqrt(200)


def test_with_many_codes_the_neighbour_kl_is_that_of_known_laws():
    codes = (0.5 * noise(6000, 2) + 0.3).float()
    known = 2 * (0.25 - 1 - math.log(0.25) + 0.09) / 2
    assert NeighbourKL(k=3)(codes, Gaussian(dim=2)).item() == pytest.approx(known, abs=0.05)


def test_moments_are_those_of_numpy():
    x, y = 0.7 * noise(12, 3) + 0.2, noise(9, 3, seed=1)
    sigma2 = y.numpy().var(axis=0).mean()

    def of(codes: np.ndarray) -> list[np.ndarray]:
        centred = codes - codes.mean(axis=0)
        return [codes.mean(axis=0), np.cov(codes.T, bias=True), (centred**3).mean(axis=0), (centred**4).mean(axis=0)]

    terms = [
        ((a - b) ** 2).mean() / sigma2**r for r, (a, b) in enumerate(zip(of(x.numpy()), of(y.numpy()), strict=True), 1)
    ]
    for order in (1, 2, 3, 4):
        value = MomentMatching(order=order)(x, y)
        assert value.item() == pytest.approx(sum(terms[:order]), rel=1e-9)
    assert MomentMatching(order=4)(x, x.clone()).item() == 0


@pytest.mark.parametrize("reference", [GAUSSIAN, SPHERE, CUBE], ids=repr)
def test_the_moments_of_a_reference_are_those_of_its_draws(reference):
    codes = reference.sample(100_000, generator=draws())
    assert MomentMatching(order=4)(codes, reference).item() < 3e-3


def everything(p: Tensor, q: Tensor) -> list[Tensor]:
    return [
        *(
            SlicedWasserstein(slices=8, p=e)(p, other, generator=draws())
            for e in (1.0, 2.0)
            for other in (q, p.detach() * 0)
        ),
        SIGReg(slices=8)(p, generator=draws()),
        *(CramerWold()(p, other) for other in (q, GAUSSIAN)),
        *(KernelStein(estimator=e)(p) for e in ("unbiased", "biased")),
        *(NeighbourKL(k=k)(p, reference) for k in (1, 3) for reference in (GAUSSIAN, SPHERE)),
        *(MomentMatching(order=4)(p, other) for other in (noise(7, 3, seed=2).to(p), GAUSSIAN, SPHERE, CUBE)),
    ]


def summed(values: list[Tensor]) -> Tensor:
    return (torch.stack(values) * torch.linspace(0.5, 1.5, len(values), dtype=torch.float64)).sum()


def test_the_order_of_codes_does_not_matter():
    p, q = noise(9, 3), noise(8, 3, seed=1)
    values, turned = ([value.item() for value in everything(*pair)] for pair in ((p, q), (p.flip(0), q.flip(0))))
    assert len(values) == 17
    assert values == pytest.approx(turned, rel=1e-9)


@pytest.mark.slow
def test_gradients_are_those_of_the_values():
    p, q = 0.6 * noise(6, 3) + 0.2, noise(5, 3, seed=1)
    assert torch.autograd.gradcheck(lambda a, b: summed(everything(a, b)), (p.requires_grad_(), q.requires_grad_()))
    again = p.detach()[:4].requires_grad_()
    assert torch.autograd.gradgradcheck(
        lambda a: KernelStein()(a) + CramerWold()(a, GAUSSIAN) + SIGReg(slices=4)(a, generator=draws()), (again,)
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", ["zero", "collapsed", "duplicates", "tiny", "huge", "antipodal"])
def test_degenerate_clouds_have_finite_values_and_gradients(name, dtype):
    spread, axis = noise(6, 3), torch.tensor([1.0, 0.0, 0.0])
    clouds = {
        "zero": torch.zeros(6, 3),
        "collapsed": torch.ones(6, 3) / math.sqrt(3),
        "duplicates": torch.cat([spread[:3], spread[:3]]),
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
    assert checked == 34


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match="n ≥ 4"):
        NeighbourKL(k=3)(noise(3, 3), GAUSSIAN)
    with pytest.raises(ValueError, match="kl_neighbours has no closed form for the reference uniform"):
        NeighbourKL()(noise(5, 3), CUBE)
    with pytest.raises(ValueError, match="cramer_wold has no closed form for the reference sphere"):
        CramerWold()(noise(5, 3), SPHERE)
    for divergence in (CramerWold(), NeighbourKL(), MomentMatching()):
        with pytest.raises(ValueError, match="dimension 3 cannot be compared with a reference of 4"):
            divergence(noise(5, 3), Gaussian(dim=4))
    for alone in (lambda p: CramerWold()(p, GAUSSIAN), lambda p: MomentMatching()(p, GAUSSIAN), KernelStein()):
        with pytest.raises(ValueError, match="n ≥ 2"):
            alone(noise(1, 3))
    with pytest.raises(ValueError, match="dimension 3 cannot be compared with codes of 1"):
        SlicedWasserstein()(noise(5, 3), noise(5, 1), generator=draws())


def test_shapes_are_worked_out_on_the_meta_device():
    codes = torch.empty(6, 3, device="meta")
    assert all(value.shape == () for value in everything(codes, codes))
