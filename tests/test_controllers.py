"""Controllers: their rules against the same rules in plain numbers, and against the codes they were released in."""

import math

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from agekit.builtin.controllers import BangBang, GradientBalance, Margin
from agekit.builtin.divergences import SphereKL, StandardKL
from agekit.builtin.references import Sphere
from agekit.contracts import Reading
from agekit.plugins import load


def readings(values, ideal=0.0, gradients=None):
    return {
        name: Reading(torch.tensor(value), ideal, torch.tensor(gradients[name]) if gradients else None)
        for name, value in values.items()
    }


def played(controller, steps, rates=None):
    """The weights before each step and after the last, by these readings."""
    state = {name: torch.tensor(value, dtype=torch.float64) for name, value in controller.begin().items()}
    weights = [state["weight"].item()]
    for step, seen in enumerate(steps):
        before = {name: value.clone() for name, value in state.items()}
        moved = controller(state, seen, rates[step] if rates else 1.0)
        assert {name: value.dtype for name, value in moved.items()} == dict.fromkeys(before, torch.float64)
        assert state == before  # it is handed a new one
        state = dict(moved)
        weights.append(state["weight"].item())
    return weights


def test_every_registered_controller_is_tried_here():
    assert {entry.component for entry in load().registries.controllers.entries.values()} == {
        BangBang,
        GradientBalance,
        Margin,
    }


# ---- the adversary's weight of the released colorization code


def released(real, fake, rates, weight, ideal):
    """The released rule: the weight grows, and falls where either divergence is above 1.05 of its ideal."""
    weights = [weight]
    for r, f, rate in zip(real, fake, rates, strict=True):
        weight += 0.001 * rate
        if r > ideal * 1.05 or f > ideal * 1.05:
            weight = max(0, weight - 0.02 * rate)
        weights.append(weight)
    return weights


