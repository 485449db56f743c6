"""CelebAMask-HQ in its two layouts, its splits, its mirrored classes, and what is told of files that do not fit."""

import io
import os
import shutil
from pathlib import Path

import agekit
import numpy as np
import pytest
from agekit.builtin.toyfaces import pairs
from PIL import Image

from agekit_semantic.celebamask import ANNOTATIONS, MAPPING, PARTS, PICTURES, CelebAMask
from agekit_semantic.masks import CLASSES

ORIGINALS = (1, 162770, 162771, 182637, 182638, 202599)


def picture(side, seed):
    """A picture that survives compression: four random colours, blended."""
    colours = np.random.default_rng(seed).integers(0, 256, (2, 2, 3), dtype=np.uint8)
    return Image.fromarray(colours).resize((side, side), Image.Resampling.BICUBIC)


def save(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    stream = io.BytesIO()
    image.save(stream, {".jpg": "JPEG", ".png": "PNG"}[path.suffix])
    path.write_bytes(stream.getvalue())


def whole(side, seed, classes=19):
    """A palette picture of random classes, in blocks of 4×4."""
    values = np.random.default_rng(seed).integers(0, classes, (side // 4, side // 4), dtype=np.uint8)
    image = Image.fromarray(values.repeat(4, axis=0).repeat(4, axis=1), "P")
    image.putpalette(bytes(range(256)) * 3)
    return image


def make_folders(root, count, side=32):
    """Pairs 00000.jpg and 00000.png in images and masks."""
    for index in range(count):
        save(root / "images" / f"{index:05}.jpg", picture(side, index))
        save(root / "masks" / f"{index:05}.png", whole(side, index))


def part(side, seed, top, mode="RGB"):
    """The map of one part: white in a few rows from `top` on, black elsewhere."""
    values = np.zeros((side, side), np.uint8)
    values[top : top + 4, seed % 4 :] = 255
    return Image.fromarray(values).convert(mode)


def make_official(root, originals, side=64):
    """The official tree of pictures 0.jpg, …, each with its number in CelebA; parts are half as large as pictures."""
    root = root / "CelebAMask-HQ"
    lines = ["idx\torig_idx\torig_file"]
    for index, original in enumerate(originals):
        save(root / PICTURES / f"{index}.jpg", picture(side, index))
        for place, name in enumerate(PARTS if index % 2 else PARTS[:6]):
            mode = "RGB" if place % 2 else "L"
            save(root / ANNOTATIONS / "0" / f"{index:05}_{name}.png", part(side // 2, index, place, mode))
        lines.append(f"{index}\t\t{original - 1}\t{original:06}.jpg")
    (root / MAPPING).write_text("\n".join(lines) + "\n")


def read(root, **options):
    source = CelebAMask(root=str(root), **options).open()
    return [source.read(index) for index in range(len(source))]


def names(root, **options):
    source = CelebAMask(root=str(root), **options).open()
    return [Path(source.name(index)).stem for index in range(len(source))]


def test_pairs_in_folders_are_read_as_they_are(tmp_path):
    make_folders(tmp_path, 5)
    for index, sample in enumerate(read(tmp_path, size=32, split="all")):
        assert np.array_equal(sample["mask"], np.asarray(whole(32, index)))
        stored = np.asarray(Image.open(tmp_path / "images" / f"{index:05}.jpg"))
        assert np.array_equal(sample["x"], stored.transpose(2, 0, 1))


def test_every_fourth_pair_is_for_tests(tmp_path):
    make_folders(tmp_path, 9)
    assert names(tmp_path, split="test") == ["00003", "00007"]
    assert sorted(names(tmp_path) + names(tmp_path, split="test")) == names(tmp_path, split="all")


def test_maps_are_resized_to_classes_that_were_there(tmp_path):
    make_folders(tmp_path, 3)
    for size, step in ((8, 4), (64, None)):
        for index, sample in enumerate(read(tmp_path, size=size, split="all")):
            assert sample["x"].shape == (3, size, size)
            stored = np.asarray(whole(32, index))
            wanted = stored[::step, ::step] if step else stored.repeat(2, axis=0).repeat(2, axis=1)
            assert np.array_equal(sample["mask"], wanted)


def test_parts_are_merged_as_the_official_code_does(tmp_path):
    make_official(tmp_path, ORIGINALS)
    samples = read(tmp_path, size=32, split="all")
    assert len(samples) == 6
    for index, sample in enumerate(samples):
        wanted = np.zeros((32, 32), np.uint8)
        for place in range(18 if index % 2 else 6):
            wanted[place : place + 4, index % 4 :] = place + 1
        assert np.array_equal(sample["mask"], wanted)
    assert samples[0]["x"].shape == (3, 32, 32)


def test_the_official_split_is_that_of_the_originals(tmp_path):
    make_official(tmp_path, ORIGINALS)
    assert [names(tmp_path, split=split) for split in ("train", "valid", "test", "all")] == [
        ["0", "1"],
        ["2", "3"],
        ["4", "5"],
        ["0", "1", "2", "3", "4", "5"],
    ]


def test_the_archive_is_read_without_unpacking(tmp_path):
    make_official(tmp_path / "root", ORIGINALS)
    archive = shutil.make_archive(str(tmp_path / "CelebAMask-HQ"), "zip", tmp_path / "root")
    expected = read(tmp_path / "root", size=16, split="all")
    for sample, wanted in zip(read(archive, size=16, split="all"), expected, strict=True):
        assert all(np.array_equal(sample[field], wanted[field]) for field in ("x", "mask"))


def test_files_of_one_layout_have_one_identity(tmp_path):
    make_folders(tmp_path, 4)
    before = CelebAMask(root=str(tmp_path)).open().identity()
    assert CelebAMask(root=str(tmp_path)).open().identity() == before
    assert CelebAMask(root=str(tmp_path), split="all").open().identity() != before
    os.utime(tmp_path / "masks" / "00001.png", ns=(1, 1))
    assert CelebAMask(root=str(tmp_path)).open().identity() != before


def test_flips_exchange_left_and_right():
    field = CelebAMask().fields()["mask"]
    assert field.classes == CLASSES
    assert len(CLASSES) == len(PARTS) + 1 == 19
    assert field.mirrored == pairs(CLASSES) == ((4, 5), (6, 7), (8, 9))


def test_a_picture_that_cannot_be_read_is_left_out(tmp_path):
    make_folders(tmp_path, 2)
    (tmp_path / "images" / "00000.jpg").write_bytes(b"broken")
    (tmp_path / "masks" / "00001.png").write_bytes((tmp_path / "masks" / "00001.png").read_bytes()[:60])
    source = CelebAMask(root=str(tmp_path)).open()
    with pytest.raises(agekit.BrokenSample, match="not a picture"):
        source.read(0)
    with pytest.raises(agekit.BrokenSample, match=r"masks/00001\.png: "):
        source.read(1)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (whole(16, 0), "is 16×16, and its picture 32×32: a mask of the same size fits"),
        (whole(32, 0).resize((32, 16)), "is 32×16, and its picture 32×32: a mask of the same size fits"),
        (
            Image.fromarray(np.full((32, 32), 19, np.uint8)),
            r"holds 19, where the classes 0 \(background\) to 18 \(clothes\) fit",
        ),
        (Image.fromarray(np.arange(1024, dtype=np.uint8).reshape(32, 32)), "holds 19, 20, 21, 22, 23, …, where"),
        (whole(32, 0).convert("RGB"), "is a picture of mode RGB; a palette or grey one of class numbers fits"),
    ],
)
def test_a_mask_that_does_not_fit_is_one_clear_error(mask, message, tmp_path):
    make_folders(tmp_path, 2)
    save(tmp_path / "masks" / "00001.png", mask)
    with pytest.raises(agekit.DataError, match=rf"^{tmp_path}: masks/00001\.png {message}"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("name", "mask", "message"),
    [
        ("00001_nose", part(64, 0, 0), "00001_nose.png is 64×64, and its picture 64×64: parts that are all as large"),
        ("00001_skin", part(16, 0, 0), "00001_skin.png is 16×16, and its picture 64×64: parts that are all as large"),
    ],
)
def test_a_part_of_another_size_is_one_clear_error(name, mask, message, tmp_path):
    make_official(tmp_path, ORIGINALS)
    save(tmp_path / "CelebAMask-HQ" / ANNOTATIONS / "0" / f"{name}.png", mask)
    with pytest.raises(agekit.DataError, match=message):
        read(tmp_path)


def without(*paths):
    def damage(root):
        for path in paths:
            found = list(root.rglob(path))
            assert found
            for one in found:
                one.unlink()

    return damage


def renamed(before, after):
    def damage(root):
        (found,) = root.rglob(before)
        found.rename(found.with_name(after))

    return damage


def written(text):
    def damage(root):
        (found,) = root.rglob(MAPPING)
        found.write_text(f"idx orig_idx orig_file\n{text}\n")

    return damage


@pytest.mark.parametrize(
    ("make", "damage", "message"),
    [
        (
            make_folders,
            without("00001.png", "00003.png"),
            "2 of 4 pictures have no mask, the first is images/00001.jpg",
        ),
        (make_official, without("00001_*.png"), rf"1 of 4 pictures have no mask, the first is .*{PICTURES}/1\.jpg"),
        (make_official, renamed("00001_nose.png", "00001_noze.png"), "unknown part 'noze'; did you mean nose?"),
        (make_official, renamed("1.jpg", "one.jpg"), "one.jpg has no number for a name"),
        (make_official, without(MAPPING), f"has no {MAPPING}, and none of the split 'train'; split = all fits"),
        (make_official, written("0 1"), "is damaged at line 2: found '0 1', where a number"),
        (make_official, written("0 1 2.jpg\n1 1 two.jpg"), "is damaged at line 3: found '1 1 two.jpg'"),
        (make_official, written("0 162771 162772.jpg"), "has pictures of valid, and none of the split 'train'"),
    ],
)
def test_files_that_do_not_fit_together_are_told(make, damage, message, tmp_path):
    make(tmp_path, 4 if make is make_folders else (1, 2, 3, 4))
    damage(tmp_path)
    with pytest.raises(agekit.DataError, match=message):
        CelebAMask(root=str(tmp_path)).open()


def test_folders_have_no_valid_part(tmp_path):
    make_folders(tmp_path, 4)
    with pytest.raises(agekit.DataError, match="has pictures of train, test, and none of the split 'valid'"):
        CelebAMask(root=str(tmp_path), split="valid").open()


def test_what_is_not_there_says_how_to_get_it(tmp_path):
    for root in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(agekit.MissingData, match=r"images/ and masks/, or CelebA-HQ-img/"):
            CelebAMask(root=str(root)).open()


REAL = os.environ.get("AGEKIT_CELEBAMASK", "")


@pytest.mark.skipif(not REAL, reason="AGEKIT_CELEBAMASK names no folder of real pairs")
def test_real_pairs_are_read():
    samples = [*read(REAL), *read(REAL, split="test")]
    masks = np.stack([sample["mask"] for sample in samples])
    assert len(samples) == 200
    assert np.bincount(masks.ravel(), minlength=19).min() > 0
    across = np.arange(masks.shape[2])
    left, right = ((masks == CLASSES.index(f"{side}_eye")).sum(axis=(0, 1)) for side in ("left", "right"))
    assert (left * across).sum() / left.sum() > (right * across).sum() / right.sum()  # the person's own left
