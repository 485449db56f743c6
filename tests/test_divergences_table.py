"""What each divergence sees of three departures from N(0, I), in standard deviations of its own null."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from agekit.builtin.divergences import MMD, SIGReg, StandardKL
from agekit.builtin.references import Gaussian

CLOUDS = 300
GAUSSIAN = Gaussian(dim=64)

DEPARTURES: tuple[Callable[[Tensor], Tensor], ...] = (
    lambda p: p + 0.2,
    lambda p: 0.8 * p,
    lambda p: torch.cat([p[:, :32], p[:, :32]], dim=1),
)
"""The mean shifted, the scale changed, half of the coordinates duplicated."""


def against_draws(p: Tensor, draws: torch.Generator) -> Tensor:
    return MMD()(p, GAUSSIAN.sample(64, generator=draws))


TABLE: dict[str, tuple[Callable[[Tensor, torch.Generator], Tensor], tuple[float, float, float]]] = {
    "diagonal KL": (lambda p, _: StandardKL()(p), (10.1, 22.1, 0.0)),
    "formula of 2018": (lambda p, _: StandardKL(formula="age-2018")(p), (3.5, 25.6, 0.1)),
    "MMD, 64 draws": (against_draws, (7.1, 8.6, 1.6)),
    "MMD, exact": (lambda p, _: MMD()(p, GAUSSIAN), (14.0, 16.8, 2.9)),
    "SIGReg": (lambda p, draws: SIGReg()(p, generator=draws), (11.8, 11.6, 2.2)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", TABLE)
def test_power_is_as_measured_before(name):
    measure, known = TABLE[name]
    draws = torch.Generator().manual_seed(0)
    changes = (lambda p: p, *DEPARTURES)
    rows = []
    for _ in range(CLOUDS):
        codes = GAUSSIAN.sample(64, generator=draws)
        rows.append([measure(change(codes), draws).item() for change in changes])
    values = np.array(rows)
    power = (values[:, 1:].mean(axis=0) - values[:, 0].mean()) / values[:, 0].std()
    assert power == pytest.approx(known, rel=0.15, abs=0.35), power
