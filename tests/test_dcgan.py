"""The published networks: their layers, their parameters counted by hand, their initial weights, their shapes."""

import pytest
import torch
from torch import nn

from agekit.builtin.dcgan import DCGANEncoder, DCGANGenerator
from agekit.contracts import Space


def image(side: int, channels: int = 3, kind: str = "x") -> Space:
    return Space(kind, (channels, side, side))


def code(dim: int) -> Space:
    return Space("z", (dim,))


def encoder(side: int, dim: int, width: int = 64, channels: int = 3) -> nn.Module:
    return DCGANEncoder(width=width).build((image(side, channels),), code(dim))


def generator(side: int, dim: int, width: int = 64, channels: int = 3) -> nn.Module:
    return DCGANGenerator(width=width).build((code(dim),), image(side, channels))


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def convolutions(network: nn.Module) -> list[nn.Conv2d | nn.ConvTranspose2d]:
    return [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)]


def channels(network: nn.Module) -> list[int]:
    return [layer.out_channels for layer in convolutions(network)]


def test_the_published_parameters_are_all_there():
    norms = 2 * (128 + 256 + 512)
    assert parameters(encoder(64, 64)) == 16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512 * 64) + 64 + norms
    assert parameters(encoder(32, 128)) == 16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 128) + 128 + 2 * (128 + 256)
    ups = 512 * 256 + 256 * 128
    norms = 2 * (512 + 256 + 128)
    assert parameters(generator(64, 64)) == 16 * (64 * 512 + ups + 128 * 64 + 64 * 3) + norms + 2 * 64
    assert parameters(generator(32, 128)) == 16 * (128 * 512 + ups + 128 * 128) + (128 * 3 + 3) + norms + 2 * 128


def test_the_published_channels_and_their_rule_at_other_sizes():
    assert {side: channels(encoder(side, 10)) for side in (8, 16, 32, 64, 128)} == {
        8: [64, 10],
        16: [64, 128, 10],
        32: [64, 128, 256, 10],
        64: [64, 128, 256, 512, 10],
        128: [64, 128, 256, 512, 512, 10],
    }
    assert {side: channels(generator(side, 10)) for side in (8, 16, 32, 64, 128)} == {
        8: [512, 256, 3],
        16: [512, 256, 128, 3],
        32: [512, 256, 128, 128, 3],
        64: [512, 256, 128, 64, 3],
        128: [512, 512, 256, 128, 64, 3],
    }


@pytest.mark.parametrize("side", [8, 16, 32, 64, 128, 256])
@pytest.mark.parametrize("colours", [1, 3])
def test_codes_become_images_and_images_codes(side, colours):
    images = generator(side, 7, width=4, channels=colours)(torch.randn(2, 7))
    assert images.shape == (2, colours, side, side)
    assert images.abs().max() <= 1
    assert encoder(side, 7, width=4, channels=colours)(images).shape == (2, 7)


@pytest.mark.parametrize("side", [16, 32, 64, 128])
def test_only_the_published_layers_have_a_bias(side):
    biased = [layer.bias is not None for layer in convolutions(encoder(side, 7, width=4))]
    assert biased == [False] * (len(biased) - 1) + [True]
    biased = [layer.bias is not None for layer in convolutions(generator(side, 7, width=4))]
    assert biased == [False] * (len(biased) - 1) + [side <= 32]


def test_layers_follow_each_other_as_published():
    def names(network):
        return [type(layer).__name__ for layer in network.layers]

    stem, body = ["Conv2d", "LeakyReLU"], ["Conv2d", "BatchNorm2d", "LeakyReLU"]
    assert names(encoder(64, 7, width=4)) == [*stem, *body * 3, "Conv2d", "Flatten"]
    assert names(encoder(32, 7, width=4)) == [*stem, *body * 2, "Conv2d", "AvgPool2d", "Flatten"]
    body = ["ConvTranspose2d", "BatchNorm2d", "ReLU"]
    assert names(generator(64, 7, width=4)) == ["Unflatten", *body * 4, "ConvTranspose2d", "Tanh"]
    assert names(generator(32, 7, width=4)) == ["Unflatten", *body * 4, "Conv2d", "Tanh"]
    assert {layer.negative_slope for layer in encoder(64, 7).modules() if isinstance(layer, nn.LeakyReLU)} == {0.2}


@pytest.mark.parametrize("build", [encoder, generator])
@pytest.mark.parametrize("side", [32, 64])
def test_fresh_weights_follow_the_published_laws(build, side):
    torch.manual_seed(0)
    network = build(side, 64)
    weights = torch.cat([layer.weight.flatten() for layer in convolutions(network)])
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    scales = torch.cat([layer.weight for layer in norms])
    assert weights.mean().item() == pytest.approx(0, abs=1e-4)
    assert weights.std().item() == pytest.approx(0.02, rel=0.01)
    assert scales.mean().item() == pytest.approx(1, abs=0.004)
    assert scales.std().item() == pytest.approx(0.02, rel=0.15)
    assert all(layer.bias.eq(0).all() for layer in norms)


def test_weights_are_a_function_of_the_seed():
    made = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        made.append(torch.cat([p.flatten() for p in generator(16, 7, width=4).parameters()]))
    assert torch.equal(made[0], made[1])
    assert not torch.equal(made[0], made[2])


def test_further_images_join_the_encoder_and_further_vectors_the_generator():
    joint = DCGANEncoder(width=4).build((image(16, 2, "ab"), image(16, 1, "l")), code(7))
    assert joint(torch.randn(2, 2, 16, 16), torch.randn(2, 1, 16, 16)).shape == (2, 7)
    joint = DCGANGenerator(width=4).build((code(7), Space("attributes", (5,))), image(16))
    assert joint(torch.randn(2, 7), torch.randn(2, 5)).shape == (2, 3, 16, 16)


def test_codes_leave_the_encoder_raw():
    codes = encoder(16, 7, width=4)(5 * torch.randn(8, 3, 16, 16))
    assert codes.norm(dim=1).std() > 1e-3


@pytest.mark.parametrize("space", [image(28), image(4), Space("x", (3, 32, 64)), Space("x", (3, 64)), Space("x", ())])
def test_other_images_are_refused(space):
    with pytest.raises(ValueError, match="square images with a side of 8, 16, 32"):
        DCGANEncoder().build((space,), code(7))
    with pytest.raises(ValueError, match="square images with a side of 8, 16, 32"):
        DCGANGenerator().build((code(7),), space)


def test_what_has_no_place_is_refused():
    with pytest.raises(ValueError, match=r"vectors \[d\] there, and none for l \[1×64×64\]"):
        DCGANGenerator().build((code(7), image(64, 1, "l")), image(64))
    with pytest.raises(ValueError, match="images of one size"):
        DCGANEncoder().build((image(64), image(32, 1, "l")), code(7))
    with pytest.raises(ValueError, match=r"vectors \[d\]"):
        DCGANEncoder().build((image(64),), image(64))
