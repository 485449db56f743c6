"""The parser: what it makes, its layers counted by hand, how far it sees, and what it refuses."""

import agekit
import pytest
import torch
from torch import nn

from agekit_semantic.unet import UNet


def image(height=16, width=16, channels=3):
    return agekit.Space("x", (channels, height, width))


def scores(classes=5, height=16, width=16):
    return agekit.Space("scores of mask", (classes, height, width))


@pytest.mark.parametrize(("height", "width", "depth"), [(16, 16, 1), (16, 16, 4), (24, 8, 3)])
def test_every_pixel_gets_a_score_a_class(height, width, depth):
    network = UNet(width=2, depth=depth).build((image(height, width),), scores(5, height, width))
    assert network(torch.randn(2, 3, height, width)).shape == (2, 5, height, width)


def test_parameters_are_all_there():
    network = UNet(width=4, depth=2).build((image(channels=1),), scores(3))
    down = 9 * (1 * 4 + 4 * 4 + 4 * 8 + 8 * 8 + 8 * 16 + 16 * 16)
    up = (4 * 16 * 8 + 8) + 9 * (16 * 8 + 8 * 8) + (4 * 8 * 4 + 4) + 9 * (8 * 4 + 4 * 4)
    norms = 2 * 2 * (4 + 8 + 16 + 8 + 4)
    assert sum(p.numel() for p in network.parameters()) == down + up + norms + (4 * 3 + 3)


def test_the_bottom_level_carries_what_is_far_away():
    """Without the paths over the lower levels, four 3×3 convolutions see 4 pixels far and no farther."""
    torch.manual_seed(0)
    network = UNet(width=4, depth=3).build((image(32, 32),), scores(2, 32, 32)).eval()
    picture = torch.randn(1, 3, 32, 32, requires_grad=True)
    (slope,) = torch.autograd.grad(network(picture)[0, :, 16, 16].sum(), picture)
    seen = slope.abs().sum(dim=(0, 1)) > 0
    assert seen[16, 16 - 10] or seen[16, 16 + 10]
    with torch.no_grad():
        network.enlarge[-1].weight.zero_()
    (slope,) = torch.autograd.grad(network(picture)[0, :, 16, 16].sum(), picture)
    near = slope.abs().sum(dim=(0, 1)).nonzero() - 16
    assert near.abs().max() == 4


def test_every_weight_learns():
    torch.manual_seed(0)
    network = UNet(width=2, depth=2).build((image(),), scores())
    network(torch.randn(2, 3, 16, 16)).square().sum().backward()
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in network.modules()) == 10
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


@pytest.mark.parametrize(
    ("sees", "makes", "message"),
    [
        ((image(20, 20),), scores(5, 20, 20), r"sides divisible by 8 fit; found x \[3×20×20\]"),
        ((image(), image()), scores(), "of one image"),
        ((agekit.Space("z", (7,)),), scores(), r"found z \[7\] to make scores of mask"),
        ((image(),), scores(5, 8, 8), r"found x \[3×16×16\] to make scores of mask \[5×8×8\]"),
        ((image(),), agekit.Space("score", ()), r"to make score \[\]"),
    ],
)
def test_what_does_not_fit_is_refused(sees, makes, message):
    with pytest.raises(ValueError, match=message):
        UNet().build(sees, makes)
