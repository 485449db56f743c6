"""Setting a share of the samples aside: which, by the seed, and read as the array itself is."""

from pathlib import Path

import numpy as np
import pytest

from agekit.contracts import DataField
from agekit.data.division import divided
from agekit.data.prepared import Prepared
from agekit.errors import DataError

X = np.arange(10 * 3, dtype=np.uint8).reshape(10, 3)


def prepared(count=10):
    names = tuple(f"sample {i}" for i in range(count))
    return Prepared(Path(), {"x": DataField("image", (3,))}, {"x": X[:count]}, names, {}, "fingerprint")


def test_the_two_parts_are_the_whole_and_nothing_is_in_both():
    training, held_out = divided(prepared(), 0.25, seed=0)
    assert (len(training), len(held_out)) == (7, 3)
    rows = np.concatenate([np.array(part.arrays["x"]) for part in (training, held_out)])
    assert sorted(rows.tolist()) == X.tolist()
    assert {*training.names, *held_out.names} == {*prepared().names}
    for part in (training, held_out):
        array = part.arrays["x"]
        assert (array.shape, len(array), array.nbytes) == ((len(part), 3), len(part), 3 * len(part))
        assert array.dtype == np.uint8
        assert [f"sample {row[0] // 3}" for row in array[np.arange(len(part))]] == list(part.names)


def test_the_seed_chooses_and_the_fingerprint_tells():
    first, again, other = (divided(prepared(), 0.3, seed) for seed in (0, 0, 1))
    assert first[1].names == again[1].names != other[1].names
    assert first[1].fingerprint == again[1].fingerprint
    assert len({one.fingerprint for pair in (first, other) for one in pair}) == 4


def test_a_share_that_leaves_nothing_is_refused():
    with pytest.raises(DataError, match=r"0\.95 of 10 samples leaves none to train on"):
        divided(prepared(), 0.95, 0)
