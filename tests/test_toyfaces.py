"""The generated faces: the same everywhere, their parse maps exact, and their mirror images known."""

import hashlib
import pickle
from functools import partial

import numpy as np
import pydantic
import pytest

from agekit.builtin.drawing import Canvas, box, ellipse, grid, ramp
from agekit.builtin.portrait import BACKGROUNDS, CLASSES, CLOTHES, HAIRS, STYLES, Portrait
from agekit.builtin.toyfaces import FACTORS, VERSION, ToyFaces, draw_factors

DTYPES = {"image": np.uint8, "classes": np.uint8, "vector": np.float32}


def stack(faces: ToyFaces, field: str) -> np.ndarray:
    source = faces.open()
    return np.stack([source.read(i)[field] for i in range(len(source))])


@pytest.mark.parametrize("size", [16, 32, 64, 128, 256])
def test_what_is_read_is_what_the_fields_promise(size):
    faces = ToyFaces(size=size, count=2)
    sample = faces.open().read(1)
    assert list(sample) == list(faces.fields())
    for name, field in faces.fields().items():
        assert sample[name].shape == field.shape
        assert sample[name].dtype == DTYPES[field.values]


def test_a_face_depends_on_nothing_but_seed_split_index_and_size():
    source = ToyFaces(count=8).open()
    first = source.read(5)
    np.random.seed(1)
    source.read(2)
    again = pickle.loads(pickle.dumps(ToyFaces(count=6).open())).read(5)
    for name, value in first.items():
        np.testing.assert_array_equal(value, again[name])


def test_the_pictures_of_this_version_are_pinned():
    """Where this fails, the drawing has changed: raise VERSION, so that prepared data are made anew."""
    digest = hashlib.sha256()
    for size in (16, 32, 64):
        for sample in map(ToyFaces(size=size, count=8).open().read, range(8)):
            digest.update(sample["x"].tobytes() + sample["mask"].tobytes() + sample["factors"].tobytes())
    assert (VERSION, digest.hexdigest()[:16]) == (1, "3de4b90c1d4df8e1")


def test_a_face_is_the_same_person_at_every_size():
    small, large = (ToyFaces(size=size, count=4).open() for size in (32, 128))
    for i in range(4):
        np.testing.assert_array_equal(small.read(i)["factors"], large.read(i)["factors"])
        halved = large.read(i)["x"].reshape(3, 32, 4, 32, 4).mean((2, 4))
        assert np.abs(halved - small.read(i)["x"]).mean() < 4


def test_seeds_splits_and_indices_give_other_faces():
    kinds = [ToyFaces(count=8, seed=seed, split=split) for seed in (0, 1) for split in ("train", "test")]
    pictures = np.concatenate([stack(faces, "x") for faces in kinds])
    assert len(np.unique(pictures, axis=0)) == 32
    assert len({faces.open().identity() for faces in kinds}) == 4


@pytest.mark.parametrize("index", range(24))
def test_exchanging_left_and_right_draws_the_mirror_image(index):
    faces = ToyFaces(count=24)
    factors, style = draw_factors(0, 0, index)
    names = list(FACTORS)
    flipped = dict(factors)
    for left, right in faces.fields()["factors"].mirrored:
        flipped[names[left]], flipped[names[right]] = factors[names[right]], factors[names[left]]
    swap = np.arange(len(CLASSES), dtype=np.uint8)
    for left, right in faces.fields()["mask"].mirrored:
        swap[[left, right]] = right, left

    canvas, mirror = (Portrait(at, STYLES[style], 32).draw() for at in (factors, flipped))
    assert factors != flipped
    np.testing.assert_array_equal(mirror.pixels(), canvas.pixels()[:, :, ::-1])
    np.testing.assert_array_equal(mirror.classes, swap[canvas.classes][:, ::-1])


