"""CelebA: the published crop, the partition, the attributes, and its several layouts."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from agekit.builtin.celeba import CelebA, published_crop
from agekit.contracts import BrokenSample
from agekit.data.prepare import prepare
from agekit.errors import DataError
from tests.layouts import celeba_lists, encoded, make_celeba, random_pixels, samples, smooth_picture


@pytest.mark.parametrize(("size", "height", "top"), [(64, 78, 7), (32, 39, 3), (128, 157, 14)])
def test_the_published_crop_keeps_rows_7_to_71_of_64_by_78(size, height, top):
    picture = Image.fromarray(random_pixels(218, 178, 3))
    expected = np.asarray(picture.resize((size, height), Image.Resampling.LANCZOS))[top : top + size]
    assert np.array_equal(published_crop(encoded(picture, "PNG"), size), expected.transpose(2, 0, 1))


@pytest.mark.parametrize("width", [45, 89, 178, 267])
@pytest.mark.parametrize("size", [32, 64, 128])
def test_the_crop_shows_the_same_part_at_every_size(width, size):
    height = round(width * 218 / 178)
    levels = 255 * (np.arange(height) + 0.5) / height  # of each row's middle
    ramp = np.broadcast_to(levels.round().astype(np.uint8)[:, None, None], (height, width, 3))
    column = published_crop(encoded(Image.fromarray(ramp.copy()), "PNG"), size)[0, :, size // 2].astype(float)
    rows = (7 + (np.arange(size) + 0.5) * 64 / size) / 78  # where each row's middle is, as a part of the height
    assert abs(column[2:-2] - 255 * rows[2:-2]).max() < 255 / size + 1  # less than a row, and rounding


def test_a_picture_that_is_not_framed_like_celeba_is_broken():
    with pytest.raises(BrokenSample, match=r"64×64.*not framed like 178×218"):
        published_crop(encoded(smooth_picture(64, 64, 0)), 64)


def test_celeba_follows_the_partition_and_the_attributes(tmp_path):
    make_celeba(tmp_path, 3)
    signs = [line.split() for line in (tmp_path / "list_attr_celeba.txt").read_text().splitlines()[2:]]
    expected = {row[0]: [float(sign) for sign in row[1:]] for row in signs}
    seen = []
    for split, count in {"train": 3, "valid": 2, "test": 2, "all": 7}.items():
        source = CelebA.model_validate({"root": str(tmp_path), "split": split}).open()
        names = [source.name(index) for index in range(len(source))]
        assert len(names) == count
        assert [source.read(index)["attributes"].tolist() for index in range(count)] == [expected[n] for n in names]
        seen.extend(names)
    assert seen[:7] == seen[7:] == sorted(expected)


def official_tree(root: Path) -> Path:
    for folder, name in (("Eval", "list_eval_partition.txt"), ("Anno", "list_attr_celeba.txt")):
        (root / folder).mkdir()
        (root / name).rename(root / folder / name)
    (root / "Img").mkdir()
    shutil.make_archive(str(root / "Img" / "img_align_celeba"), "zip", root, "img_align_celeba")
    shutil.rmtree(root / "img_align_celeba")
    return root


def zip_beside_lists(root: Path) -> Path:
    archive = shutil.make_archive(str(root / "img_align_celeba"), "zip", root, "img_align_celeba")
    shutil.rmtree(root / "img_align_celeba")
    return Path(archive)


def zip_of_everything(root: Path) -> Path:
    return Path(shutil.make_archive(str(root.parent / "everything"), "zip", root))


@pytest.mark.parametrize("arrange", [official_tree, zip_beside_lists, zip_of_everything])
def test_celeba_is_found_in_each_of_its_layouts(arrange, tmp_path):
    make_celeba(tmp_path / "plain", 4)
    expected = samples(CelebA(root=str(tmp_path / "plain")))
    shutil.copytree(tmp_path / "plain", tmp_path / "other")
    assert np.array_equal(samples(CelebA(root=str(arrange(tmp_path / "other")))), expected)


def test_a_missing_photograph_is_dropped_and_named(tmp_path):
    make_celeba(tmp_path / "root", 4)
    (tmp_path / "root" / "img_align_celeba" / "000002.jpg").unlink()
    (tmp_path / "root" / "img_align_celeba" / "000004.jpg").write_bytes(b"broken")
    prepared = prepare("celeba", CelebA(root=str(tmp_path / "root")), tmp_path / "cache")
    assert list(prepared.dropped) == ["000002.jpg", "000004.jpg"]
    assert prepared.names == ("000001.jpg", "000003.jpg")


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("list_eval_partition.txt", lambda t: t.replace("000002.jpg 0", "000002.jpg"), "damaged at line 2"),
        ("list_eval_partition.txt", lambda t: t.replace("000002.jpg 0", "000002.jpg 7"), "damaged at line 2"),
        ("list_eval_partition.txt", lambda t: "", "lists no picture of the split 'train'"),
        ("list_attr_celeba.txt", lambda t: "", "announces '' pictures, 0 follow"),
        ("list_attr_celeba.txt", lambda t: t[: t.index("000003.jpg")], "announces '8' pictures, 2 follow"),
        ("list_attr_celeba.txt", lambda t: t.replace("Bald Bangs", "Bangs Bald"), "its second line names 'Bangs'"),
        ("list_attr_celeba.txt", lambda t: t.replace("000001.jpg", "999999.jpg"), "does not list 000001.jpg"),
        ("list_attr_celeba.txt", lambda t: t.replace("000001.jpg", "000001.jpg 2"), "found the attribute '2'"),
        ("list_attr_celeba.txt", lambda t: t.replace("000001.jpg", "000001.jpg 1"), "found 161 attributes of 4"),
    ],
)
def test_damaged_lists_are_named(name, damage, message, tmp_path):
    make_celeba(tmp_path, 4)
    (tmp_path / name).write_text(damage((tmp_path / name).read_text()))
    with pytest.raises(DataError, match=f"{name}.*{message}|{message}.*{name}|{name} {message}"):
        CelebA(root=str(tmp_path)).open()


def test_the_lists_of_the_layouts_have_forty_attributes():
    assert len(celeba_lists([0])["list_attr_celeba.txt"].splitlines()[2].split()) == 41
    attributes = CelebA().fields()["attributes"]
    assert attributes.shape == (40,)
    assert (attributes.classes[0], attributes.classes[31], attributes.classes[39]) == (
        "5_o_Clock_Shadow",
        "Smiling",
        "Young",
    )


def test_a_picture_from_elsewhere_is_framed_as_the_data_set_frames_its_own():
    picture = Image.fromarray(random_pixels(218, 178, 3))
    framed = CelebA(size=32).frame(picture)
    assert framed is not None
    assert np.array_equal(framed, published_crop(encoded(picture, "PNG"), 32))
    assert CelebA(size=32).frame(Image.fromarray(random_pixels(100, 100, 3))) is None
