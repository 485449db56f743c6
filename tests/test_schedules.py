"""Schedules: their values at the places that matter."""

import math

import pytest
from pydantic import ValidationError

from agekit.builtin.schedules import Constant, Cosine, Linear, Steps
from agekit.contracts import Progress


def at(step: int, steps: int = 100, epoch: int = 10) -> Progress:
    return Progress(step=step, steps=steps, steps_per_epoch=epoch)


def test_constant_stays():
    assert {Constant(value=3.5)(at(step)) for step in (0, 50, 99, 1000)} == {3.5}


def test_linear_and_cosine_go_from_start_to_end_and_stay_there():
    for schedule in (Linear(start=1.0, end=3.0), Cosine(start=1.0, end=3.0)):
        assert schedule(at(0)) == 1.0
        assert schedule(at(50)) == pytest.approx(2.0)
        assert schedule(at(100)) == pytest.approx(3.0)
        assert schedule(at(250)) == pytest.approx(3.0)
    assert Linear(start=1.0, end=3.0)(at(25)) == pytest.approx(1.5)
    assert Cosine(start=1.0, end=3.0)(at(25)) == pytest.approx(2 - math.cos(math.pi / 4))


def test_a_ramp_may_be_shorter_than_the_stage():
    assert Linear(start=0.0, end=1.0, over=10)(at(5)) == pytest.approx(0.5)
    assert Linear(start=0.0, end=1.0, over=10)(at(11)) == 1.0
    assert Cosine(start=1.0, over=10)(at(10)) == pytest.approx(0.0)


def test_the_published_halving_fires_at_epoch_index_every_minus_one():
    schedule = Steps(value=2e-4, factor=0.5, every=5, first=4)
    rates = [schedule(at(10 * epoch)) for epoch in range(15)]
    assert rates == [2e-4] * 4 + [1e-4] * 5 + [5e-5] * 5 + [2.5e-5]
    assert schedule(at(39)) == 2e-4
    assert schedule(at(40)) == 1e-4


def test_steps_count_epochs_or_steps_and_first_fall_at_every():
    by_step = Steps(value=1.0, factor=0.1, every=3, unit="steps")
    assert [by_step(at(step)) for step in range(7)] == pytest.approx([1, 1, 1, 0.1, 0.1, 0.1, 0.01])
    assert [Steps(value=1.0, every=2)(at(10 * epoch)) for epoch in range(5)] == [1, 1, 0.5, 0.5, 0.25]
    assert Steps(value=1.0, every=2, first=0)(at(0)) == 0.5


@pytest.mark.parametrize("options", [{"every": 0}, {"every": 2, "first": -1}, {"every": 2, "unit": "days"}, {}])
def test_options_that_make_no_schedule_are_refused(options):
    with pytest.raises(ValidationError):
        Steps(value=1.0, **options)
