"""Stanford Cars: small data sets in the official layout, and damaged ones."""

import importlib.util
import io
import pickle

import agekit
import numpy as np
import pytest
from agekit.data import resize
from agekit.data.prepare import prepare
from PIL import Image
from scipy.io import savemat

from agekit_color.cars import Cars

NAMES = [f"Maker Model {number} Coupe 2012" for number in range(1, 197)]
SIZES = {"train": 7, "test": 3}
FILES = {"train": "cars_train_annos.mat", "test": "cars_test_annos_withlabels.mat"}
FIELDS = ("bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2", "class", "fname")
BOXES = [(3, 5, 40, 30), (1, 1, 60, 44), (11, 12, 12, 13), (30, 2, 55, 41)]


def photograph(index, size=(60, 44)):
    """A picture that says of every pixel where it is: red grows to the right, green downwards."""
    columns, rows = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    return Image.fromarray(np.stack([columns * 4, rows * 4, np.full_like(rows, index)], axis=2).astype(np.uint8))


def annotations(rows):
    """A struct array as MATLAB saves it: [1, n], with one field for each column."""
    types = [(name, object) for name in FIELDS]
    return {"annotations": np.array([tuple(row) for row in rows], dtype=types)[None]}


def rows_of(split):
    return [
        (*BOXES[index % len(BOXES)], (index * 37) % 196 + 1, f"{index + 1:05}.jpg") for index in range(SIZES[split])
    ]


def make_cars(root, labels_beside=False):
    """Both splits with 7 and 3 photographs (kept as PNG inside, so that their pixels are exact), and the kit."""
    (root / "devkit").mkdir(parents=True)
    cell = np.empty((1, len(NAMES)), object)
    cell[0] = NAMES
    savemat(root / "devkit" / "cars_meta.mat", {"class_names": cell})
    for split, file in FILES.items():
        (root / f"cars_{split}").mkdir()
        for index in range(SIZES[split]):
            photograph(index + 100 * (split == "test")).save(root / f"cars_{split}" / f"{index + 1:05}.jpg", "PNG")
        savemat((root if labels_beside and split == "test" else root / "devkit") / file, annotations(rows_of(split)))
    return root


def cars(root, **options):
    return Cars(root=str(root), **options)


def test_it_is_prepared_with_default_options(tmp_path):
    prepared = prepare("cars", cars(make_cars(tmp_path / "root")), tmp_path / "cache")
    assert (len(prepared), prepared.dropped) == (7, {})
    assert prepared.arrays["x"].shape == (7, 3, 64, 64)
    assert prepared.arrays["label"].tolist() == [0, 37, 74, 111, 148, 185, 26]
    assert prepared.fields["label"].classes == tuple(NAMES)


def test_boxes_are_cut_as_they_are_counted_from_one(tmp_path):
    source = cars(make_cars(tmp_path), size=8).open()
    for index, (left, top, right, bottom) in enumerate(BOXES):
        whole = np.asarray(photograph(index))[top - 1 : bottom, left - 1 : right]
        wanted = np.asarray(resize(Image.fromarray(whole), 8, 8)).transpose(2, 0, 1)
        assert np.array_equal(source.read(index)["x"], wanted)


def test_without_boxes_the_middle_of_the_photograph_is_taken(tmp_path):
    x = cars(make_cars(tmp_path), size=44, crop=False).open().read(0)["x"]
    assert np.array_equal(x, np.asarray(photograph(0)).transpose(2, 0, 1)[:, :, 8:52])


def test_splits_hold_their_own_photographs(tmp_path):
    make_cars(tmp_path)
    blues = {
        split: [int(source.read(index)["x"][2].max()) for index in range(len(source))]
        for split, source in ((split, cars(tmp_path, split=split).open()) for split in ("train", "test", "all"))
    }
    assert blues == {"train": [*range(7)], "test": [100, 101, 102], "all": [*range(7), 100, 101, 102]}
    assert cars(tmp_path, split="all").open().name(7) == "cars_test/00001.jpg"


def test_the_labels_of_the_test_split_may_lie_beside_the_kit(tmp_path):
    assert len(cars(make_cars(tmp_path, labels_beside=True), split="all").open()) == 10


def test_the_source_travels_and_its_identity_follows_the_files(tmp_path):
    source = cars(make_cars(tmp_path)).open()
    before = source.identity()
    assert pickle.loads(pickle.dumps(source)).identity() == before
    savemat(tmp_path / "devkit" / FILES["train"], annotations([*rows_of("train")[:-1], (*BOXES[0], 5, "00007.jpg")]))
    relabelled = cars(tmp_path).open().identity()
    photograph(50, (61, 44)).save(tmp_path / "cars_train" / "00001.jpg", "PNG")
    assert len({before, relabelled, cars(tmp_path).open().identity()}) == 3


