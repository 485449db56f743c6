"""Codes of any size, and codes that are no numbers: what every divergence of ours makes of them."""

import math
from contextlib import suppress
from typing import Any

import pytest
import torch
from torch import Tensor

from agekit.builtin.divergences import SIGReg
from agekit.builtin.references import Gaussian, Sphere
from agekit.contracts import Divergence, draws
from agekit.plugins import BUILTIN, load
from agekit.testing.instances import instances
from agekit.testing.kit import subjects

OURS = [
    instance
    for owner in BUILTIN
    for subject in subjects(load(), owner)
    if issubclass(subject.component, Divergence)
    for instance in instances(subject)
]
LARGEST = torch.finfo(torch.float32).max
CODES, DRAWS = (torch.randn(n, 3, generator=torch.Generator().manual_seed(n), dtype=torch.float64) for n in (12, 9))


def values(divergence: Divergence, codes: Tensor) -> list[tuple[Tensor, Tensor]]:
    """The value and its gradient against all that it may be compared with here: references, others, the very codes."""
    found, taken = [], divergence.operands.get("to")
    others: list[tuple[Any, ...]] = [()]
    if taken:
        references = [Gaussian(dim=3), Sphere(dim=3)] if "reference" in taken.takes else []
        clouds = [DRAWS.to(codes), codes.detach()] if "samples" in taken.takes else []
        others = [(other,) for other in [*references, *clouds]]
    for other in others:
        chance = {"generator": torch.Generator().manual_seed(0)} if draws(type(divergence).__call__) else {}
        leaf = codes.clone().requires_grad_()
        with suppress(ValueError):  # it may know nothing of a reference
            value = divergence(leaf, *other, **chance)
            found.append((value.detach(), torch.autograd.grad(value, leaf)[0]))
    assert found
    return found


def test_all_of_ours_are_here():
    assert len(OURS) >= 30
    assert len({type(one) for one in OURS}) == 15


@pytest.mark.parametrize("divergence", OURS, ids=repr)
@pytest.mark.parametrize("scale", [1e-30, 1e10, 1e30])
def test_in_float32_it_is_what_it_is_in_float64_or_infinite_where_no_float32_is_so_large(divergence, scale):
    codes = (scale * CODES).float()
    exact = [value.item() for value, _ in values(divergence, codes.double())]
    rounding = 1e-6 * max([1.0, *(abs(value) for value in exact if abs(value) < LARGEST)])
    for (value, gradient), expected in zip(values(divergence, codes), exact, strict=True):
        held = expected if abs(expected) < LARGEST else math.copysign(math.inf, expected)
        assert value.dtype == torch.float32
        if isinstance(divergence, SIGReg):  # the phase of its waves, beyond 1e8, is all rounding
            assert value.isfinite()
        else:
            assert value.item() == pytest.approx(held, rel=2e-3, abs=rounding)
        assert not gradient.isnan().any()


@pytest.mark.parametrize("divergence", OURS, ids=repr)
def test_a_code_that_is_no_number_makes_the_value_none_and_raises_nothing(divergence):
    codes = CODES.clone()
    codes[4, 1] = math.nan
    assert all(value.isnan() for value, _ in values(divergence, codes))
