"""Preparing: once, whole or not at all, broken samples named."""

import json
import pickle
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agekit.builtin.folder import ImageFolder
from agekit.builtin.mnist import Mnist
from agekit.data import prepare as prepare_module
from agekit.data import reading
from agekit.data.places import cache_home, data_home
from agekit.data.prepare import prepare
from agekit.errors import DataError, PluginError
from tests.layouts import make_image_folder, make_mnist
from tests.numbers import NumberSet, contents, leftovers


def test_every_field_is_a_read_only_array_of_all_samples(tmp_path):
    prepared = prepare("numbers", NumberSet(), tmp_path)
    assert len(prepared) == 150
    assert prepared.fields["x"].shape == (1, 2, 3)
    assert prepared.fields["label"].classes == tuple("0123456789")
    assert np.array_equal(prepared.arrays["x"][:, 0, 1, 2], np.arange(150))
    assert np.array_equal(prepared.arrays["label"], np.arange(150) % 10)
    assert np.array_equal(prepared.arrays["v"][:, 1], np.arange(150, dtype=np.float32))
    assert {str(array.dtype) for array in prepared.arrays.values()} == {"uint8", "float32"}
    assert all(isinstance(array, np.memmap) and not array.flags.writeable for array in prepared.arrays.values())
    assert prepared.names[149] == "number 149"
    assert prepared.dropped == {}


def test_broken_samples_are_named_and_left_out(tmp_path):
    prepared = prepare("numbers", NumberSet(broken=(0, 3, 149)), tmp_path)
    assert prepared.dropped == {f"number {index}": "no such number" for index in (0, 3, 149)}
    assert prepared.arrays["v"][:, 0].tolist() == [index for index in range(150) if index not in (0, 3, 149)]
    assert len(prepared.names) == len(prepared) == 147


def test_a_whole_chunk_may_be_broken(tmp_path):
    prepared = prepare("numbers", NumberSet(broken=tuple(range(reading.CHUNK))), tmp_path)
    assert prepared.arrays["v"][0, 0] == reading.CHUNK


def test_a_data_set_without_one_good_sample_is_refused(tmp_path):
    with pytest.raises(DataError, match="none of"):
        prepare("numbers", NumberSet(count=3, broken=(0, 1, 2)), tmp_path)
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").write_bytes(b"not a picture")
    with pytest.raises(DataError, match=r"none of the 1 samples of mine can be read; the first, a\.png: not a picture"):
        prepare("mine", ImageFolder(root=str(tmp_path / "pictures")), tmp_path / "cache")
    assert leftovers(tmp_path) == leftovers(tmp_path / "cache") == []


def test_it_is_prepared_once_and_again_where_options_or_files_differ(tmp_path):
    first = prepare("numbers", NumberSet(), tmp_path)
    before = contents(first.folder)
    reports: list[tuple[int, int]] = []
    again = prepare("numbers", NumberSet(), tmp_path, progress=lambda done, total: reports.append((done, total)))
    assert (again.folder, contents(again.folder), reports) == (first.folder, before, [])
    others = [prepare("numbers", NumberSet(count=151), tmp_path), prepare("others", NumberSet(), tmp_path)]
    assert len({first.folder, *(other.folder for other in others)}) == 3
    assert others[1].fingerprint == first.fingerprint != others[0].fingerprint


def test_progress_counts_broken_samples_too(tmp_path):
    reports: list[tuple[int, int]] = []
    prepare("n", NumberSet(broken=(1,)), tmp_path, progress=lambda done, total: reports.append((done, total)))
    assert reports == [(64, 150), (128, 150), (150, 150)]


def test_an_interrupted_preparation_leaves_nothing(tmp_path):
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare("numbers", NumberSet(), tmp_path, progress=interrupt)
    assert [path.suffix for path in tmp_path.iterdir()] == [".lock"]
    assert len(prepare("numbers", NumberSet(), tmp_path)) == 150


def test_what_a_killed_process_left_is_cleaned_up(tmp_path):
    folder = prepare("numbers", NumberSet(), tmp_path).folder
    stale = folder.with_name(f".{folder.name}.tmp")
    folder.rename(stale)
    (stale / "x.npy").write_bytes(b"half of it")
    assert np.array_equal(prepare("numbers", NumberSet(), tmp_path).arrays["v"][:, 0], np.arange(150))
    assert leftovers(tmp_path) == []


