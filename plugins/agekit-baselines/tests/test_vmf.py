"""Von Mises–Fisher laws against scipy's Bessel functions, quadrature, and their own draws."""

import itertools

import numpy as np
import pytest
import torch
from scipy import integrate, special, stats

from agekit_baselines.bessel import moments
from agekit_baselines.vmf import VonMisesFisher, implicit_slope, wood

DIMS = (3, 4, 16, 64, 256)
KAPPAS = (1e-3, 0.5, 5.0, 50.0, 500.0, 1e4)
CASES = list(itertools.product(DIMS, KAPPAS))


def law(kappa, dim, count=1, dtype=torch.float64):
    direction = torch.nn.functional.normalize(torch.linspace(-1, 2, dim, dtype=dtype), dim=0)
    return VonMisesFisher(direction.expand(count, dim), torch.full((count,), kappa, dtype=dtype))


def log_normaliser(kappa, dim):
    """log of C(κ), by scipy's exponentially scaled Bessel function."""
    order = dim / 2 - 1
    return order * np.log(kappa) - dim / 2 * np.log(2 * np.pi) - np.log(special.ive(order, kappa)) - kappa


def log_area(dim):
    return np.log(2) + dim / 2 * np.log(np.pi) - special.gammaln(dim / 2)


def representable(kappa, dim):
    """Whether I_ν(κ) e^−κ is a number that float64 holds to full precision."""
    return special.ive(dim / 2, kappa) > 1e-290


