"""What holds for every built-in data set in files."""

import pytest
from pydantic import ValidationError

from agekit.builtin.celeba import CelebA
from agekit.builtin.cifar import Cifar10
from agekit.builtin.folder import ImageFolder
from agekit.builtin.mnist import FashionMnist, Mnist
from agekit.builtin.svhn import Svhn
from agekit.builtin.tiny_imagenet import TinyImageNet
from agekit.data import LocalDataset
from agekit.data.prepare import prepare
from agekit.errors import MissingData
from tests.layouts import LAYOUTS, samples

SETS: dict[str, type[LocalDataset]] = {
    "celeba": CelebA,
    "cifar10": Cifar10,
    "fashion_mnist": FashionMnist,
    "image_folder": ImageFolder,
    "mnist": Mnist,
    "svhn": Svhn,
    "tiny_imagenet": TinyImageNet,
}
HELD_OUT = {"celeba": "test", "cifar10": "test", "fashion_mnist": "test", "svhn": "test", "tiny_imagenet": "valid"}


@pytest.mark.parametrize("name", sorted(SETS))
def test_a_small_official_layout_is_prepared_with_default_options(name, tmp_path):
    LAYOUTS[name](tmp_path / "root", 12)
    prepared = prepare(name, SETS[name](root=str(tmp_path / "root")), tmp_path / "cache")
    assert len(prepared) >= 12
    assert prepared.dropped == {}
    assert prepared.fields["x"].shape[1:] == prepared.arrays["x"].shape[2:]
    assert prepared.fields.keys() == prepared.arrays.keys()


def test_every_layout_belongs_to_a_data_set():
    assert sorted(LAYOUTS) == sorted(SETS)
    assert len(SETS) == 7
    assert all(dataset.folder == name and dataset.licence for name, dataset in SETS.items())


@pytest.mark.parametrize("name", sorted(SETS))
def test_the_data_home_is_where_it_is_looked_for(name, tmp_path, monkeypatch):
    monkeypatch.setenv("AGEKIT_DATA", str(tmp_path))
    LAYOUTS[name](tmp_path / name, 5)
    assert len(SETS[name]().open()) >= 5


@pytest.mark.parametrize("name", sorted(SETS))
@pytest.mark.parametrize("there", [None, "other.txt"])
def test_a_missing_data_set_says_the_ways_to_get_it(name, there, tmp_path, monkeypatch):
    monkeypatch.setenv("AGEKIT_DATA", str(tmp_path))
    if there:
        (tmp_path / name).mkdir()
        (tmp_path / name / there).touch()
    with pytest.raises(MissingData) as caught:
        SETS[name]().open()
    message = str(caught.value)
    assert message.startswith(f"{name} is not in {tmp_path / name}: there is {there or 'no such folder'}")
    assert SETS[name].layout in message
    assert SETS[name].homepage in message
    assert "--set data.root=" in message
    assert (f"agekit data get {name}" in message) == bool(SETS[name].downloads)


def test_most_sets_can_be_fetched_and_every_file_of_them_can_be_verified():
    downloads = [download for dataset in SETS.values() for download in dataset.downloads]
    assert {name for name, dataset in SETS.items() if dataset.downloads} == SETS.keys() - {"celeba", "image_folder"}
    assert all(download.url.startswith("https://") and download.bytes > 1000 for download in downloads)
    assert all(len(download.sha256) == 64 or len(download.md5) == 32 for download in downloads)


@pytest.mark.parametrize("name", sorted(SETS))
@pytest.mark.parametrize("options", [{"size": 4}, {"size": "64"}, {"split": "half"}, {"colour": True}])
def test_options_that_do_not_fit_are_refused(name, options):
    with pytest.raises(ValidationError):
        SETS[name](**options)


@pytest.mark.parametrize("name", sorted(SETS))
def test_the_identity_changes_with_the_files(name, tmp_path):
    LAYOUTS[name](tmp_path, 6)
    before = SETS[name](root=str(tmp_path)).open().identity()
    assert SETS[name](root=str(tmp_path)).open().identity() == before
    LAYOUTS[name](tmp_path, 7)
    assert SETS[name](root=str(tmp_path)).open().identity() != before


@pytest.mark.parametrize("name", sorted(HELD_OUT))
def test_the_other_split_holds_other_samples(name, tmp_path):
    LAYOUTS[name](tmp_path, 20)
    train, other = (samples(SETS[name](root=str(tmp_path), **o)) for o in ({}, {"split": HELD_OUT[name]}))
    assert not {picture.tobytes() for picture in train} & {picture.tobytes() for picture in other}
    assert len(other) > 0


@pytest.mark.parametrize("name", sorted(SETS))
@pytest.mark.parametrize("size", [16, 48])
def test_any_size_can_be_asked_for(name, size, tmp_path):
    LAYOUTS[name](tmp_path, 5)
    dataset = SETS[name].model_validate({"root": str(tmp_path), "size": size})
    assert samples(dataset).shape[1:] == dataset.fields()["x"].shape
    assert samples(dataset).shape[2:] == (size, size)
