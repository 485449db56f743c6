"""The small pair: its layers by their rule, its shapes and types, what it refuses."""

import pytest
import torch
from torch import nn

from agekit.builtin.small import SmallEncoder, SmallGenerator
from agekit.contracts import Space

SIDES = [8, 16, 32, 64, 128, 256]


def image(side: int, channels: int = 3, kind: str = "x") -> Space:
    return Space(kind, (channels, side, side))


def code(dim: int, kind: str = "z") -> Space:
    return Space(kind, (dim,))


def channels(network: nn.Module) -> list[int]:
    return [layer.out_channels for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)]


def test_channels_double_at_each_halving_up_to_eight_widths():
    encoders = {side: channels(SmallEncoder(width=2).build((image(side),), code(5))) for side in SIDES}
    generators = {side: channels(SmallGenerator(width=2).build((code(5),), image(side))) for side in SIDES}
    assert encoders == {
        8: [2, 5],
        16: [2, 4, 5],
        32: [2, 4, 8, 5],
        64: [2, 4, 8, 16, 5],
        128: [2, 4, 8, 16, 16, 5],
        256: [2, 4, 8, 16, 16, 16, 5],
    }
    assert generators == {
        8: [4, 2, 3],
        16: [8, 4, 2, 3],
        32: [16, 8, 4, 2, 3],
        64: [16, 16, 8, 4, 2, 3],
        128: [16, 16, 16, 8, 4, 2, 3],
        256: [16, 16, 16, 16, 8, 4, 2, 3],
    }


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("colours", [1, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_codes_become_images_and_images_codes(side, colours, dtype):
    g = SmallGenerator(width=2).build((code(7),), image(side, colours)).to(dtype)
    e = SmallEncoder(width=2).build((image(side, colours),), code(7)).to(dtype)
    images = g(torch.randn(2, 7, dtype=dtype))
    assert images.shape == (2, colours, side, side)
    assert images.dtype == dtype
    assert images.abs().max() <= 1
    codes = e(images)
    assert codes.shape == (2, 7)
    assert codes.dtype == dtype


def test_several_inputs_are_joined():
    g = SmallGenerator(width=2).build((code(5), code(3, "factors")), image(16))
    assert g(torch.randn(2, 5), torch.randn(2, 3)).shape == (2, 3, 16, 16)
    e = SmallEncoder(width=2).build((image(16, 2, "ab"), image(16, 1, "l")), code(5))
    ab, l = torch.randn(4, 2, 16, 16), torch.randn(4, 1, 16, 16)  # noqa: E741 - the recipe's name of it
    assert e(ab, l).shape == (4, 5)
    assert not torch.equal(e(ab, l), e(ab, -l))


def test_every_pixel_of_the_map_is_made_of_equally_many_taps():
    """A constant map doubled with constant weights stays constant inside: no layer makes a checkerboard by itself."""
    g = SmallGenerator(width=2).build((code(5),), image(32))
    for layer in g.modules():
        if isinstance(layer, nn.ConvTranspose2d) and layer.stride == (2, 2):
            nn.init.ones_(layer.weight)
            made = layer(torch.ones(1, layer.in_channels, 8, 8))[0, 0, 2:-2, 2:-2]
            assert made.min() == made.max() > 0


@pytest.mark.parametrize("seed", [0, 1])
def test_fresh_weights_come_from_torchs_random_state(seed):
    def weights(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        networks = SmallGenerator().build((code(8),), image(32)), SmallEncoder().build((image(32),), code(8))
        return torch.cat([p.flatten() for network in networks for p in network.parameters()])

    assert torch.equal(weights(seed), weights(seed))
    assert not torch.equal(weights(seed), weights(seed + 1))


@pytest.mark.parametrize("wrong", [Space("x", (3, 32, 16)), Space("x", (3, 48, 48)), Space("x", (3, 4, 4)), code(9)])
def test_other_images_are_refused(wrong):
    with pytest.raises(ValueError, match="square images with a side of 8, 16, 32"):
        SmallEncoder().build((wrong,), code(5))
    with pytest.raises(ValueError, match="square images with a side of 8, 16, 32"):
        SmallGenerator().build((code(5),), wrong)


def test_a_generator_has_no_place_for_images_and_an_encoder_for_two_sizes():
    with pytest.raises(ValueError, match=r"vectors \[d\] there, and none for l \[1×32×32\]"):
        SmallGenerator().build((code(5), image(32, 1, "l")), image(32))
    with pytest.raises(ValueError, match="images of one size"):
        SmallEncoder().build((image(32), image(16, 1, "l")), code(5))
