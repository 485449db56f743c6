"""Samples that are held out and trained on, too: counted, told, and refused where they are many."""

from pathlib import Path

import numpy as np
import pytest

import agekit
from agekit.data.overlap import common
from agekit.data.prepared import Prepared
from agekit.train.data import prepare_all
from tests.layouts import make_image_folder
from tests.tiny import TINY, recipe_of

TRAINING = np.random.default_rng(0).integers(0, 256, (50, 3, 8, 8), np.uint8)


def of(x):
    return Prepared(Path(), {}, {"x": x}, [str(row) for row in range(len(x))], {}, "")


def test_samples_of_the_same_values_are_counted_wherever_they_stand():
    held_out = np.random.default_rng(1).integers(0, 256, (9, 3, 8, 8), np.uint8)
    assert common(of(held_out), of(TRAINING)) == 0
    held_out[[2, 5, 7]] = TRAINING[[49, 0, 0]]
    assert common(of(held_out), of(TRAINING)) == 3


def test_a_sample_that_differs_in_one_value_is_another():
    alike = TRAINING[:50].copy()
    alike[np.arange(50), 1, 3, 4] += 1  # a value that is not looked at first, too
    alike[0] = TRAINING[0]
    assert common(of(alike), of(TRAINING)) == 1


def test_many_doubles_within_are_counted_once_each():
    blank = np.zeros((3000, 1, 4, 4), np.uint8)
    assert common(of(blank), of(blank)) == 3000


@pytest.mark.parametrize("options", ["count = 9", "count = 9\nsplit = 'train'"])
def test_what_is_trained_on_is_not_held_out(tmp_path, options):
    recipe = recipe_of(text=f"{TINY}\n[data.held_out]\n{options}\n")
    with pytest.raises(agekit.DataError, match=r"data.held_out: 9 of the 9 held-out samples are trained on") as told:
        prepare_all(recipe, tmp_path)
    assert "data.held_out.share=0.1" in str(told.value)


def test_held_out_samples_that_are_not_there_are_named_as_such(tmp_path):
    make_image_folder(tmp_path / "mine", 12)
    mine = TINY.replace('dataset = "toyfaces"', f'dataset = "image_folder"\nroot = "{tmp_path / "mine"}"')
    mine = mine.replace("count   = 40\n", "")
    recipe = recipe_of(text=f'{mine}\n[data.held_out]\nroot = "{tmp_path / "absent"}"\n')
    with pytest.raises(agekit.DataError, match=r"^data.held_out: .*absent(.|\n)*data.held_out=false holds none out$"):
        prepare_all(recipe, tmp_path)


def test_doubles_in_what_the_seed_divides_are_told_and_not_refused(tmp_path):
    make_image_folder(tmp_path / "mine", 12)
    for picture in [*(tmp_path / "mine").rglob("*.jpg")]:
        picture.with_name(f"again-{picture.name}").write_bytes(picture.read_bytes())
    mine = TINY.replace('dataset = "toyfaces"', f'dataset = "image_folder"\nroot = "{tmp_path / "mine"}"')
    data = prepare_all(recipe_of("data.held_out.share=0.25", text=mine.replace("count   = 40\n", "")), tmp_path)
    assert data.held_out is not None
    trained, held_out = (
        [Path(n).name.removeprefix("again-") for n in part.names] for part in (data.training, data.held_out)
    )
    assert data.doubles == sum(name in trained for name in held_out) > 0
