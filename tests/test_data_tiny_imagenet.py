"""Tiny ImageNet: its zip, what it unpacks to, and damaged ones."""

import io
import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image

from agekit.builtin import tiny_imagenet
from agekit.builtin.tiny_imagenet import TinyImageNet
from agekit.data import pixels
from agekit.errors import DataError
from tests.layouts import encoded, make_tiny_imagenet, samples, smooth_picture


@pytest.mark.parametrize("where", ["zip in root", "zip", "folder in root", "folder"])
def test_tiny_imagenet_is_read_from_its_zip_and_what_it_unpacks_to(where, tmp_path):
    make_tiny_imagenet(tmp_path, 5)
    root = tmp_path / "tiny-imagenet-200.zip"
    if "folder" in where:
        shutil.unpack_archive(root, tmp_path)
        root.unlink()
        root = tmp_path / "tiny-imagenet-200"
    chosen = str(tmp_path if "in root" in where else root)
    source = TinyImageNet(root=chosen).open()
    # By class, then by name: the classes are the 1st, the 2nd and the last of all.
    assert samples(TinyImageNet(root=chosen), "label").tolist() == [0, 0, 1, 1, 199]
    assert source.name(1).endswith("train/n01443537/images/n01443537_3.JPEG")
    decoded = pixels(Image.open(io.BytesIO(encoded(smooth_picture(64, 64, 3)))))
    assert np.array_equal(source.read(1)["x"], decoded)
    assert samples(TinyImageNet(root=chosen, split="valid"), "label").tolist() == [0, 1, 199]


def test_tiny_imagenet_has_200_classes():
    assert len(set(tiny_imagenet.CLASSES)) == 200
    assert list(tiny_imagenet.CLASSES) == sorted(tiny_imagenet.CLASSES)


@pytest.mark.parametrize(
    ("members", "split", "message"),
    [
        ({"train/n99999999/images/a.JPEG": b""}, "train", "n99999999 is not a class of Tiny ImageNet"),
        ({"train/readme.txt": b""}, "train", "holds no picture of the split 'train'"),
        ({"val/images/a.JPEG": b""}, "valid", r"there is no val/val_annotations\.txt"),
        ({"val/val_annotations.txt": b"a.JPEG n01443537\n"}, "valid", "a line has no class"),
    ],
)
def test_a_damaged_tiny_imagenet_is_named(members, split, message, tmp_path):
    with zipfile.ZipFile(tmp_path / "tiny-imagenet-200.zip", "w") as archive:
        for name, blob in members.items():
            archive.writestr(f"tiny-imagenet-200/{name}", blob)
    with pytest.raises(DataError, match=rf"tiny-imagenet-200\.zip.*{message}"):
        TinyImageNet(root=str(tmp_path), split=split).open()
