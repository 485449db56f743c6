"""SVHN: MATLAB files, and damaged ones."""

import importlib.util
import io

import numpy as np
import pytest

from agekit.builtin.svhn import Svhn
from agekit.errors import DataError
from tests.layouts import make_svhn, random_pixels, samples


def test_svhn_is_laid_out_by_channel_and_its_tens_are_zeros(tmp_path):
    make_svhn(tmp_path, 12)
    expected = random_pixels(32, 32, 3, 12, seed=12).transpose(3, 2, 0, 1)
    assert np.array_equal(samples(Svhn(root=str(tmp_path))), expected)
    assert samples(Svhn(root=str(tmp_path)), "label").tolist() == [*range(1, 10), 0, 1, 2]


def test_svhn_without_scipy_says_what_to_install(tmp_path, monkeypatch):
    make_svhn(tmp_path, 2)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"pip install 'agekit\[mat\]'"):
        Svhn(root=str(tmp_path)).open()


def mat(**values: object) -> bytes:
    from scipy.io import savemat  # type: ignore[import-untyped]

    stream = io.BytesIO()
    savemat(stream, values, do_compression=True)
    return stream.getvalue()


GOOD = mat(X=random_pixels(32, 32, 3, 2), y=np.array([[1], [2]]))


@pytest.mark.parametrize(
    ("blob", "message"),
    [
        (b"", "no MATLAB file"),
        (b"something else" * 100, "no MATLAB file|X is"),
        (GOOD[:-500], "no MATLAB file"),
        (mat(X=random_pixels(32, 32, 3, 2)), "y is not 2 labels"),
        (mat(X=random_pixels(32, 32, 3, 2), y=np.array([[1], [11]])), "y is not 2 labels of 1 to 10"),
        (mat(X=random_pixels(2, 32, 32, 3), y=np.array([[1], [2]])), r"X is uint8 \(2, 32, 32, 3\)"),
        (mat(y=np.array([[1], [2]])), "X is float64"),
    ],
)
def test_damaged_mat_files_are_named(blob, message, tmp_path):
    (tmp_path / "train_32x32.mat").write_bytes(blob)
    with pytest.raises(DataError, match=message) as caught:
        len(Svhn(root=str(tmp_path)).open())
    assert "train_32x32.mat" in str(caught.value)
