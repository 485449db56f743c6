"""Optimizers: their updates against the published algorithms, and their state."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import nn

from agekit.builtin.optimizers import SGD, Adam, AdamW
from agekit.builtin.schedules import Constant

GRADIENTS = [np.array([0.3, -2.0, 0.0]), np.array([0.1, 1.0, -1e-3]), np.array([-0.5, 0.5, 4.0])]


def updated(optimizer) -> np.ndarray:
    weights = nn.Parameter(torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64))
    rule = optimizer.build([weights])
    for gradient in GRADIENTS:
        weights.grad = torch.from_numpy(gradient)
        rule.step()
    return weights.detach().numpy()


def numpy_adam(lr=1e-2, betas=(0.5, 0.999), eps=1e-8, coupled=0.0, decoupled=0.0) -> np.ndarray:
    w, m, v = np.array([1.0, -2.0, 0.5]), np.zeros(3), np.zeros(3)
    for t, gradient in enumerate(GRADIENTS, start=1):
        w = w * (1 - lr * decoupled)
        g = gradient + coupled * w
        m, v = betas[0] * m + (1 - betas[0]) * g, betas[1] * v + (1 - betas[1]) * g**2
        w = w - lr * (m / (1 - betas[0] ** t)) / (np.sqrt(v / (1 - betas[1] ** t)) + eps)
    return w


def numpy_sgd(lr=1e-2, momentum=0.0, coupled=0.0) -> np.ndarray:
    w, v = np.array([1.0, -2.0, 0.5]), np.zeros(3)
    for gradient in GRADIENTS:
        v = momentum * v + gradient + coupled * w
        w = w - lr * v
    return w


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        (Adam(lr=1e-2), numpy_adam()),
        (Adam(lr=1e-2, betas=(0.9, 0.99), eps=1e-3, weight_decay=0.1), numpy_adam(1e-2, (0.9, 0.99), 1e-3, 0.1)),
        (AdamW(lr=1e-2), numpy_adam(decoupled=0.01)),
        (AdamW(lr=1e-2, betas=(0.0, 0.9), weight_decay=0.2), numpy_adam(betas=(0.0, 0.9), decoupled=0.2)),
        (SGD(lr=1e-2), numpy_sgd()),
        (SGD(lr=1e-2, momentum=0.9, weight_decay=0.1), numpy_sgd(momentum=0.9, coupled=0.1)),
    ],
    ids=repr,
)
def test_updates_are_those_of_the_published_algorithm(optimizer, expected):
    np.testing.assert_allclose(updated(optimizer), expected, rtol=1e-10)


@pytest.mark.parametrize("kind", [Adam, AdamW, SGD])
def test_a_schedule_is_written_before_each_step_and_until_then_nothing_moves(kind):
    optimizer = kind(lr=Constant(value=0.1))
    np.testing.assert_array_equal(updated(optimizer), [1.0, -2.0, 0.5])
    rule = optimizer.build([nn.Parameter(torch.ones(3))])
    rule.param_groups[0]["lr"] = optimizer.lr(None)
    assert rule.param_groups[0]["lr"] == 0.1


@pytest.mark.parametrize("optimizer", [Adam(), AdamW(), SGD(momentum=0.9)], ids=repr)
def test_going_on_from_a_saved_state_is_the_same_to_the_bit(optimizer):
    def steps(weights, rule, seeds):
        for seed in seeds:
            weights.grad = torch.randn(1001, generator=torch.Generator().manual_seed(seed))
            rule.step()

    whole = nn.Parameter(torch.ones(1001))
    steps(whole, optimizer.build([whole]), range(6))
    first = nn.Parameter(torch.ones(1001))
    rule = optimizer.build([first])
    steps(first, rule, range(3))
    second = nn.Parameter(first.detach().clone())
    resumed = optimizer.build([second])
    resumed.load_state_dict(rule.state_dict())
    steps(second, resumed, range(3, 6))
    assert torch.equal(whole, second)


@pytest.mark.parametrize("options", [{"betas": (0.5, 1.0)}, {"betas": (-0.1, 0.9)}, {"eps": -1.0}, {"lr": "fast"}])
def test_options_that_make_no_optimizer_are_refused(options):
    with pytest.raises(ValidationError):
        Adam(**options)