def test_classes_are_numbered_where_no_file_names_them(tmp_path):
    assert cars(tmp_path).fields()["label"].classes == tuple(map(str, range(1, 197)))
    assert cars(tmp_path, size=32).fields()["x"].shape == (3, 32, 32)


@pytest.mark.parametrize("split", ["train", "test", "all"])
def test_a_missing_data_set_says_the_ways_to_get_it(split, tmp_path, monkeypatch):
    monkeypatch.setenv("AGEKIT_DATA", str(tmp_path))
    with pytest.raises(agekit.MissingData) as caught:
        Cars(split=split).open()
    message = str(caught.value)
    assert message.startswith(f"cars is not in {tmp_path / 'cars'}: there is no such folder")
    assert all(text in message for text in (Cars.layout, Cars.homepage, "--set data.root=", f"split '{split}' lacks"))


@pytest.mark.parametrize(
    ("split", "away", "message"),
    [
        ("train", "cars_train", "lacks cars_train/[.]$"),
        ("train", "devkit/cars_meta.mat", "lacks devkit/cars_meta.mat[.]$"),
        ("test", "devkit/cars_test_annos_withlabels.mat", "lacks devkit/cars_test_annos_withlabels.mat[.]$"),
    ],
)
def test_what_is_not_there_is_named(split, away, message, tmp_path):
    root = make_cars(tmp_path / "root")
    (root / away).rename(tmp_path / "away")
    with pytest.raises(agekit.MissingData, match=message):
        cars(root, split=split).open()
    other = "test" if split == "train" else "train"
    assert away == "devkit/cars_meta.mat" or len(cars(root, split=other).open()) == SIZES[other]


def test_without_scipy_it_says_what_to_install(tmp_path, monkeypatch):
    make_cars(tmp_path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(agekit.DataError, match=r"pip install 'agekit-color\[cars\]'"):
        cars(tmp_path).open()
    assert len(cars(tmp_path).fields()["label"].classes) == 196


def mat(**values):
    stream = io.BytesIO()
    savemat(stream, values)
    return stream.getvalue()


ROW = rows_of("train")[0]


@pytest.mark.parametrize(
    ("file", "blob", "message"),
    [
        ("cars_meta.mat", b"no MATLAB", "cars_meta.mat is damaged, or no MATLAB file"),
        ("cars_meta.mat", mat(other=1), "cars_meta.mat is damaged, or another file: there is no class_names in it"),
        ("cars_meta.mat", mat(class_names=np.array(["a", "b"], object)), "class_names are 2, where 196 different"),
        (FILES["train"], mat(**annotations(rows_of("train")))[:-300], "cars_train_annos.mat is damaged, or no MATLAB"),
        (FILES["train"], mat(annotations=np.arange(3)), "have no fname, bbox_x1, bbox_y1"),
        (FILES["train"], mat(**annotations([ROW, (*BOXES[0], 197, "2.jpg")])), "annotation 2: class 197, where 1 to"),
        (FILES["train"], mat(**annotations([("left", *ROW[1:])])), "annotation 1: invalid literal"),
    ],
)
def test_damaged_files_are_named(file, blob, message, tmp_path):
    make_cars(tmp_path)
    (tmp_path / "devkit" / file).write_bytes(blob)
    with pytest.raises(agekit.DataError, match=message):
        cars(tmp_path).open()


def test_photographs_that_cannot_be_read_are_left_out_and_named(tmp_path):
    root = make_cars(tmp_path / "root")
    (root / "cars_train" / "00001.jpg").write_bytes(b"no picture")
    (root / "cars_train" / "00002.jpg").unlink()
    photograph(3, (20, 44)).save(root / "cars_train" / "00004.jpg", "PNG")
    prepared = prepare("cars", cars(root), tmp_path / "cache", workers=1)
    assert len(prepared) == 4
    assert "not a picture" in prepared.dropped["cars_train/00001.jpg"]
    assert "cannot be read" in prepared.dropped["cars_train/00002.jpg"]
    assert "its box (30, 2, 55, 41) holds nothing of its 20×44 pixels" in prepared.dropped["cars_train/00004.jpg"]


def test_one_annotation_is_a_data_set_too(tmp_path):
    make_cars(tmp_path)
    savemat(tmp_path / "devkit" / FILES["train"], annotations([ROW]))
    assert len(cars(tmp_path).open()) == 1