def test_two_who_prepare_at_once_get_the_same_folder(tmp_path, monkeypatch):
    written: list[int] = []
    original = prepare_module._write

    def write(*arguments: Any) -> None:
        written.append(1)
        original(*arguments)

    monkeypatch.setattr(prepare_module, "_write", write)
    results: list[Any] = []
    start = threading.Barrier(4)

    def work() -> None:
        start.wait()
        results.append(prepare("numbers", NumberSet(), tmp_path))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({result.folder for result in results}) == 1
    assert len(results) == 4
    assert len(written) == 1


@pytest.mark.parametrize(
    ("options", "found"),
    [({"dtype": "u2"}, r"uint16 \[1, 2, 3\]"), ({"rows": 0}, r"uint8 \[2, 3\]"), ({"rows": 2}, r"uint8 \[2, 2, 3\]")],
)
def test_a_sample_that_is_not_as_declared_is_the_plugins_fault(tmp_path, options, found):
    with pytest.raises(PluginError, match=rf"number 0: field x is {found}, where uint8 \[1, '\?', '\?'\] was declared"):
        prepare("numbers", NumberSet(**options), tmp_path)


def test_every_option_asks_for_arrays_of_its_own(tmp_path):
    make_image_folder(tmp_path / "pictures", 2)
    prepared = [prepare("mine", ImageFolder(root=str(tmp_path / "pictures"), size=s), tmp_path) for s in (8, 16)]
    assert [one.fields["x"].shape for one in prepared] == [(3, 8, 8), (3, 16, 16)]


def test_samples_that_a_file_holds_together_are_not_sent_to_workers(tmp_path):
    make_mnist(tmp_path, 100)
    source = Mnist(root=str(tmp_path)).open()
    before = source.read(3)["x"]
    sent = pickle.dumps(source)
    assert len(sent) < 2000
    assert np.array_equal(pickle.loads(sent).read(3)["x"], before)


@pytest.mark.parametrize("name", ["index.json", "x.npy"])
def test_a_damaged_cache_is_named(tmp_path, name):
    folder = prepare("numbers", NumberSet(), tmp_path).folder
    (folder / name).write_bytes((folder / name).read_bytes()[:-5])
    with pytest.raises(DataError, match=rf"{folder.name} is damaged.*delete it"):
        prepare("numbers", NumberSet(), tmp_path)


def test_an_array_of_another_shape_is_not_taken(tmp_path):
    folder = prepare("numbers", NumberSet(), tmp_path).folder
    np.save(folder / "label.npy", np.zeros(149, np.uint8))
    with pytest.raises(DataError, match=r"label\.npy"):
        prepare("numbers", NumberSet(), tmp_path)


def test_a_cache_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="numbers cannot be prepared in"):
        prepare("numbers", NumberSet(), tmp_path / "file" / "cache")


def test_the_index_says_what_is_there(tmp_path):
    prepared = prepare("numbers", NumberSet(broken=(7,)), tmp_path)
    index = json.loads((prepared.folder / "index.json").read_text())
    assert index["count"] == 149
    assert index["fields"]["x"] | {"sha256": ""} == {"dtype": "|u1", "shape": [149, 1, 2, 3], "sha256": ""}
    assert index["dropped"] == {"number 7": "no such number"}
    assert prepared.fingerprint == index["fingerprint"]
    assert prepared.folder.name.startswith("numbers-")


def test_the_homes_follow_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", "/home/someone")
    for variable in ("AGEKIT_CACHE", "AGEKIT_DATA", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(variable, raising=False)
    assert cache_home() == Path("/home/someone/.cache/agekit")
    assert data_home() == Path("/home/someone/.local/share/agekit/datasets")
    monkeypatch.setenv("XDG_CACHE_HOME", "/c")
    monkeypatch.setenv("XDG_DATA_HOME", "/d")
    assert (cache_home(), data_home()) == (Path("/c/agekit"), Path("/d/agekit/datasets"))
    monkeypatch.setenv("AGEKIT_CACHE", "~/cache")
    monkeypatch.setenv("AGEKIT_DATA", "/data")
    assert (cache_home(), data_home()) == (Path("/home/someone/cache"), Path("/data"))
