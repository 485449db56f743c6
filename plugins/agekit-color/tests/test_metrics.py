"""The metrics of colourings, by hand and against numpy."""

import agekit
import numpy as np
import pytest
import torch

from agekit_color.lab import lightness, opponents
from agekit_color.metrics import ColorDiversity, LuminanceError
from agekit_color.operators import RGB, Chroma, Luminance


def random(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def taken(metric, *operands):
    """The numbers of a metric over two batches, as the engine takes them."""
    halves = zip(*(operand.split(2) for operand in operands), strict=True)
    return metric.values(torch.cat([metric.rows(*half) for half in halves]), {})


def test_luminance_error_is_that_of_rounding_where_all_can_be_shown():
    x = random(4, 3, 32, 32) * 1.6 - 0.8
    found = taken(LuminanceError(), Chroma()(x), Luminance()(x))
    saved = np.round((x.double().numpy() + 1) * 127.5) / 255
    error = (lightness(torch.from_numpy(saved)) - lightness((x.double() + 1) / 2)).abs()
    assert found == pytest.approx(
        {"max": error.max().item(), "mean": error.mean().item(), "clipped_share": 0}, abs=1e-4
    )
    assert 0.1 < found["max"] < 0.27


def test_clipped_pixels_are_counted_and_left_out():
    ab, light = torch.zeros(4, 2, 4, 4), torch.zeros(4, 1, 4, 4)
    ab[0, :, 0] = 0.9
    ab[3, 0, :2, :2] = -0.9
    found = taken(LuminanceError(), ab, light)
    assert found["clipped_share"] == 8 / 64
    assert found["max"] < 0.27
    saved = RGB()(ab, light)
    assert (lightness((saved + 1) / 2) - 50).abs().max() > 1


def test_a_picture_that_is_clipped_everywhere_leaves_nothing_to_compare():
    found = taken(LuminanceError(), torch.full((4, 2, 8, 8), 0.9), torch.zeros(4, 1, 8, 8))
    assert found["clipped_share"] == 1
    assert np.isnan(found["mean"])


def test_white_and_black_can_be_shown():
    """Rounding errors of the conversion itself lie beyond the gamut, and clip nothing."""
    for end in (-1.0, 1.0):
        found = taken(LuminanceError(), torch.zeros(4, 2, 8, 8), torch.full((4, 1, 8, 8), end))
        assert found == pytest.approx({"max": 0, "mean": 0, "clipped_share": 0}, abs=1e-6)


def test_diversity_is_the_mean_distance_of_colours():
    pictures, others = random(4, 3, 8, 8) * 2 - 1, random(4, 3, 8, 8, seed=1) * 2 - 1
    a, b = (opponents((each.double() + 1) / 2).numpy() for each in (pictures, others))
    wanted = np.sqrt(((a - b) ** 2).sum(axis=1)).mean()
    assert taken(ColorDiversity(), pictures, others) == {"ab_distance": pytest.approx(wanted, rel=1e-9)}
    assert taken(ColorDiversity(), pictures, pictures) == {"ab_distance": 0}


def test_diversity_does_not_see_luminance():
    dark, light = (torch.full((4, 3, 8, 8), level) for level in (-0.5, 0.5))
    assert taken(ColorDiversity(), dark, light)["ab_distance"] < 1e-4


@pytest.mark.parametrize(
    ("metric", "shapes", "message"),
    [
        (LuminanceError(), [(2, 3, 8, 8), (2, 1, 8, 8)], r"chroma \[n, 2, h, w\] there, found \[2, 3, 8, 8\]"),
        (LuminanceError(), [(2, 2, 8, 8), (2, 3, 8, 8)], r"luminance \[n, 1, h, w\] there, found \[2, 3, 8, 8\]"),
        (ColorDiversity(), [(2, 1, 8, 8), (2, 1, 8, 8)], r"pictures \[n, 3, h, w\] there, found \[2, 1, 8, 8\]"),
        (ColorDiversity(), [(2, 16), (2, 16)], r"found \[2, 16\]"),
    ],
)
def test_other_shapes_are_refused(metric, shapes, message):
    with pytest.raises(ValueError, match=message):
        metric.rows(*(torch.zeros(shape) for shape in shapes))


def test_they_are_taken_of_a_game(tmp_path):
    small = ["data.size=16", "data.count=32", "data.batch=8", "networks.g.width=4", "networks.e.width=4"]
    game = agekit.build(agekit.load("age_toyfaces_color", *small, "data.held_out.count=16"), tmp_path)
    judged = agekit.judge(game)
    assert judged.keys() == {"luminance", "diversity", "reconstructions"}
    assert judged["luminance"]["max"] < 0.27
    assert judged["diversity"]["ab_distance"] > 0
