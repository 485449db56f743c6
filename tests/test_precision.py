"""What is computed in full precision, and in which."""

import inspect

import pytest
import torch
from torch import Tensor

from agekit.builtin.precision import full_precision


class Product:
    """Something that autocast would compute in half precision."""

    @full_precision
    def __call__(self, a: Tensor, b: Tensor, *, generator: object = None) -> Tensor:
        return a @ b


@pytest.mark.parametrize(
    ("given", "computed"),
    [
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.uint8, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_it_is_float32_or_better_within_autocast_and_without(given, computed):
    a = torch.arange(9).reshape(3, 3).to(given)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert (torch.ones(3, 3) @ torch.ones(3, 3)).dtype == torch.bfloat16
        assert Product()(a, a).dtype == computed
    assert Product()(a, a, generator=None).dtype == computed


def test_the_signature_stays_what_the_contracts_read():
    assert list(inspect.signature(Product.__call__).parameters) == ["self", "a", "b", "generator"]
