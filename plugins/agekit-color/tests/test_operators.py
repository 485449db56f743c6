"""The operators: their kinds and ranges, that luminance outlives a saved picture, and what they refuse."""

import agekit
import pytest
import torch
from agekit.game.batches import as_stored

from agekit_color.lab import lightness
from agekit_color.operators import RGB, Chroma, Luminance, unclipped

X = agekit.Space("x", (3, 64, 48))
AB = agekit.Space("ab", (2, 64, 48))
L = agekit.Space("l", (1, 64, 48))


def pictures(*shape, seed=0):
    """Random bytes, as a data set stores them and as the engine reads them."""
    stored = torch.randint(256, shape, generator=torch.Generator().manual_seed(seed))
    return stored, stored.float() / 127.5 - 1


def every_face():
    """The six faces of the cube of 8-bit colours, on which the extremes of Lab lie: [6, 3, 256, 256]."""
    axis = torch.arange(256.0)
    a, b = torch.meshgrid(axis, axis, indexing="ij")
    faces = [torch.stack([a, b, torch.full_like(a, end)]).roll(turn, 0) for end in (0.0, 255.0) for turn in range(3)]
    return torch.stack(faces) / 127.5 - 1


def test_spaces():
    assert Luminance().space(X) == agekit.Space("luminance", (1, 64, 48))
    assert Chroma().space(X) == agekit.Space("chroma", (2, 64, 48))
    assert RGB().space(AB, L) == X
    open_ended = agekit.Space("x", (3, None, None))
    assert RGB().space(Chroma().space(open_ended), Luminance().space(open_ended)) == open_ended


def test_ranges_are_those_of_images():
    colours = every_face()
    light, ab = Luminance()(colours), Chroma()(colours)
    assert (light.shape, ab.shape) == ((6, 1, 256, 256), (6, 2, 256, 256))
    assert (light.min().item(), light.max().item()) == pytest.approx((-1, 1), abs=1e-5)
    assert (ab.min().item(), ab.max().item()) == pytest.approx((-107.86 / 110, 98.25 / 110), abs=1e-4)


def test_a_picture_comes_back_to_the_last_bit():
    stored, x = pictures(4, 3, 64, 64)
    assert (torch.from_numpy(as_stored(RGB()(Chroma()(x), Luminance()(x)))) == stored).all()


def test_luminance_outlives_a_saved_picture_of_any_colour():
    """L of the 8-bit picture differs by half a level's worth, 0.27 at most, wherever sRGB has the colour."""
    _, x = pictures(8, 3, 64, 64)
    for spread in (0.1, 0.3, 0.6):
        ab = torch.randn(8, 2, 64, 64, generator=torch.Generator().manual_seed(1)) * spread
        saved = torch.from_numpy(as_stored(RGB()(ab, Luminance()(x)))).double() / 255
        error = (lightness(saved) - lightness((x.double() + 1) / 2)).abs()
        levels = unclipped(ab, Luminance()(x)) * 255
        clipped = ((levels < -0.5) | (levels > 255.5)).any(dim=1, keepdim=True)
        assert 0.02 < clipped.double().mean() < 0.98
        assert error[~clipped].max() < 0.27
        assert error[clipped].max() > 1


def test_the_gamut_is_clipped_to_and_carries_no_gradient_beyond():
    ab = torch.tensor([[0.0, 0.0], [0.9, 0.9]]).reshape(2, 2, 1, 1).requires_grad_()
    picture = RGB()(ab, torch.zeros(2, 1, 1, 1))
    assert picture[0].flatten().tolist() == pytest.approx([picture[0, 0].item()] * 3, abs=1e-5)
    assert picture[1].flatten().tolist() == [1, -1, -1]
    (slope,) = torch.autograd.grad(picture.sum(), ab)
    assert slope[0].abs().sum() > 0
    assert slope[1].abs().sum() == 0


@pytest.mark.parametrize(
    ("operator", "operands", "message"),
    [
        (Luminance(), (), r"luminance takes one colour picture \[3×h×w\], found nothing"),
        (Luminance(), (L,), r"found l \[1×64×48\]; a grey picture has no colours to learn"),
        (Chroma(), (agekit.Space("x", (1, 28, 28)),), r"chroma takes .* found x \[1×28×28\]; a grey picture"),
        (Chroma(), (X, X), r"found x \[3×64×48\] and x \[3×64×48\]"),
        (Chroma(), (agekit.Space("z", (16,)),), r"found z \[16\]$"),
        (RGB(), (L, AB), r"in this order, found l \[1×64×48\] and ab \[2×64×48\]"),
        (RGB(), (AB,), "in this order, found ab"),
        (RGB(), (AB, agekit.Space("l", (1, 32, 48))), r"found ab \[2×64×48\] and l \[1×32×48\]"),
        (RGB(), (agekit.Space("z", (2,)), agekit.Space("z", (1,))), r"found z \[2\] and z \[1\]"),
    ],
)
def test_other_shapes_are_refused(operator, operands, message):
    with pytest.raises(ValueError, match=message):
        operator.space(*operands)


def test_grey_data_are_refused_in_a_recipe():
    with pytest.raises(agekit.RecipeError, match="a grey picture has no colours to learn"):
        agekit.load("age_cars_color", "data.dataset=mnist")
