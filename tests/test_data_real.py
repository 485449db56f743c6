"""Real photographs, where they are at hand."""

from pathlib import Path

import numpy as np
import pytest

from agekit.builtin.celeba import CelebA
from agekit.builtin.mnist import FashionMnist
from agekit.data.prepare import prepare

CELEBA = Path(__file__).parents[2] / "shared" / "data" / "celeba"
FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")


@pytest.mark.skipif(not CELEBA.is_dir(), reason="the development photographs are not beside the project")
def test_photographs_of_half_the_official_size_are_prepared(tmp_path):
    prepared = prepare("celeba", CelebA(root=str(CELEBA), size=32), tmp_path, workers=1)
    assert len(prepared) == 2000
    assert prepared.dropped == {}
    assert 60 < prepared.arrays["x"].mean() < 180
    assert prepared.arrays["x"][:, 1].std(axis=0).min() > 20  # every pixel varies
    assert np.unique(prepared.arrays["attributes"]).tolist() == [-1, 1]


@pytest.mark.skipif(not FASHION_MNIST.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed")
def test_debians_fashion_mnist_is_read_from_where_it_is_installed(tmp_path):
    prepared = prepare("fashion_mnist", FashionMnist(root=str(FASHION_MNIST)), tmp_path, workers=1)
    assert prepared.arrays["x"].shape == (60_000, 1, 32, 32)
    assert np.bincount(prepared.arrays["label"]).tolist() == [6000] * 10
    # Mean and deviation of the 28×28 pixels, as commonly quoted: 0.2860 and 0.3530.
    pixels = prepared.arrays["x"][:, 0, 2:30, 2:30] / np.float32(255)
    assert (round(float(pixels.mean()), 4), round(float(pixels.std()), 4)) == (0.2860, 0.3530)
