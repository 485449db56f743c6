"""The residual generator: its layers counted by hand, how codes enter, and what it refuses."""

import agekit
import pytest
import torch
from torch import nn

from agekit_color.residual import ColorResidual, Mirrored

Z = agekit.Space("z", (16,))


def space(kind, channels, height=64, width=64):
    return agekit.Space(kind, (channels, height, width))


def built(width=4, blocks=2, side=16):
    torch.manual_seed(0)
    return ColorResidual(width=width, blocks=blocks).build((Z, space("l", 1, side, side)), space("ab", 2, side, side))


def test_parameters_are_those_of_the_published_generator():
    network = ColorResidual().build((Z, space("l", 1)), space("ab", 2))
    convolutions = [(c.in_channels, c.out_channels, c.kernel_size[0], c.stride[0]) for c in layers(network, nn.Conv2d)]
    assert convolutions == [(17, 64, 5, 2), (64, 64, 5, 2), *[(64, 64, 3, 1)] * 20, (64, 32, 3, 1)]
    biases, norms = 64 + 64 + 32, 21 * 128
    wanted = 25 * (17 * 64 + 64 * 64) + 20 * 9 * 64 * 64 + 9 * 64 * 32 + biases + norms
    assert sum(p.numel() for p in network.parameters()) == wanted


def layers(network, kind):
    return [layer for layer in network.modules() if isinstance(layer, kind)]


def test_weights_are_drawn_as_published():
    network = ColorResidual().build((Z, space("l", 1)), space("ab", 2))
    for convolution in layers(network, nn.Conv2d):
        assert convolution.weight.std().item() == pytest.approx(0.02, rel=0.05)
    for norm in layers(network, nn.BatchNorm2d):
        assert norm.weight.mean().item() == pytest.approx(1, abs=0.02)
        assert (norm.bias == 0).all()


@pytest.mark.parametrize(("height", "width"), [(8, 8), (16, 16), (32, 20), (64, 64)])
def test_what_is_made_has_the_size_of_what_is_seen(height, width):
    network = ColorResidual(width=4, blocks=1).build((Z, space("l", 1, height, width)), space("ab", 2, height, width))
    assert network(torch.randn(3, 16), torch.randn(3, 1, height, width)).shape == (3, 2, height, width)


def test_order_follows_what_it_sees():
    network = ColorResidual(width=4, blocks=1).build((space("l", 1), Z), space("ab", 2))
    assert network(torch.randn(3, 1, 64, 64), torch.randn(3, 16)).shape == (3, 2, 64, 64)


def test_a_code_is_the_same_at_every_pixel():
    """A constant luminance and a code give a map that repeats from tile to tile, away from the edges."""
    network = built(side=64).eval()
    made = network(torch.randn(2, 16), torch.full((2, 1, 64, 64), 0.3))
    inner = made[..., 24:40, 24:40]
    torch.testing.assert_close(inner[..., :4, :4], inner[..., 8:12, 8:12])
    assert not torch.allclose(made[0], made[1])


def test_every_weight_learns_from_code_and_picture():
    network = built()
    codes, grey = torch.randn(4, 16, requires_grad=True), torch.randn(4, 1, 16, 16, requires_grad=True)
    (network(codes, grey) ** 2).mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
    assert (codes.grad.abs().sum(dim=1) > 0).all()
    assert (grey.grad.abs().sum(dim=(1, 2, 3)) > 0).all()


def test_edges_are_mirrored_as_torch_mirrors_them():
    x = torch.randn(2, 3, 5, 7)
    assert torch.equal(Mirrored()(x), nn.ReflectionPad2d(1)(x))


@pytest.mark.parametrize(
    ("sees", "makes"),
    [
        ((Z,), space("ab", 2)),
        ((Z, space("l", 1)), agekit.Space("z", (16,))),
        ((Z, space("l", 1, 32, 32)), space("ab", 2)),
        ((Z, space("l", 1, 30, 30)), space("ab", 2, 30, 30)),
        ((Z, space("l", 1, 4, 4)), space("ab", 2, 4, 4)),
        ((Z, agekit.Space("score", ())), space("ab", 2)),
    ],
    ids=str,
)
def test_other_shapes_are_refused(sees, makes):
    with pytest.raises(ValueError, match=r'sees = \["z", "l"\].* sides of 8, 12, 16, … pixels; found'):
        ColorResidual().build(sees, makes)
