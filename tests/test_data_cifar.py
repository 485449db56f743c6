"""CIFAR-10: both archives, and pickles that want to run something."""

import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from agekit.builtin import cifar
from agekit.builtin.cifar import Cifar10
from agekit.errors import DataError
from tests.layouts import (
    cifar_batches,
    make_cifar10_binary,
    make_cifar10_python,
    python2_pickle,
    random_pixels,
    samples,
    write_tar,
)


@pytest.mark.parametrize("make", [make_cifar10_binary, make_cifar10_python])
@pytest.mark.parametrize("where", ["archive in root", "archive", "folder in root", "folder"])
def test_cifar_is_read_from_both_archives_and_what_they_unpack_to(make, where, tmp_path):
    make(tmp_path, 20)
    root = next(tmp_path.iterdir())
    if "folder" in where:
        shutil.unpack_archive(root, tmp_path, filter="data")
        root.unlink()
        root = next(tmp_path.iterdir())
    dataset = Cifar10(root=str(tmp_path if "in root" in where else root))
    batches = [batch for name, batch in cifar_batches(20).items() if name.startswith("data")]
    expected = np.concatenate([pictures.reshape(-1, 3, 32, 32) for _, pictures in batches])
    assert np.array_equal(samples(dataset), expected)
    assert samples(dataset, "label").tolist() == [label for labels, _ in batches for label in labels]


def test_the_layout_is_a_pickle_as_numpy_wrote_it():
    value = {b"data": random_pixels(2, 3072), b"labels": [3, 4], b"batch_label": b"a batch"}
    plain = pickle.loads(python2_pickle(value), encoding="bytes")
    assert plain.keys() == value.keys()
    assert np.array_equal(plain[b"data"], random_pixels(2, 3072))
    assert plain[b"labels"] == [3, 4]


class Attack:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


def one_batch(folder: Path, blob: bytes) -> Cifar10:
    batches = folder / "cifar-10-batches-py"
    batches.mkdir()
    for number in range(1, 6):
        (batches / f"data_batch_{number}").write_bytes(blob)
    return Cifar10(root=str(folder))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_malicious_pickle_is_refused_and_does_not_run(protocol, tmp_path):
    marker = tmp_path / "it ran"
    blob = pickle.dumps({"data": Attack(marker), "labels": [0]}, protocol)
    with pytest.raises(DataError, match=r"data_batch_1 is damaged.*it names (posix|os)\.mkdir"):
        len(one_batch(tmp_path, blob).open())
    assert not marker.exists()
    pickle.loads(blob)
    assert marker.exists()  # so the attack is one


@pytest.mark.parametrize(
    "value",
    [
        [],
        {b"labels": [0]},
        {b"labels": [0], b"data": b"text"},
        {b"labels": [0], b"data": random_pixels(2, 3072)},
        {b"labels": [0], b"data": random_pixels(1, 3071)},
        {b"labels": [0, 1], b"data": np.asfortranarray(random_pixels(2, 3072))},
        {b"labels": [0], b"data": np.zeros((1, 3072), np.float32)},
        {b"labels": [300], b"data": random_pixels(1, 3072)},
        {b"labels": [10], b"data": random_pixels(1, 3072)},
    ],
)
def test_a_pickle_that_holds_anything_else_is_refused(value, tmp_path):
    with pytest.raises(DataError, match="damaged"):
        len(one_batch(tmp_path, python2_pickle(value)).open())


def test_an_array_of_objects_is_refused_before_it_is_made(tmp_path):
    blob = python2_pickle({b"labels": [0], b"data": np.array([[None] * 3072])})
    with pytest.raises(DataError, match="damaged"):
        len(one_batch(tmp_path, blob).open())


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"data_batch_1.bin": bytes(3072)}, "found 3072 bytes, where a multiple of 3073 fits"),
        ({"data_batch_1.bin": b""}, "found 0 bytes"),
        ({"data_batch_5.bin": b"\x0a" + bytes(3072)}, "found label 10"),
        ({"data_batch_5.bin": None}, r"does not contain cifar-10-batches-bin/data_batch_5\.bin"),
    ],
)
def test_damaged_binary_batches_are_named(members, message, tmp_path):
    good = {f"data_batch_{number}.bin": bytes(3073) for number in range(1, 6)}
    files = {f"{cifar.BINARY}/{name}": blob for name, blob in (good | members).items() if blob is not None}
    write_tar(tmp_path / "cifar-10-binary.tar.gz", files)
    with pytest.raises(DataError, match=message) as caught:
        len(Cifar10(root=str(tmp_path)).open())
    assert "cifar-10-binary.tar.gz" in str(caught.value)


def test_a_missing_batch_is_named(tmp_path):
    make_cifar10_binary(tmp_path, 5)
    shutil.unpack_archive(tmp_path / "cifar-10-binary.tar.gz", tmp_path, filter="data")
    (tmp_path / cifar.BINARY / "data_batch_3.bin").unlink()
    with pytest.raises(DataError, match=r"data_batch_3\.bin is not there"):
        Cifar10(root=str(tmp_path)).open()