def test_bang_bang_is_the_released_rule_of_the_adversarys_weight():
    noise = np.random.default_rng(0)
    divergence = StandardKL(formula="age-2018")
    ideal = divergence.ideal(Sphere(dim=16))
    assert ideal == pytest.approx(1 / 512 + math.log(16) - 0.5, abs=1e-12)  # as the released code has it
    real, fake = ideal * (1 + 0.06 * noise.random((2, 400)))
    rates = 0.96 ** (np.arange(400) // 40)
    controller = BangBang(terms=("real", "fake"), start=-0.5, drift=-0.001, correction=0.02, most=0.0, ratio=1.05)
    controller.check("encoder.fake", {"real": ideal, "fake": ideal})
    steps = [readings({"real": r, "fake": f}, ideal) for r, f in zip(real, fake, strict=True)]
    found = played(controller, steps, list(rates))
    wanted = released(real, fake, rates, 0.5, ideal)
    assert -np.array(found) == pytest.approx(wanted, abs=1e-12)
    assert found[-1] == 0.0  # the limit was reached
    assert min(found) < -0.5  # and before that, the weight grew


def test_the_limit_of_a_divergence_with_ideal_0_is_an_excess():
    """Near the optimum the sphere's divergence rises about half as fast as the formula of 2018."""
    dim = 16
    reference = Sphere(dim=dim)
    exact, old = SphereKL(), StandardKL(formula="age-2018")
    assert exact.ideal(reference) == 0
    generator = torch.Generator().manual_seed(0)
    codes = reference.sample(4096, generator=generator).double()
    drawn_in = reference.project(codes + 0.1 * torch.ones(dim, dtype=torch.float64) / 4)
    rise = [(f(drawn_in) - f(codes)).item() for f in (exact, old)]
    assert rise[1] == pytest.approx(2 * rise[0], rel=0.05)
    excess = 0.025 * (math.log(dim) - 0.5)
    assert 0.05 * old.ideal(reference) / 2 == pytest.approx(excess, rel=1e-2)
    controller = BangBang(terms=("real",), start=-0.5, drift=-0.001, correction=0.02, excess=excess)
    controller.check("encoder.fake", {"real": 0.0})
    found = played(controller, [readings({"real": value}) for value in (excess * 0.99, excess * 1.01)])
    assert found == pytest.approx([-0.5, -0.501, -0.482])


def test_a_limit_that_is_always_passed_is_refused():
    controller = BangBang(terms=("real", "fake"), start=1.0, drift=0.1, correction=-0.2, ratio=1.05)
    controller.check("encoder.fake", {"real": 2.0, "fake": 1.0})
    with pytest.raises(ValueError, match=r"the limit of fake is 0, and its ideal value is 0, .* a greater excess fits"):
        controller.check("encoder.fake", {"real": 2.0, "fake": 0.0})


def test_bang_bang_has_limits_on_both_sides_and_looks_at_every_term():
    controller = BangBang(terms=("a", "b"), start=1.0, drift=0.25, correction=-1.0, excess=1.0, least=0.5, most=1.5)
    quiet, one, other = ({"a": a, "b": b} for a, b in ((0.0, 1.0), (0.0, 1.5), (9.0, 0.0)))
    found = played(controller, [readings(seen) for seen in (quiet, quiet, quiet, one, other, quiet)])
    assert found == [1.0, 1.25, 1.5, 1.5, 0.75, 0.5, 0.75]


# ---- Balanced Pioneer's margin


def test_margin_has_the_gradient_of_the_published_maximum():
    """max(−M, real − fake), differentiated by both."""
    noise = np.random.default_rng(1)
    real, fake = noise.random((2, 200))
    controllers = [Margin(upper="fake", lower="real", margin=0.2, full=full) for full in (1.0, -1.0)]
    steps = [readings({"real": r, "fake": f}) for r, f in zip(real, fake, strict=True)]
    found = np.array([played(controller, steps) for controller in controllers])
    assert found[:, 0].tolist() == [1, -1]
    a, b = (torch.tensor(values, requires_grad=True) for values in (real, fake))
    wanted = torch.autograd.grad(torch.maximum(torch.tensor(-0.2), a - b).sum(), (a, b))
    assert found[:, 1:].tolist() == [gradient.tolist() for gradient in wanted]
    assert 0 < found[0].mean() < 1


# ---- balance of gradients


def test_gradient_balance_is_the_published_quotient():
    controller = GradientBalance(term="fool", like="reconstruct", factor=0.8, smoothing=0.0, eps=1e-6, start=0.3)
    seen = {"fool": 0.0, "reconstruct": 0.0}
    steps = [readings(seen, gradients={"fool": fool, "reconstruct": 3.0}) for fool in (2.0, 0.5, 0.0, 1e-5)]
    wanted = [0.3, 0.8 * 3 / (2 + 1e-6), 0.8 * 3 / (0.5 + 1e-6), 0.8 * 1e4, 0.8 * 1e4]
    assert played(controller, steps) == pytest.approx(wanted, rel=1e-6)


def test_gradient_balance_divides_running_means():
    noise = np.random.default_rng(2)
    term, like = noise.random((2, 50)) + 0.1
    controller = GradientBalance(term="a", like="b", factor=-2.0, smoothing=0.9, least=0.9, most=1.1)
    seen = {"a": 0.0, "b": 0.0}
    steps = [readings(seen, gradients={"a": a, "b": b}) for a, b in zip(term, like, strict=True)]
    ages = 0.9 ** np.arange(50)
    means = [(values[:n][::-1] * ages[:n]).sum() * 0.1 for values in (like, term) for n in range(1, 51)]
    wanted = -2 * np.clip(np.divide(means[:50], np.array(means[50:]) + 1e-6), 0.9, 1.1)
    assert played(controller, steps)[1:] == pytest.approx(wanted, rel=1e-9)
    assert {-1.8, -2.2} < set(wanted)


@pytest.mark.parametrize(
    ("component", "options"),
    [
        (BangBang, {"terms": (), "start": 1.0, "drift": 0.1, "correction": -0.1}),
        (BangBang, {"terms": ("a",), "start": 1.0, "drift": 0.1, "correction": 0.1}),
        (BangBang, {"terms": ("a",), "start": 1.0, "drift": 0.1, "correction": -0.1, "least": 2.0, "most": 1.0}),
        (BangBang, {"terms": ("a",), "start": 1.0, "drift": 0.1}),
        (Margin, {"upper": "a", "lower": "b", "margin": 0.0}),
        (Margin, {"upper": "a", "lower": "b"}),
        (GradientBalance, {"term": "a", "like": "b", "smoothing": 1.0}),
        (GradientBalance, {"term": "a", "like": "b", "least": 2.0, "most": 1.0}),
        (GradientBalance, {"term": "a", "like": "b", "eps": 0.0}),
    ],
)
def test_options_that_make_no_controller_are_refused(component, options):
    with pytest.raises(ValidationError):
        component(**options)
