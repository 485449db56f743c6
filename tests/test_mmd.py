"""Maximum mean discrepancy: an independent computation, laws of estimators, and what it sees that a KL does not."""

import math

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from agekit.builtin.divergences import MMD, StandardKL
from agekit.contracts import Divergence

EVERY = [MMD(kernel=kernel, estimator=estimator) for kernel in ("imq", "rbf") for estimator in ("unbiased", "biased")]


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def numpy_mmd(p: np.ndarray, q: np.ndarray, kernel: str, estimator: str, bandwidths: list[float]) -> float:
    """Pair by pair, as the definition reads."""

    def k(x: np.ndarray, y: np.ndarray) -> float:
        squared = float(((x - y) ** 2).sum())
        values = [c / (c + squared) if kernel == "imq" else math.exp(-squared / c) for c in bandwidths]
        return sum(values) / len(values)

    def within(a: np.ndarray) -> float:
        pairs = [k(x, y) for i, x in enumerate(a) for j, y in enumerate(a) if estimator == "biased" or i != j]
        return sum(pairs) / len(pairs)

    across = [k(x, y) for x in p for y in q]
    return within(p) + within(q) - 2 * sum(across) / len(across)


@pytest.mark.parametrize("kernel", ["imq", "rbf"])
@pytest.mark.parametrize("estimator", ["unbiased", "biased"])
@pytest.mark.parametrize("variance", [None, 0.4])
def test_it_is_the_definition(kernel, estimator, variance):
    p, q = noise(7, 3) + 0.3, noise(9, 3, seed=1)
    sigma2 = q.var(dim=0).mean().item() if variance is None else variance
    mmd = MMD(kernel=kernel, estimator=estimator, variance=variance, scales=(0.5, 2.0))
    expected = numpy_mmd(p.numpy(), q.numpy(), kernel, estimator, [0.5 * 2 * 3 * sigma2, 2.0 * 2 * 3 * sigma2])
    assert mmd(p, q).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("mmd", EVERY, ids=repr)
def test_it_is_symmetric_and_blind_to_order_and_translation(mmd):
    mmd = mmd.model_copy(update={"variance": 1.0})
    p, q = noise(7, 3) + 0.3, noise(9, 3, seed=1)
    value = mmd(p, q).item()
    assert mmd(q, p).item() == pytest.approx(value, rel=1e-12)
    assert mmd(p.flip(0), q).item() == pytest.approx(value, rel=1e-12)
    assert mmd(p + 5, q + 5).item() == pytest.approx(value, rel=1e-9)


def test_the_biased_estimate_is_zero_at_equality_and_never_negative():
    p = noise(7, 3)
    for kernel in ("imq", "rbf"):
        mmd = MMD(kernel=kernel, estimator="biased")
        assert mmd(p, p.clone()).item() == pytest.approx(0, abs=1e-15)
        assert min(mmd(noise(7, 3, seed=seed), p).item() for seed in range(1, 30)) > 0


@pytest.mark.parametrize("kernel", ["imq", "rbf"])
def test_the_unbiased_estimate_is_zero_on_average_where_the_laws_are_equal(kernel):
    mmd = MMD(kernel=kernel, variance=1.0)
    values = np.array([mmd(noise(8, 4, seed=2 * i), noise(8, 4, seed=2 * i + 1)).item() for i in range(400)])
    assert abs(values.mean()) < 3 * values.std() / np.sqrt(len(values))
    assert values.min() < 0 < values.max()


def deviations(divergence: Divergence, against_draws: bool) -> dict[str, float]:
    """How many standard deviations of the null each departure from N(0, I) moves it: d = n = 64."""
    changes = {
        "none": lambda p: p,
        "shift": lambda p: p + 0.2,
        "scale": lambda p: 0.8 * p,
        "duplicates": lambda p: torch.cat([p[:, :32], p[:, :32]], dim=1),
    }
    batches = [(noise(64, 64, seed=2 * i), noise(64, 64, seed=2 * i + 1)) for i in range(150)]
    values = {
        name: np.array([divergence(change(p), *([q] if against_draws else [])).item() for p, q in batches])
        for name, change in changes.items()
    }
    null = values.pop("none")
    return {name: float((value.mean() - null.mean()) / null.std()) for name, value in values.items()}


def test_it_sees_the_duplicated_coordinates_that_a_diagonal_gaussian_does_not():
    mmd, kl = deviations(MMD(), True), deviations(StandardKL(), False)
    assert mmd == pytest.approx({"shift": 7.1, "scale": 8.6, "duplicates": 1.6}, rel=0.25)
    assert kl["shift"] > 7
    assert kl["scale"] > 15
    assert abs(kl["duplicates"]) < 0.5


@pytest.mark.parametrize("mmd", EVERY, ids=repr)
def test_gradients_are_those_of_the_values_at_duplicates_too(mmd):
    p = noise(5, 3)
    p[1] = p[0]
    q = noise(4, 3, seed=1)
    q[2] = p[0]
    fixed = mmd.model_copy(update={"variance": 1.0})
    assert torch.autograd.gradcheck(fixed, (p.requires_grad_(), q.requires_grad_()))


@pytest.mark.parametrize("estimator", ["unbiased", "biased", "linear"])
def test_the_bandwidth_is_a_constant_for_the_gradient(estimator):
    q = noise(6, 3).requires_grad_()
    p = noise(6, 3, seed=1)
    (free,) = torch.autograd.grad(MMD(estimator=estimator)(p, q), q)
    variance = q.detach().var(dim=0).mean().item()
    (fixed,) = torch.autograd.grad(MMD(estimator=estimator, variance=variance)(p, q), q)
    assert torch.allclose(free, fixed, rtol=1e-9)


@pytest.mark.parametrize("mmd", EVERY, ids=repr)
@pytest.mark.parametrize("scale", [0.0, 1e-15, 1e6])
def test_degenerate_clouds_have_finite_values_and_gradients(mmd, scale):
    for q in (torch.zeros(4, 3), torch.ones(4, 3), scale * noise(4, 3, seed=1).float()):
        p = (scale * noise(4, 3).float()).requires_grad_()
        value = mmd(p, q)
        value.backward()
        assert value.isfinite()
        assert p.grad is not None
        assert p.grad.isfinite().all()


def test_clouds_that_cannot_be_compared_are_refused():
    with pytest.raises(ValueError, match="n ≥ 2"):
        MMD()(noise(1, 3), noise(4, 3))
    with pytest.raises(ValueError, match="n ≥ 2"):
        MMD()(noise(4, 3), noise(4, 3, 1, 1))
    with pytest.raises(ValueError, match="dimension 3 cannot be compared with codes of 1"):
        MMD()(noise(4, 3), noise(4, 1))


@pytest.mark.parametrize("options", [{"scales": ()}, {"scales": (1.0, 0.0)}, {"variance": 0.0}, {"kernel": "cubic"}])
def test_options_that_make_no_kernel_are_refused(options):
    with pytest.raises(ValidationError):
        MMD(**options)


def test_half_precision_and_autocast_are_left_for_float32():
    p, q = noise(64, 8).bfloat16(), noise(64, 8, seed=1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = MMD()(p, q.float())
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(MMD()(p.double(), q).item(), rel=1e-3, abs=1e-6)
