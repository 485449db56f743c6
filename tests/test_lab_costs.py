"""What a call costs, and how that grows."""

import math

import pytest
import torch

from agekit.builtin.references import Gaussian
from agekit.lab.candidates import candidate
from agekit.lab.costs import Peak, cost, costs, scaling
from agekit.lab.measure import Settings

from .laboratory import GAUSSIAN


def test_peak_counts_what_is_alive_at_once():
    codes = torch.zeros(100, 10)
    with Peak(codes) as peak:
        for _ in range(5):
            squares = codes * codes  # 4000 bytes; the one before is freed when the name moves on
        total = squares.sum()
    assert peak.most == 8000
    assert peak.alive == 4000 + 4
    assert total == 0


def test_costs_grow_as_they_must(registries):
    """The memory of a fitted diagonal Gaussian grows as n d; times are positive, and their exponents are numbers."""
    small = Settings(Gaussian(dim=16), (64, 128), 2, 0)
    measured = costs(candidate("kl_gaussian", registries), lambda d: Gaussian(dim=d), small)
    assert {(one.batch, one.dim) for one in measured} == {
        (64, 16),
        (128, 16),
        (256, 16),
        (512, 16),
        (128, 32),
        (128, 64),
    }
    assert all(one.forward_seconds > 0 and one.backward_seconds > 0 for one in measured)
    fitted = scaling("kl_gaussian", measured, small)
    assert fitted.memory_n == pytest.approx(1, abs=0.05)
    assert fitted.memory_d == pytest.approx(1, abs=0.05)
    assert math.isfinite(fitted.time_n)
    slices = costs(candidate("sliced_wasserstein", registries), lambda d: Gaussian(dim=d), small)
    fitted = scaling("sliced_wasserstein", slices, small)  # the codes themselves are not counted
    assert (fitted.memory_n, fitted.memory_d) == pytest.approx((1, 0), abs=0.1)
    assert cost(candidate("mmd", registries), GAUSSIAN, 256, 0).peak_bytes > 256**2 * 4
    none = costs(candidate("gaussian_kl_full", registries), lambda d: Gaussian(dim=d), Settings(GAUSSIAN, (8,), 2, 0))
    assert math.isnan(scaling("gaussian_kl_full", none, Settings(GAUSSIAN, (8,), 2, 0)).memory_d)