def test_pairs_are_of_left_and_right():
    for field in (ToyFaces().fields()[name] for name in ("mask", "factors")):
        assert len(field.mirrored) == sum(name.count("left") for name in field.classes) > 0
        for left, right in field.mirrored:
            assert field.classes[left].replace("left", "right") == field.classes[right]


@pytest.mark.parametrize("shape", [ellipse, partial(box, corner=0.1)])
def test_a_pixel_is_of_a_class_where_the_shape_covers_half_of_it(shape):
    canvas = Canvas(256, np.zeros(3, np.float32), pixel=2 / 256)
    x, y = grid(256)
    canvas.paint(shape(x - 0.13, y + 0.2, a=0.41, b=0.37), np.ones(3, np.float32), 1)
    np.testing.assert_array_equal(canvas.classes == 1, canvas.picture[0] >= 0.5)
    area = {ellipse: np.pi * 0.41 * 0.37}.get(shape, 4 * 0.41 * 0.37 - (4 - np.pi) * 0.1**2)
    assert canvas.picture[0].mean() * 4 == pytest.approx(area, rel=2e-3)
    assert canvas.classes.mean() * 4 == pytest.approx(area, rel=1e-2)


def interior(mask: np.ndarray, kind: str) -> np.ndarray:
    """The pixels of a class with a neighbourhood of one class."""
    own: np.ndarray = mask == CLASSES.index(kind)
    near = np.pad(own, 1, mode="edge")
    inside: np.ndarray = np.logical_and.reduce(
        [near[i : i + len(own), j : j + len(own)] for i in range(3) for j in range(3)]
    )
    return inside


@pytest.mark.parametrize(("kind", "colours"), [("background", BACKGROUNDS), ("clothes", CLOTHES), ("hair", HAIRS)])
def test_the_parse_map_agrees_with_the_picture(kind, colours):
    """A pixel inside a class has that class's colour, and where that colour stands alone, it has that class."""
    source, seen = ToyFaces(size=64, count=40).open(), 0
    for sample in map(source.read, range(40)):
        if kind == "hair" and STYLES[sample["label"]] in ("bob", "long"):  # two shades of it
            continue
        at = sample["factors"][list(FACTORS).index(kind)]
        error = np.abs(sample["x"] - 255 * ramp(colours, float(at))[:, None, None]).max(0)
        inside = interior(sample["mask"], kind)
        assert (error[inside] < 1).mean() > 0.99  # all but where another shape's tip is too thin to own a pixel
        assert (sample["mask"] == CLASSES.index(kind))[error < 1].mean() > 0.99
        seen += inside.sum()
    assert seen > 40 * 64


def test_left_parts_are_at_the_left():
    masks = stack(ToyFaces(count=64), "mask")
    place = np.arange(32)[None, None, :]
    for part in ("eye", "brow", "ear"):
        left, right = (
            [np.mean((place * (mask == kind)[None]).sum() / max((mask == kind).sum(), 1)) for mask in masks]
            for kind in (CLASSES.index(f"left_{part}"), CLASSES.index(f"right_{part}"))
        )
        assert np.mean(left) < np.mean(right)


def test_every_class_style_and_range_is_met():
    faces = ToyFaces(count=400)
    factors = stack(faces, "factors")
    assert np.unique(stack(faces, "mask")).tolist() == list(range(len(CLASSES)))
    assert np.unique(stack(faces, "label")).tolist() == list(range(len(STYLES)))
    assert factors.shape[1] == len(FACTORS)
    assert (factors.min(0) >= 0).all()
    assert (factors.min(0) < 0.1).all()
    assert (factors.max(0) <= 1).all()
    assert (factors.max(0) > 0.9).all()


@pytest.mark.parametrize("wrong", [{"size": 48}, {"size": 8}, {"count": 0}, {"seed": -1}, {"split": "valid"}])
def test_options_that_mean_nothing_are_refused(wrong):
    with pytest.raises(pydantic.ValidationError):
        ToyFaces(**wrong)
