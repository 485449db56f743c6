"""Kernel divergences: independent values, the reference's side in closed form, and memory that grows as n."""

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import integrate, special, stats  # type: ignore[import-untyped]
from torch import Tensor

from agekit.builtin.divergences import MMD, EnergyDistance, KernelStein, Uniformity, kernels, means, pairwise
from agekit.builtin.divergences.estimators import Estimator
from agekit.builtin.references import Gaussian, Sphere, Uniform
from agekit.contracts import Reference

NAMES: tuple[kernels.Kernel, ...] = ("imq", "rbf", "laplace", "linear", "energy")
ESTIMATORS: tuple[Estimator, ...] = ("unbiased", "biased", "linear")
REFERENCES = (Sphere(dim=3), Gaussian(dim=3))
EVERY = [
    *(MMD(kernel=k, estimator=e, variance=0.7) for k in NAMES for e in ESTIMATORS),
    *(EnergyDistance(exponent=b, estimator=e) for b in (0.5, 1.0, 1.6) for e in ESTIMATORS),
]
Function = Callable[[float], float]


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def numpy_kernel(name: str, c: float) -> Callable[[np.ndarray, np.ndarray], float]:
    of_squares: dict[str, Function] = {
        "imq": lambda s: c / (c + s),
        "rbf": lambda s: math.exp(-s / c),
        "laplace": lambda s: math.exp(-math.sqrt(s / c)),
        "energy": lambda s: -math.sqrt(s),
    }
    if name == "linear":
        return lambda x, y: float(x @ y)
    of = of_squares[name]
    return lambda x, y: of(float(((x - y) ** 2).sum()))


def numpy_mmd(p: np.ndarray, q: np.ndarray, k: Callable[..., float], estimator: str) -> float:
    """Pair by pair, as Gretton et al. 2012 define it in equations 3 and 5 and in section 6."""
    if estimator == "linear":
        count = min(len(p), len(q)) // 2
        pairs = [(p[2 * i], p[2 * i + 1], q[2 * i], q[2 * i + 1]) for i in range(count)]
        return sum(k(a, b) + k(c, d) - k(a, d) - k(b, c) for a, b, c, d in pairs) / count

    def within(a: np.ndarray) -> float:
        return float(
            np.mean([k(x, y) for i, x in enumerate(a) for j, y in enumerate(a) if i != j or estimator == "biased"])
        )

    return within(p) + within(q) - 2 * float(np.mean([k(x, y) for x in p for y in q]))


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("kernel", NAMES)
def test_between_clouds_it_is_the_definition(kernel, estimator):
    p, q = noise(8, 3) + 0.3, noise(11, 3, seed=1)
    mmd = MMD(kernel=kernel, estimator=estimator, variance=0.4, scales=(0.5,))
    expected = numpy_mmd(p.numpy(), q.numpy(), numpy_kernel(kernel, 0.5 * 2 * 3 * 0.4), estimator)
    assert mmd(p, q).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_energy_distance_is_the_definition(estimator):
    p, q = noise(8, 3) + 0.3, noise(8, 3, seed=1)

    def k(x: np.ndarray, y: np.ndarray) -> float:
        return -math.pow(math.dist(x, y), 1.3)

    expected = numpy_mmd(p.numpy(), q.numpy(), k, estimator)
    assert EnergyDistance(exponent=1.3, estimator=estimator)(p, q).item() == pytest.approx(expected, rel=1e-9)
    if estimator != "linear":
        assert EnergyDistance()(p, q).item() == pytest.approx(MMD(kernel="energy")(p, q).item(), rel=1e-12)


def gaussian_mean(k: Function, length: float, dim: int) -> float:
    """E k(|x − Y|²), whose argument follows the non-central χ² law."""
    law = stats.ncx2(dim, length**2) if length else stats.chi2(dim)
    middle = math.sqrt(dim + length**2)
    edges = [0.0, *(max(0.01, middle + step) for step in (-4, -1, 0, 1, 4, 12))]
    parts = (
        integrate.quad(lambda r: k(r * r) * law.pdf(r * r) * 2 * r, a, b, epsabs=1e-14, limit=200)[0]
        for a, b in itertools.pairwise(edges)
    )
    return float(sum(parts))