def test_constants_agree_with_scipy():
    covered = 0
    for dim, kappa in CASES:
        if not representable(kappa, dim):
            continue
        covered += 1
        vmf, order = law(kappa, dim), dim / 2 - 1
        ratio = special.ive(order + 1, kappa) / special.ive(order, kappa)
        kl = kappa * ratio + log_normaliser(kappa, dim) + log_area(dim)
        np.testing.assert_allclose(vmf.mean.norm().item(), ratio, rtol=1e-12)
        np.testing.assert_allclose(vmf.log_prob(vmf.loc).item(), log_normaliser(kappa, dim) + kappa, rtol=1e-10)
        np.testing.assert_allclose(vmf.kl_to_uniform().item(), kl, rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(vmf.entropy().item(), log_area(dim) - kl, rtol=1e-8)
    assert covered >= 26


def test_three_dimensions_have_elementary_functions():
    kappa = np.array([0.01, 1.0, 20.0])
    vmf = VonMisesFisher(torch.eye(3, dtype=torch.float64), torch.from_numpy(kappa))
    np.testing.assert_allclose(vmf.mean.norm(dim=1).numpy(), 1 / np.tanh(kappa) - 1 / kappa, rtol=1e-10)
    np.testing.assert_allclose(
        vmf.log_prob(-vmf.loc).numpy(), np.log(kappa / (4 * np.pi * np.sinh(kappa))) - kappa, rtol=1e-12
    )


def test_scipys_own_law_has_the_same_density():
    points = torch.nn.functional.normalize(torch.randn(7, 5, generator=torch.Generator().manual_seed(0)).double())
    vmf = law(12.0, 5)
    theirs = stats.vonmises_fisher(vmf.loc[0].numpy(), 12.0)
    np.testing.assert_allclose(vmf.log_prob(points).numpy(), theirs.logpdf(points.numpy()), atol=1e-10)
    np.testing.assert_allclose(vmf.entropy().item(), theirs.entropy(), rtol=1e-10)


def test_nothing_concentrated_is_uniform():
    for dim in DIMS:
        none = law(0.0, dim)
        assert abs(none.kl_to_uniform().item()) < 1e-10
        np.testing.assert_allclose(none.log_prob(none.loc).item(), -log_area(dim), rtol=1e-10)
        np.testing.assert_allclose(moments(none.concentration, dim).variance.item(), 1 / dim, rtol=1e-10)


def test_constants_have_their_own_gradients():
    def kl(kappa):
        return VonMisesFisher(torch.eye(4, dtype=torch.float64), kappa).kl_to_uniform()

    def length(kappa):
        return VonMisesFisher(torch.eye(4, dtype=torch.float64), kappa).mean.diagonal()

    def density(kappa):
        return VonMisesFisher(torch.eye(4, dtype=torch.float64), kappa).log_prob(torch.eye(4, dtype=torch.float64))

    kappa = torch.tensor([0.1, 1.0, 10.0, 60.0], dtype=torch.float64, requires_grad=True)
    assert all(torch.autograd.gradcheck(function, kappa) for function in (kl, length, density))


def test_draws_have_the_moments_of_the_law():
    torch.manual_seed(0)
    count = 4000
    for dim, kappa in CASES:
        known = moments(torch.tensor([kappa]), dim)
        draws = law(kappa, dim, count).rsample()
        np.testing.assert_allclose(draws.norm(dim=1).numpy(), 1, rtol=1e-7)
        w = (draws * law(kappa, dim).loc).sum(1)
        assert abs(w.mean() - known.mean).item() < 5 * (known.variance / count).sqrt().item()
        assert (w.var() / known.variance).item() == pytest.approx(1, abs=0.15)
        aside = draws - w[:, None] * law(kappa, dim).loc
        assert aside.mean(0).norm().item() < 5 * (aside.norm(dim=1).square().mean() / count).sqrt().item()


def test_heights_follow_the_density():
    torch.manual_seed(0)
    for dim, kappa in ((3, 5.0), (8, 20.0), (32, 1.0)):
        w = wood(torch.full((4000,), kappa, dtype=torch.float64), dim).numpy()
        grid = np.linspace(-1, 1, 4001)
        inner = np.clip(1 - grid**2, 1e-300, None)
        density = np.exp(kappa * (grid - 1) + (dim - 3) / 2 * np.log(inner))
        cumulative = integrate.cumulative_trapezoid(density, grid, initial=0)
        cumulative /= cumulative[-1]
        found = stats.kstest(w, lambda at, grid=grid, c=cumulative: np.interp(at, grid, c))
        assert found.pvalue > 1e-3


def test_the_slope_of_a_height_is_that_of_its_distribution_function():
    def cumulative(w, kappa, dim):
        def density(t):
            return (1 - t * t) ** ((dim - 3) / 2) * np.exp(kappa * (t - 1))

        below, above = (integrate.quad(density, *ends, epsabs=0, epsrel=1e-13)[0] for ends in ((-1, w), (w, 1)))
        return below / (below + above), density(w) / (below + above)

    for dim, kappa, w in ((3, 2.0, 0.3), (3, 2.0, -0.9), (6, 5.0, 0.7), (6, 5.0, 0.2), (32, 10.0, 0.25)):
        step = 1e-4 * kappa
        rise = (cumulative(w, kappa + step, dim)[0] - cumulative(w, kappa - step, dim)[0]) / (2 * step)
        expected = -rise / cumulative(w, kappa, dim)[1]
        at = torch.tensor([kappa], dtype=torch.float64)
        found = implicit_slope(torch.tensor([w], dtype=torch.float64), at, dim, moments(at, dim))
        np.testing.assert_allclose(found.item(), expected, rtol=1e-5)


def test_gradients_through_draws_are_those_of_the_moments():
    """E[∂w/∂κ] = Var[w], exactly; the accepted proposal's own slope would miss it by a fifth at M = 3, κ = 5."""
    torch.manual_seed(0)
    count = 20000
    for dim, kappa in ((3, 5.0), (16, 20.0), (64, 500.0)):
        at = torch.full((count,), kappa, dtype=torch.float64, requires_grad=True)
        vmf = VonMisesFisher(law(kappa, dim).loc.expand(count, dim), at)
        w = (vmf.rsample() * vmf.loc).sum(1)
        (slopes,) = torch.autograd.grad(w.sum(), at)
        wanted = moments(at[:1], dim).variance
        assert (slopes.mean() / wanted).item() == pytest.approx(1, abs=0.03)


def test_gradients_reach_the_direction():
    torch.manual_seed(0)
    raw = torch.tensor([[0.3, -0.2, 0.9]], dtype=torch.float64, requires_grad=True)
    count, kappa, target = 40000, 4.0, torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
    loc = torch.nn.functional.normalize(raw).expand(count, 3)
    vmf = VonMisesFisher(loc, torch.full((count,), kappa, dtype=torch.float64))
    (found,) = torch.autograd.grad((vmf.rsample() @ target).mean(), raw, retain_graph=True)
    (wanted,) = torch.autograd.grad((vmf.mean[0] @ target), raw)
    np.testing.assert_allclose(found.numpy(), wanted.numpy(), atol=0.02)


@pytest.mark.parametrize("kappa", [0.0, 1e-6, 1.0, 1e6])
@pytest.mark.parametrize("dim", [3, 64])
def test_single_precision_stays_finite_at_the_extremes(kappa, dim):
    torch.manual_seed(0)
    at = torch.full((64,), kappa, requires_grad=True)
    vmf = VonMisesFisher(law(kappa, dim, 64, torch.float32).loc, at)
    draws = vmf.rsample()
    assert draws.dtype == torch.float32
    (slope,) = torch.autograd.grad(draws.sum() + vmf.kl_to_uniform().sum() + vmf.log_prob(draws).sum(), at)
    assert draws.isfinite().all()
    assert slope.isfinite().all()


def test_draws_are_a_function_of_torchs_seed_and_have_the_shape_that_is_asked():
    vmf = law(3.0, 5, 4)
    torch.manual_seed(7)
    first = vmf.rsample((2, 3))
    torch.manual_seed(7)
    assert torch.equal(vmf.rsample((2, 3)), first)
    assert first.shape == (2, 3, 4, 5)
    assert not vmf.sample().requires_grad


def test_what_is_no_sphere_is_refused():
    with pytest.raises(ValueError, match="M ≥ 3"):
        VonMisesFisher(torch.ones(4, 2), torch.ones(4))
    with pytest.raises(ValueError, match="one concentration for each"):
        VonMisesFisher(torch.ones(4, 3), torch.ones(4, 1))
