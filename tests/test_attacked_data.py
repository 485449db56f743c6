"""Damaged and hostile data: read, left out by name, or refused in a `DataError`; in bounded memory."""

import gzip
import io
import os

import numpy as np
import pytest
from PIL import Image

from agekit.builtin.folder import ImageFolder
from agekit.contracts import BrokenSample
from agekit.data import archives
from agekit.data.images import SUFFIXES, decode
from agekit.data.prepare import prepare
from agekit.errors import DataError

from .attacks import data
from .attacks.judging import bounded
from .layouts import LAYOUTS
from .test_data_sets import SETS


def read(blob):
    """Whether a picture was read; it is whole and 8-bit where it was."""
    try:
        image = decode(blob)
    except BrokenSample:
        return False
    assert image.mode == "RGB"
    assert image.size > (0, 0)
    return True


@pytest.mark.parametrize("kind", sorted(data.MODES))
def test_pictures_of_every_kind_are_read_or_left_out(kind):
    whole = {mode: data.encoded(data.of_mode(mode), kind) for mode in data.MODES[kind]}
    assert all(read(blob) for blob in whole.values())
    with bounded(seconds=60):
        verdicts = [read(blob) for blob in whole.values() for blob in data.damages(blob, 40)]
    assert not all(verdicts)


def test_every_suffix_is_of_a_kind_that_is_attacked():
    spelt = {".jpg": "JPEG", ".jpeg": "JPEG", ".tif": "TIFF", ".pgm": "PPM"}
    assert {spelt.get(suffix, suffix[1:].upper()) for suffix in SUFFIXES} == data.MODES.keys()


def test_animations_show_their_first_frame_and_exif_turns():
    frames = [data.picture(seed=seed).quantize() for seed in range(3)]
    stream = io.BytesIO()
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    assert np.array_equal(np.asarray(decode(stream.getvalue())), np.asarray(frames[0].convert("RGB")))
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decode(data.encoded(data.picture(size=(10, 20)), "JPEG", exif=exif)).size == (10, 20)


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        b"\0",
        data.png_of(1_000_000, 1_000_000),
        data.png_of(0, 5),
        data.png_of(2**31 - 1, 2**31 - 1),
        b"P6 99999 99999 255\n",
        b"GIF89a\xff\xff\xff\xff\0\0\0",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n",
    ],
)
def test_bombs_and_other_programs_files_are_not_unpacked(blob):
    with bounded():
        assert not read(blob)


def test_a_picture_is_not_handed_to_another_program(monkeypatch):
    import PIL.EpsImagePlugin

    monkeypatch.setattr(PIL.EpsImagePlugin, "Ghostscript", lambda *_, **__: pytest.fail("ghostscript was started"))
    assert not read(data.encoded(data.picture(), "EPS"))


def prepared(root, tmp_path):
    return prepare("image_folder", ImageFolder(root=str(root), size=8), tmp_path / "cache", workers=1)


def test_names_that_are_odd_or_no_text(tmp_path):
    root = tmp_path / "pictures"
    root.mkdir()
    blob = data.encoded(data.picture(), "PNG")
    for name in data.NAMES:
        (root / name).write_bytes(blob)
    with open(os.path.join(os.fsencode(root), data.RAW_NAME), "wb") as file:
        file.write(blob)
    assert sorted(prepared(root, tmp_path).names) == sorted([*data.NAMES, os.fsdecode(data.RAW_NAME)])


def test_links_pipes_and_devices_in_a_folder(tmp_path):
    root = tmp_path / "pictures"
    (root / "inner").mkdir(parents=True)
    (root / "good.png").write_bytes(data.encoded(data.picture(), "PNG"))
    (root / "empty.png").touch()
    os.mkfifo(root / "pipe.png")
    for name, target in {"self": "self.png", "nothing": "nowhere", "device": "/dev/zero"}.items():
        (root / f"{name}.png").symlink_to(target)
    (root / "inner" / "up").symlink_to(root, target_is_directory=True)
    with bounded():
        made = prepared(root, tmp_path)
    assert made.names == ("good.png",)
    assert made.dropped == {"empty.png": "not a picture of a known format"}


def test_folders_in_folders_end(tmp_path):
    deep = tmp_path / "pictures" / "/".join("a" * (archives.DEEPEST + 2))
    deep.mkdir(parents=True)
    with pytest.raises(DataError, match="more than 100 folders in each other"):
        prepared(tmp_path / "pictures", tmp_path)


