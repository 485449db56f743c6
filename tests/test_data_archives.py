"""Folders and archives as files by name, and what is said of damaged ones."""

import gzip
import pickle
import zipfile

import pytest

from agekit.data import Folder, Zip, read_file, read_tar
from agekit.data import archives as archives_module
from agekit.errors import DataError
from tests.layouts import write_tar

FILES = {"a/one.txt": b"1", "b.txt": b"22", "z/y/x.txt": b"333"}
HIDDEN = {".b.txt": b"no", "a/.DS_Store": b"no", "__MACOSX/b.txt": b"no"}


@pytest.fixture(params=["folder", "zip"])
def files(request, tmp_path):
    if request.param == "folder":
        for name, blob in (FILES | HIDDEN).items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(blob)
        return Folder(tmp_path)
    with zipfile.ZipFile(tmp_path / "files.zip", "w") as archive:
        for name, blob in reversed((FILES | HIDDEN).items()):
            archive.writestr(name, blob)
    return Zip(tmp_path / "files.zip")


def test_files_are_listed_in_order_and_read_by_name(files):
    assert list(files.stamps()) == list(FILES)
    assert {name: files.read(name) for name in FILES} == FILES


def test_files_travel_to_another_process(files):
    files.stamps()
    assert pickle.loads(pickle.dumps(files)).read("b.txt") == b"22"


def test_a_file_that_is_not_there_is_named(files):
    with pytest.raises(DataError, match=r"nothing\.txt"):
        files.read("nothing.txt")


def test_a_link_to_a_folder_is_followed_and_one_that_leads_up_is_not(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "there.txt").touch()
    (tmp_path / "data" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data" / "up").symlink_to(tmp_path / "data")
    assert list(Folder(tmp_path / "data").stamps()) == ["link/there.txt"]


@pytest.mark.parametrize("blob", [b"", b"no zip archive", b"PK\x03\x04 cut short"])
def test_a_damaged_zip_is_named(tmp_path, blob):
    (tmp_path / "broken.zip").write_bytes(blob)
    with pytest.raises(DataError, match=r"broken\.zip is damaged"):
        Zip(tmp_path / "broken.zip").stamps()


def test_a_damaged_member_is_named_and_the_others_are_read(tmp_path):
    path = tmp_path / "files.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("one", b"the first")
        archive.writestr("two", b"the second")
    path.write_bytes(path.read_bytes().replace(b"the first", b"the worst"))
    assert Zip(path).read("two") == b"the second"
    with pytest.raises(DataError, match=r"files\.zip: one cannot be read.*CRC"):
        Zip(path).read("one")


def test_a_member_that_claims_to_be_huge_is_not_unpacked(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(10_000))
    monkeypatch.setattr(archives_module, "MEMBER_LIMIT_BYTES", 9_999)
    with pytest.raises(DataError, match="zeros is larger than 9999 bytes"):
        Zip(tmp_path / "bomb.zip").read("zeros")


def test_gzip_is_unpacked_by_its_name(tmp_path):
    (tmp_path / "plain").write_bytes(b"text")
    (tmp_path / "packed.gz").write_bytes(gzip.compress(b"text"))
    assert read_file(tmp_path / "plain") == read_file(tmp_path / "packed.gz") == b"text"


@pytest.mark.parametrize(
    "damage", [lambda blob: blob[:-5], lambda blob: b"x" + blob, lambda blob: blob[:-8] + bytes(8)]
)
def test_a_damaged_gzip_is_named(tmp_path, damage):
    (tmp_path / "broken.gz").write_bytes(damage(gzip.compress(b"text" * 100)))
    with pytest.raises(DataError, match=r"broken\.gz"):
        read_file(tmp_path / "broken.gz")


def test_members_of_a_tar_are_read_by_name(tmp_path):
    write_tar(tmp_path / "files.tar.gz", FILES)
    assert read_tar(tmp_path / "files.tar.gz", ["b.txt"]) == {"b.txt": b"22"}


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.9])
def test_a_damaged_tar_is_named(tmp_path, kept):
    path = tmp_path / "broken.tar.gz"
    write_tar(path, {"one": bytes(range(256)) * 100})
    blob = path.read_bytes()
    path.write_bytes(blob[: int(len(blob) * kept)])
    with pytest.raises(DataError, match=r"broken\.tar\.gz is damaged"):
        read_tar(path, ["one"])


def test_a_member_that_a_tar_lacks_is_named(tmp_path):
    write_tar(tmp_path / "files.tar.gz", FILES)
    with pytest.raises(DataError, match=r"files\.tar\.gz.*does not contain c\.txt"):
        read_tar(tmp_path / "files.tar.gz", ["b.txt", "c.txt"])
