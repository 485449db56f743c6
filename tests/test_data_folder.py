"""A user's own pictures."""

import shutil

import numpy as np
import pytest
from PIL import Image

from agekit.builtin.folder import ImageFolder
from agekit.data import pixels
from agekit.errors import DataError
from tests.layouts import encoded, make_image_folder, random_pixels, samples


def test_a_folder_is_cut_squeezed_and_grey_as_asked(tmp_path):
    picture = Image.fromarray(random_pixels(8, 12, 3))
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "one.PNG").write_bytes(encoded(picture, "PNG"))
    (tmp_path / "notes.txt").touch()
    root = str(tmp_path)
    cut = pixels(picture)[:, :, 2:10]
    assert np.array_equal(samples(ImageFolder(root=root, size=8))[0], cut)
    squeezed = np.asarray(picture.resize((8, 8), Image.Resampling.LANCZOS)).transpose(2, 0, 1)
    assert np.array_equal(samples(ImageFolder(root=root, size=8, crop=False))[0], squeezed)
    grey = np.asarray(picture.convert("L"))[None, :, 2:10]
    assert np.array_equal(samples(ImageFolder(root=root, size=8, channels="grey"))[0], grey)


def test_a_zip_of_pictures_is_read_as_its_folder_is(tmp_path):
    make_image_folder(tmp_path / "pictures", 7)
    archive = shutil.make_archive(str(tmp_path / "pictures"), "zip", tmp_path / "pictures")
    from_folder, from_zip = (samples(ImageFolder(root=str(root))) for root in (tmp_path / "pictures", archive))
    assert np.array_equal(from_folder, from_zip)


def test_sub_folders_are_classes_where_they_are_named(tmp_path):
    make_image_folder(tmp_path, 7)
    assert "label" not in ImageFolder(root=str(tmp_path)).fields()
    both = ImageFolder(root=str(tmp_path), classes=("right", "left"))
    assert both.fields()["label"].classes == ("right", "left")
    assert samples(both, "label").tolist() == [1, 1, 1, 1, 0, 0, 0]
    assert len(ImageFolder(root=str(tmp_path), classes=("right",)).open()) == 3
    with pytest.raises(DataError, match="no picture in a folder 'up'"):
        ImageFolder(root=str(tmp_path), classes=("left", "up")).open()


def test_a_file_that_is_no_archive_is_named(tmp_path):
    (tmp_path / "pictures.rar").write_bytes(b"Rar!")
    with pytest.raises(DataError, match=r"pictures\.rar is damaged, or no zip archive"):
        ImageFolder(root=str(tmp_path / "pictures.rar")).open()