ZIPS = {
    "..": (lambda path: data.zip_of(path, {"../out.png": b"x", "/abs.png": b"x", "a/../b.png": b"x"}), None),
    "a link": (data.zip_of_links, {"good.png"}),
    "a name twice": (data.zip_of_twins, None),
    "an encrypted member": (data.zip_encrypted, None),
    "a size of 4 GB that is said": (lambda path: data.zip_that_lies(path, 2**32 - 2), None),
    "a size of 1 byte that is said": (lambda path: data.zip_that_lies(path, 1), None),
    "a bomb": (lambda path: data.zip_bomb(path, 300), None),
    "a zip in it": (
        lambda path: data.zip_of(path, {"inner.zip": b"PK", "inner.png": b"PK\x05\x06" + b"\0" * 18}),
        None,
    ),
    "nothing": (lambda path: data.zip_of(path, {}), None),
    "no zip": (lambda path: path.write_bytes(b"PK\x03\x04"), None),
}


@pytest.mark.parametrize("name", ZIPS)
def test_archives_are_read_or_refused_and_nothing_is_written(name, tmp_path):
    make, kept = ZIPS[name]
    make(tmp_path / "pictures.zip")
    with bounded(seconds=30):
        if kept is None:
            with pytest.raises(DataError, match=r"pictures\.zip|none of the"):
                prepared(tmp_path / "pictures.zip", tmp_path)
        else:
            assert set(prepared(tmp_path / "pictures.zip", tmp_path).names) == kept
    assert {entry.name for entry in tmp_path.iterdir()} <= {"pictures.zip", "cache"}


@pytest.mark.slow
def test_many_members_take_bounded_time_and_memory(tmp_path):
    data.zip_of_many(tmp_path / "pictures.zip", 1_000_000)
    with bounded(seconds=60, megabytes=2000):
        assert len(archives.Zip(tmp_path / "pictures.zip").stamps()) == 1_000_000


def test_what_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MEMBER_LIMIT_BYTES", 1000)
    for name, blob in {"a.gz": gzip.compress(b"0" * 1001), "a": b"0" * 1001}.items():
        (tmp_path / name).write_bytes(blob)
        with pytest.raises(DataError, match="is larger than 1000 bytes"):
            archives.read_file(tmp_path / name)


def told(error, *parts):
    """An error says at least one of these."""
    assert any(part in str(error) for part in parts), str(error)


def test_damaged_zips_are_read_or_refused(tmp_path):
    path = tmp_path / "pictures.zip"
    data.zip_of(path, {f"{n}.png": data.encoded(data.picture(seed=n), "PNG") for n in range(3)})
    for blob in [*data.damages(path.read_bytes(), 150)]:
        path.write_bytes(blob)
        try:
            source = ImageFolder(root=str(path), size=8).open()
        except DataError:
            continue
        for index in range(len(source)):
            try:
                source.read(index)
            except BrokenSample:
                continue


def test_tars_with_links_and_many_members_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "a.tar"
    data.tar_of(path, ("../out", b"x", ""), ("batch", b"", "/etc/passwd"))
    with pytest.raises(DataError, match="does not contain batch"):
        archives.read_tar(path, ["batch"])
    monkeypatch.setattr(archives, "MEMBER_LIMIT", 5)
    data.tar_of(path, *((f"{n}", b"", "") for n in range(6)), ("batch", b"x", ""))
    with pytest.raises(DataError, match="more than 5 members"):
        archives.read_tar(path, ["batch"])
    monkeypatch.setattr(archives, "MEMBER_LIMIT_BYTES", 10)
    data.tar_of(path, ("batch", b"x" * 11, ""))
    with pytest.raises(DataError, match="batch is larger than 10 bytes"):
        archives.read_tar(path, ["batch"])


@pytest.mark.parametrize("name", sorted(set(SETS) - {"image_folder"}))
def test_damaged_files_of_every_data_set_are_told(name, tmp_path):
    LAYOUTS[name](tmp_path / "root", 5)
    files = sorted(path for path in (tmp_path / "root").rglob("*") if path.is_file())
    named = [path for path in files if path.suffix not in (".JPEG", ".jpg")]
    for path in [*named, *files[:1]]:
        whole = path.read_bytes()
        for blob in data.damages(whole, 12):
            path.write_bytes(blob)
            try:
                prepare(name, SETS[name](root=str(tmp_path / "root")), tmp_path / "cache", workers=1)
            except DataError as error:
                told(error, str(tmp_path), path.name)
        path.write_bytes(whole)


def test_damaged_prepared_data_is_told_or_as_it_was(tmp_path):
    root = tmp_path / "pictures"
    root.mkdir()
    (root / "good.png").write_bytes(data.encoded(data.picture(), "PNG"))
    folder = prepared(root, tmp_path).folder
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        for blob in (b"", *data.damages(whole, 60)):
            path.write_bytes(blob)
            try:
                assert len(prepared(root, tmp_path)) == 1
            except DataError as error:
                told(error, "prepared again")
        path.write_bytes(whole)
