"""The order of samples: a pure function of seed, stream and step."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agekit.data.order import _permutation, indices
from agekit.errors import DataError


def epoch(length: int, batch: int, number: int = 0, seed: int = 0, stream: str = "x") -> np.ndarray:
    steps = length // batch
    taken = range(number * steps, (number + 1) * steps)
    return np.concatenate([indices(length, batch, seed=seed, stream=stream, step=step) for step in taken])


@settings(deadline=None)
@given(st.integers(1, 200), st.data(), st.integers(0, 3))
def test_an_epoch_shows_no_sample_twice_and_leaves_out_less_than_a_batch(length, data, number):
    batch = data.draw(st.integers(1, length))
    seen = epoch(length, batch, number)
    assert len(set(seen.tolist())) == len(seen) == length - length % batch
    assert seen.min() >= 0
    assert seen.max() < length
    assert seen.dtype == np.int64


def test_any_step_can_be_asked_for_alone():
    before = [indices(50, 7, seed=3, stream="x", step=step) for step in range(30)]
    _permutation.cache_clear()
    for step in reversed(range(30)):
        assert np.array_equal(indices(50, 7, seed=3, stream="x", step=step), before[step])


def test_epochs_seeds_and_streams_differ():
    first = epoch(100, 10)
    others = [epoch(100, 10, number=1), epoch(100, 10, seed=1), epoch(100, 10, stream="y")]
    assert all(sorted(other) == sorted(first) for other in others)
    assert all((other == first).mean() < 0.2 for other in others)


def test_the_order_is_the_same_on_every_machine_and_with_every_numpy():
    assert indices(10, 10, seed=0, stream="x", step=0).tolist() == [2, 5, 4, 3, 8, 0, 7, 6, 9, 1]


def test_every_place_is_equally_likely():
    counts = np.zeros((5, 5))
    for number in range(2000):
        counts[np.arange(5), epoch(5, 5, number)] += 1
    assert abs(counts / 2000 - 0.2).max() < 0.04  # 4.5 standard deviations


def test_a_batch_may_be_changed_without_changing_the_order():
    indices(10, 5, seed=0, stream="x", step=0)[:] = 0
    assert len(set(epoch(10, 5).tolist())) == 10


def test_a_data_set_smaller_than_a_batch_is_refused():
    with pytest.raises(DataError, match=r"63 samples.*one batch of 64"):
        indices(63, 64, seed=0, stream="x", step=0)