def sphere_mean(k: Function, length: float, dim: int) -> float:
    """E k(|x − Y|²) over the angle."""

    def integrand(angle: float) -> float:
        return k((length - 1) ** 2 + 4 * length * math.sin(angle / 2) ** 2) * math.sin(angle) ** (dim - 2)

    edges = [0, 1e-5, 1e-3, 0.05, 0.3, 1, math.pi / 2, 2, math.pi]
    parts = itertools.pairwise(edges)
    total = sum(integrate.quad(integrand, a, b, epsabs=1e-15, epsrel=1e-12, limit=200)[0] for a, b in parts)
    return float(total) / float(special.beta((dim - 1) / 2, 0.5))


def along(k: Callable[[np.ndarray, np.ndarray], float]) -> Function:
    """The kernel of a squared distance."""
    return lambda s: k(np.array(math.sqrt(s)), np.array(0.0))


@pytest.mark.parametrize("dim", [2, 9, 64])
@pytest.mark.parametrize("name", ["imq", "rbf", "laplace", "energy"])
def test_the_means_under_a_reference_are_right_to_ten_digits(name, dim):
    lengths, checked = (0.0, 0.3, 1.0, 1.0001, 7.0), 0
    squared = torch.tensor(lengths, dtype=torch.float64).square()
    for relative in (0.02, 1.0, 10.0):
        for c, ours, independent in (
            (relative * 2 * dim, means.gaussian_means, gaussian_mean),
            (relative * 2, means.sphere_means, sphere_mean),
        ):
            of = numpy_kernel(name, c)
            profile = kernels.Power(1.0) if name == "energy" else kernels.Mixed(name, (c,))
            for value, length in zip(ours(squared, profile, dim).tolist(), lengths, strict=True):
                expected = independent(along(of), length, dim)
                assert value == pytest.approx(expected, abs=1e-10)
                checked += 1
    assert checked == 30


@pytest.mark.parametrize("exponent", [0.1, 0.5, 1.0, 1.9])
@pytest.mark.parametrize("length", [0.0, 1.0, 1e5])
def test_the_mean_distance_to_a_gaussian_is_kummers_function(exponent, length):
    squared = torch.tensor([length**2], dtype=torch.float64)
    for dim in (1, 2, 64):
        factor = 2 ** (exponent / 2) * special.gamma((dim + exponent) / 2) / special.gamma(dim / 2)
        expected = -factor * special.hyp1f1(-exponent / 2, dim / 2, -(length**2) / 2)
        value = means.gaussian_means(squared, kernels.Power(exponent), dim)
        assert value.item() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("reference", REFERENCES, ids=repr)
@pytest.mark.parametrize("divergence", [d for d in EVERY if getattr(d, "estimator") == "unbiased"], ids=repr)  # noqa: B009
def test_a_reference_stands_for_many_of_its_draws(divergence, reference):
    codes = 0.6 * noise(40, 3) + 0.4
    draws = reference.sample(2000, generator=torch.Generator().manual_seed(0)).double()
    assert divergence(codes, reference).item() == pytest.approx(divergence(codes, draws).item(), abs=0.05)


@pytest.mark.parametrize("reference", [Sphere(dim=5), Gaussian(dim=5)], ids=repr)
@pytest.mark.parametrize("kernel", NAMES)
@pytest.mark.parametrize("estimator", ["unbiased", "linear"])
def test_it_is_zero_on_average_where_codes_follow_the_reference(kernel, reference, estimator):
    mmd, generator = MMD(kernel=kernel, estimator=estimator), torch.Generator().manual_seed(0)
    values = np.array([mmd(reference.sample(16, generator=generator), reference).item() for _ in range(200)])
    assert abs(values.mean()) < 3.5 * values.std() / math.sqrt(len(values))
    assert values.min() < 0 < values.max()


def test_the_biased_estimates_bias_is_the_documented_one():
    gaussian, generator = Gaussian(dim=5), torch.Generator().manual_seed(0)
    mmd = MMD(estimator="biased", scales=(1.0,))
    values = np.array([mmd(gaussian.sample(16, generator=generator), gaussian).item() for _ in range(400)])
    assert values.min() > 0
    own = means.gaussian_means(torch.zeros(1, dtype=torch.float64), kernels.Mixed("imq", (10.0,)), 5, variance=2.0)
    assert values.mean() == pytest.approx((1 - own.item()) / 16, rel=0.1)


def test_the_median_rule_takes_the_median_squared_distance():
    p, q = noise(8, 3) + 0.3, noise(11, 3, seed=1)
    median = float(np.median([((x - y) ** 2).sum() for i, x in enumerate(q.numpy()) for y in q.numpy()[:i]]))
    expected = numpy_mmd(p.numpy(), q.numpy(), numpy_kernel("rbf", 2 * median), "unbiased")
    assert MMD(kernel="rbf", bandwidth="median", scales=(2.0,))(p, q).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("reference", [Sphere(dim=6), Gaussian(dim=6)], ids=repr)
