"""Files and folders that are there whole or not at all, and what killed processes leave of them."""

import errno
import io
import os
import subprocess
import sys

import pytest

from agekit.files import (
    WholeFile,
    folder_beside,
    is_whole,
    place_numbered,
    remove_folder,
    replacing,
    sealed,
    sealed_text,
    temporaries,
    unsealed,
    write_text,
)

LEFT = (
    "import os, pathlib\nfrom agekit.files import {name}\nwith {name}(pathlib.Path({path!r})): os.kill(os.getpid(), 9)"
)


def kill_within(name, path):
    """Leave behind what a process leaves that is killed while it writes."""
    subprocess.run([sys.executable, "-c", LEFT.format(name=name, path=str(path))], check=False, timeout=100)


@pytest.mark.parametrize("name", ["replacing", "folder_beside"])
def test_what_a_killed_process_left_goes_when_the_same_is_written_again(name, tmp_path):
    kill_within(name, tmp_path / "a.b")
    assert len(temporaries(tmp_path)) == 1
    with {"replacing": replacing, "folder_beside": folder_beside}[name](tmp_path / "a.b") as made:
        assert temporaries(tmp_path) == [made]
        if made.is_dir():
            made.rename(tmp_path / "a.b")
    assert temporaries(tmp_path) == []
    assert (tmp_path / "a.b").exists()


def test_what_another_is_writing_is_left_to_it(tmp_path):
    with replacing(tmp_path / "a") as first:
        first.write_text("first")
        write_text(tmp_path / "a", "second")
        assert (tmp_path / "a").read_text() == "second"
    assert (tmp_path / "a").read_text() == "first"
    assert os.listdir(tmp_path) == ["a"]


def test_where_writing_fails_what_was_there_stays(tmp_path):
    write_text(tmp_path / "a", "before")
    with pytest.raises(TypeError):
        write_text(tmp_path / "a", None)  # type: ignore[arg-type]
    assert (tmp_path / "a").read_text() == "before"
    assert os.listdir(tmp_path) == ["a"]


def test_a_folder_is_given_the_number_after_all_others_however_many_come_at_once(tmp_path, monkeypatch):
    numbers = iter([1, 1, 2])
    monkeypatch.setattr("agekit.files._next_number", lambda parent, stem: next(numbers))
    for number in (1, 2):
        with folder_beside(tmp_path / "run") as made:
            (made / "file").touch()
            assert place_numbered(made, tmp_path, "run") == tmp_path / f"run-000{number}"
    assert sorted(os.listdir(tmp_path)) == ["run-0001", "run-0002"]


def test_a_folder_that_is_being_removed_is_gone_under_its_name(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").touch()
    with monkeypatch.context() as patch:
        patch.setattr("agekit.files.shutil.rmtree", lambda *_, **__: None)  # as if killed there
        remove_folder(tmp_path / "a")
    assert not (tmp_path / "a").exists()
    assert [path.name for path in temporaries(tmp_path)] == [".a.old.tmp"]


def test_a_disk_that_takes_a_part_is_asked_again_until_it_refuses(tmp_path):
    class Raw(io.FileIO):
        left = 10

        def write(self, blob):
            Raw.left -= (part := min(3, len(blob), Raw.left))
            return super().write(bytes(blob)[:part])

    class File(WholeFile, Raw):
        pass

    with File(tmp_path / "a", "wb") as stream:
        assert stream.write(b"12345678") == 8
        with pytest.raises(OSError, match="No space left") as refused:
            stream.write(b"abc")
    assert refused.value.errno == errno.ENOSPC
    assert (tmp_path / "a").read_bytes() == b"12345678ab"


def test_what_says_its_own_hash_is_known_where_it_changed():
    said = sealed({"a": 1, "b": [2.5, "x"]})
    assert unsealed(said) == {"a": 1, "b": [2.5, "x"]}
    for other in ({**said, "a": 2}, {**said, "c": 0}, {"a": 1, "b": [2.5, "x"]}):
        with pytest.raises(ValueError, match="its hash is not what it says"):
            unsealed(other)
    text = sealed_text("a = 1\n")
    assert is_whole(text)
    assert not any(is_whole(other) for other in ("a = 1\n", "", text.replace("1", "2", 1), text + "b = 2\n", text[:-1]))
