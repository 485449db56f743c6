"""Operators: what they make, and what they refuse."""

import numpy as np
import pytest
import torch

from agekit.builtin.operators import Grey, Mix, Stop
from agekit.contracts import Space, draws

IMAGE = Space("x", (3, 8, 8))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_stop_keeps_the_value_and_cuts_the_gradient():
    x = torch.ones(2, 3, requires_grad=True)
    assert torch.equal(Stop()(x), x)
    assert not Stop()(x).requires_grad
    assert Stop.stops
    assert not Mix.stops
    assert Stop().space(IMAGE) == IMAGE


def test_only_mix_draws():
    assert [operator for operator in (Stop, Mix, Grey) if draws(operator.__call__)] == [Mix]


@pytest.mark.parametrize("shape", [(5,), (5, 4), (5, 3, 2, 2)])
def test_mix_lies_on_the_line_with_one_coefficient_a_sample(shape):
    x, y = torch.rand(shape, dtype=torch.float64), 2 + torch.rand(shape, dtype=torch.float64)
    mixed = Mix()(x, y, generator=seeded())
    a = torch.rand(5, generator=seeded()).double().reshape(-1, *[1] * (len(shape) - 1))
    assert mixed.dtype == torch.float64
    np.testing.assert_allclose(mixed.numpy(), (a * x + (1 - a) * y).numpy(), rtol=1e-14)


def test_mixes_of_any_shape_share_their_coefficients_when_handed_equal_generators():
    ones, zeros = torch.ones(6, 3, 2, 2), torch.zeros(6, 3, 2, 2)
    images = Mix()(ones, zeros, generator=seeded())
    codes = Mix()(ones[:, :, 0, 0], zeros[:, :, 0, 0], generator=seeded())
    assert torch.equal(images[:, :, 0, 0], codes)
    assert len(codes[:, 0].unique()) == 6


def test_mix_passes_gradients_to_both():
    x, y = torch.rand(4, 3, requires_grad=True), torch.rand(4, 3, requires_grad=True)
    Mix()(x, y, generator=seeded()).sum().backward()
    assert x.grad is not None
    assert y.grad is not None
    assert torch.allclose(x.grad + y.grad, torch.ones(4, 3))


def test_grey_is_the_luma_of_rec_709_and_keeps_greys():
    colours = torch.eye(3)[:, :, None, None]
    np.testing.assert_allclose(Grey()(colours).flatten().numpy(), [0.2126, 0.7152, 0.0722], rtol=1e-6)
    picture = torch.linspace(-1, 1, 16).reshape(1, 1, 4, 4)
    assert torch.allclose(Grey()(picture.expand(2, 3, 4, 4)), picture.expand(2, 1, 4, 4), atol=1e-6)


def test_grey_makes_a_kind_of_its_own_of_sizes_known_or_not():
    assert Grey().space(IMAGE) == Space("grey", (1, 8, 8))
    assert Grey().space(Space("x", (None, None, None))) == Space("grey", (1, None, None))


@pytest.mark.parametrize(
    ("operator", "operands", "message"),
    [
        (Stop(), (), "one operand, found 0"),
        (Stop(), (IMAGE, IMAGE), "one operand, found 2"),
        (Mix(), (IMAGE,), "2 operands, found 1"),
        (Mix(), (IMAGE, Space("z", (8,))), "one kind and shape"),
        (Mix(), (IMAGE, Space("x", (1, 8, 8))), "one kind and shape"),
        (Grey(), (Space("x", (1, 8, 8)),), "three channels, found x \\[1×8×8\\]"),
        (Grey(), (Space("z", (8,)),), "three channels"),
    ],
)
def test_other_operands_are_refused(operator, operands, message):
    with pytest.raises(ValueError, match=message):
        operator.space(*operands)