def test_the_median_of_a_reference_is_that_of_its_draws(reference):
    codes, mmd = noise(20, 6), MMD(bandwidth="median", scales=(0.3,))
    draws = reference.sample(5000, generator=torch.Generator().manual_seed(0)).double()
    median = float(np.median(torch.pdist(draws[:2000]).square().numpy()))
    fixed = MMD(variance=median / 12, scales=(0.3,))
    assert mmd(codes, reference).item() == pytest.approx(fixed(codes, reference).item(), rel=0.02)


def test_uniformity_is_its_definition_and_least_on_uniform_codes():
    codes = noise(30, 4)
    unit = (codes / codes.norm(dim=1, keepdim=True)).numpy()
    pairs = [np.exp(-2 * ((x - y) ** 2).sum()) for i, x in enumerate(unit) for y in unit[:i]]
    assert Uniformity()(codes).item() == pytest.approx(math.log(np.mean(pairs)), rel=1e-9)
    many = Sphere(dim=4).sample(4000, generator=torch.Generator().manual_seed(0))
    assert Uniformity()(many).item() == pytest.approx(Uniformity().ideal(Sphere(dim=4)), abs=0.01)
    bessel = float(special.hyp0f1(2.0, 4.0))  # E e^{4t} = 0F1(; d/2; 4²/4) for d = 4
    assert Uniformity().ideal(Sphere(dim=4)) == pytest.approx(math.log(bessel) - 4, rel=1e-10)


def everything(p: Tensor, q: Tensor) -> list[Tensor]:
    others: list[Reference | Tensor] = [q, *REFERENCES]
    return [divergence(p, other) for divergence in EVERY for other in others] + [Uniformity()(p)]


def test_the_order_of_codes_does_not_matter_but_in_linear_time():
    p, q = noise(9, 3) + 0.3, noise(8, 3, seed=1)
    alike = [
        math.isclose(a.item(), b.item(), rel_tol=1e-9)
        for a, b in zip(
            everything(p, q), everything(p.flip(0)[torch.tensor([0, 3, 1, 2, 8, 4, 5, 6, 7])], q), strict=True
        )
    ]
    assert len(alike) == 73
    named = [estimator for _ in range(8) for estimator in ESTIMATORS for _ in range(3)] + ["unbiased"]
    assert all(same for same, estimator in zip(alike, named, strict=True) if estimator != "linear")
    assert not all(alike)


def summed(values: list[Tensor]) -> Tensor:
    """One number that none of them leaves unchanged, because a gradient is checked once for each output."""
    return (torch.stack(values) * torch.linspace(0.5, 1.5, len(values), dtype=torch.float64)).sum()


@pytest.mark.slow
def test_gradients_are_those_of_the_values_at_duplicates_too():
    p, q = 0.6 * noise(4, 3) + 0.3, noise(3, 3, seed=1)
    assert torch.autograd.gradcheck(lambda a, b: summed(everything(a, b)), (p.requires_grad_(), q.requires_grad_()))
    twice = p.detach()[torch.tensor([0, 0, 1])].requires_grad_()
    smooth = [d for d in EVERY if isinstance(d, MMD) and d.kernel in ("imq", "rbf", "linear")]
    assert torch.autograd.gradcheck(lambda a: summed([mmd(a, q) for mmd in smooth]), (twice,))


def test_second_derivatives_are_those_of_the_gradients():
    p, q = 0.6 * noise(3, 3) + 0.3, noise(2, 3, seed=1)
    chosen = [MMD(kernel=kernel, variance=0.7, scales=(0.5, 2.0)) for kernel in NAMES]

    def value(a: Tensor, b: Tensor) -> Tensor:
        return summed([mmd(a, other) for mmd in chosen for other in (b, *REFERENCES)])

    assert torch.autograd.gradgradcheck(value, (p.requires_grad_(), q.requires_grad_()))


