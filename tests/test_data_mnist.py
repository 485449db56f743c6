"""MNIST and Fashion-MNIST: IDX files in every spelling, and damaged ones."""

import gzip

import numpy as np
import pytest

from agekit.builtin import mnist
from agekit.builtin.mnist import FashionMnist, Mnist
from agekit.data.prepare import prepare
from agekit.errors import DataError
from tests.layouts import idx, make_mnist, random_pixels, samples


def test_mnist_is_padded_to_32_and_untouched_at_28(tmp_path):
    make_mnist(tmp_path, 12)
    published = random_pixels(12, 28, 28, seed=12)
    assert np.array_equal(samples(Mnist(root=str(tmp_path), size=28))[:, 0], published)
    padded = samples(Mnist(root=str(tmp_path)))[:, 0]
    assert np.array_equal(padded[:, 2:30, 2:30], published)
    assert padded.sum(dtype=int) == published.sum(dtype=int)
    assert samples(Mnist(root=str(tmp_path)), "label").tolist() == [*range(10), 0, 1]


@pytest.mark.parametrize("spelling", ["{}-images-idx3-ubyte", "{}-images.idx3-ubyte", "{}-images.idx3-ubyte.gz"])
def test_idx_files_are_found_in_every_spelling(spelling, tmp_path):
    make_mnist(tmp_path, 5)
    expected = samples(FashionMnist(root=str(tmp_path)))
    for kind, number in (("images", 3), ("labels", 1)):
        old = tmp_path / f"train-{kind}-idx{number}-ubyte.gz"
        new = tmp_path / spelling.format("train").replace("images", kind).replace("idx3", f"idx{number}")
        blob = old.read_bytes()
        new.write_bytes(blob if new.suffix == ".gz" else gzip.decompress(blob))
        old.unlink()
    assert np.array_equal(samples(FashionMnist(root=str(tmp_path))), expected)


@pytest.mark.parametrize(
    ("kind", "blob", "message"),
    [
        ("images", b"", "does not begin like an IDX file"),
        ("images", b"\0\0\x0d\x03" + bytes(100), "does not begin like an IDX file"),
        ("images", idx(random_pixels(5, 28, 28))[:-1], "found 3919 values, where its header says 3920"),
        ("images", idx(random_pixels(5, 28, 27)), "28×28 fits"),
        ("images", idx(random_pixels(4, 28, 28)), "holds 4 pictures, but .* 5 labels"),
        ("labels", idx(np.full(5, 10, np.uint8)), "found label 10, where 0 to 9 fit"),
        ("labels", idx(random_pixels(5, 28, 28)), "does not begin like an IDX file of bytes in 1 dimensions"),
    ],
)
def test_damaged_idx_files_are_named(kind, blob, message, tmp_path):
    make_mnist(tmp_path, 5)
    path = tmp_path / f"train-{kind}-idx{mnist.KINDS[kind]}-ubyte.gz"
    path.write_bytes(gzip.compress(blob))
    with pytest.raises(DataError, match=message) as caught:
        len(Mnist(root=str(tmp_path)).open())
    assert str(path) in str(caught.value)


def test_a_gzip_that_is_cut_short_is_named(tmp_path):
    make_mnist(tmp_path, 5)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz cannot be read"):
        prepare("mnist", Mnist(root=str(tmp_path)), tmp_path / "cache")