def test_the_gradient_that_can_be_differentiated_is_the_other_one():
    p, q = noise(6, 3).requires_grad_(), noise(5, 3, seed=1).requires_grad_()
    for value in (summed([MMD(kernel=kernel, variance=0.7)(p, q) for kernel in NAMES]), KernelStein()(p)):
        plain = torch.autograd.grad(value, (p, q), retain_graph=True, materialize_grads=True)
        again = torch.autograd.grad(value, (p, q), create_graph=True, materialize_grads=True)
        for one, other in zip(plain, again, strict=True):
            assert torch.allclose(one, other, rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize("tile", [1, 7, 20])
def test_the_size_of_tiles_changes_nothing(tile, monkeypatch):
    p, q = noise(13, 3).requires_grad_(), noise(9, 3, seed=1).requires_grad_()
    whole = torch.autograd.grad(MMD(variance=1.0)(p, q), (p, q))
    monkeypatch.setitem(pairwise.TILE, "cpu", tile)
    value = MMD(variance=1.0)(p, q)
    for part, expected in zip(torch.autograd.grad(value, (p, q)), whole, strict=True):
        assert torch.allclose(part, expected, rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize("reference", [Sphere(dim=3), Gaussian(dim=3)], ids=repr)
def test_the_size_of_parts_changes_nothing_against_a_reference(reference, monkeypatch):
    p = noise(13, 3).requires_grad_()
    (whole,) = torch.autograd.grad(MMD()(p, reference), p)
    monkeypatch.setattr(means, "BLOCK", 2048)
    (parts,) = torch.autograd.grad(MMD()(p, reference), p)
    assert torch.allclose(parts, whole, rtol=1e-11, atol=1e-15)


class Watch(torch.utils._python_dispatch.TorchDispatchMode):
    """Note the largest tensor that any operation makes."""

    largest = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        for tensor in made if isinstance(made, tuple | list) else [made]:
            if isinstance(tensor, Tensor):
                self.largest = max(self.largest, tensor.numel())
        return made


def test_no_tensor_grows_as_the_number_of_pairs():
    p, q = torch.randn(3000, 8).requires_grad_(), torch.randn(3000, 8)
    for other in (q, Sphere(dim=8), Gaussian(dim=8)):
        with Watch() as watch:
            MMD(scales=(1.0,))(p, other).backward()
        assert watch.largest < 3000**2 / 8


def test_close_points_far_from_the_centre_keep_their_distance_in_float32():
    p = (1000 + 0.1 * noise(20, 8)).float()
    expected = MMD(variance=1e-2)(p.double(), p.double() + 0.1)
    assert MMD(variance=1e-2)(p, (p.double() + 0.1).float()).item() == pytest.approx(expected.item(), rel=2e-2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", ["zero", "collapsed", "duplicates", "tiny", "huge"])
def test_degenerate_clouds_have_finite_values_and_gradients(name, dtype):
    spread = noise(6, 3)
    clouds = {
        "zero": torch.zeros(6, 3),
        "collapsed": torch.ones(6, 3) / math.sqrt(3),
        "duplicates": torch.cat([spread[:3], spread[:3]]),
        "tiny": 1e-20 * spread,
        "huge": 1e6 * spread,
    }
    leaf, checked = clouds[name].to(dtype).requires_grad_(), 0
    for q in (noise(4, 3, seed=1).to(dtype), leaf.detach().clone()):
        for value in everything(leaf, q):
            (slope,) = torch.autograd.grad(value, leaf)
            assert value.isfinite()
            assert slope.isfinite().all()
            checked += 1
    assert checked == 146


@pytest.mark.parametrize("apart", [10.0**-k for k in range(16, 24)])
def test_points_as_close_as_can_be_keep_a_finite_gradient(apart):
    codes = torch.tensor([[0.0], [apart]], requires_grad=True)
    (slope,) = torch.autograd.grad(EnergyDistance(exponent=0.1)(codes, Gaussian(dim=1)), codes)
    assert slope.isfinite().all()


def test_what_cannot_be_compared_is_refused():
    for divergence in EVERY:
        with pytest.raises(ValueError, match="n ≥ 2"):
            divergence(noise(1, 3), Gaussian(dim=3))
        with pytest.raises(ValueError, match="dimension 3 cannot be compared with a reference of 4"):
            divergence(noise(5, 3), Gaussian(dim=4))
    with pytest.raises(ValueError, match="mmd has no closed form for the reference uniform"):
        MMD()(noise(5, 3), Uniform(dim=3))
    with pytest.raises(ValueError, match="n ≥ 2"):
        Uniformity()(noise(1, 3))
    with pytest.raises(ValueError, match="uniformity has no closed form for the reference uniform"):
        Uniformity().ideal(Uniform(dim=3))


def test_shapes_are_worked_out_on_the_meta_device():
    codes = torch.empty(4, 3, device="meta")
    assert all(value.shape == () for value in everything(codes, codes))
