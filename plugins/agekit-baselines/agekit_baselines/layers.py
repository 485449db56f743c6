"""Layers that critics and encoders share: the convolutions of DCGAN from an image down to a 4×4 map."""

from __future__ import annotations

from itertools import pairwise

import agekit
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

SMALL = 32
"""Up to this side the last layer halves once more and its 2×2 map is averaged; above it, it covers the 4×4 map."""


class Joined(nn.Module):
    """Layers in a row, on one or more inputs joined along axis 1."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, *inputs: Tensor) -> Tensor:
        made: Tensor = self.layers(torch.cat(inputs, dim=1))
        return made


def channels_of(side: int, width: int) -> list[int]:
    """The channels of the maps from half the side down to 4×4.

    >>> channels_of(32, 64), channels_of(128, 64)
    ([64, 128, 256], [64, 128, 256, 512, 512])
    """
    return [width * min(1 << k, 8) for k in range(side.bit_length() - 3)]


def body(channels: int, side: int, width: int, *, batch_norm: bool = True, spectral: bool = False) -> list[nn.Module]:
    """Halving convolutions from an image down to a 4×4 map, each followed by leaky ReLU (0.2).

    Batch-norm stands before each nonlinearity but the first; a layer has a bias where batch-norm is not in use at all.
    """
    first, *others = channels_of(side, width)
    layers = [convolution(channels, first, 2, bias=not batch_norm, spectral=spectral), leaky()]
    for before, after in pairwise([first, *others]):
        layers.append(convolution(before, after, 2, bias=not batch_norm, spectral=spectral))
        layers += [normalisation(after)] if batch_norm else []
        layers.append(leaky())
    return layers


def head(side: int, width: int, size: int, *, spectral: bool = False) -> list[nn.Module]:
    """The last layer, from the 4×4 map of `body` to `size` numbers [n, size]; with a bias."""
    before = channels_of(side, width)[-1]
    if side <= SMALL:
        return [convolution(before, size, 2, spectral=spectral), nn.AvgPool2d(2), nn.Flatten()]
    return [convolution(before, size, 1, spectral=spectral), nn.Flatten()]


def convolution(before: int, after: int, stride: int, *, bias: bool = True, spectral: bool = False) -> nn.Module:
    """A 4×4 convolution: one that halves the side for stride 2, one that covers a 4×4 map for stride 1; N(0, 0.02)."""
    layer = nn.Conv2d(before, after, 4, stride=stride, padding=stride - 1, bias=bias)
    nn.init.normal_(layer.weight, 0.0, 0.02)
    return spectral_norm(layer) if spectral else layer


def linear(before: int, after: int, *, spectral: bool = False) -> nn.Module:
    """A linear layer with torch's own initial weights."""
    layer = nn.Linear(before, after)
    return spectral_norm(layer) if spectral else layer


def normalisation(channels: int) -> nn.Module:
    """Batch-norm, its scales drawn from N(1, 0.02)."""
    layer = nn.BatchNorm2d(channels)
    nn.init.normal_(layer.weight, 1.0, 0.02)
    return layer


def leaky() -> nn.Module:
    """The nonlinearity."""
    return nn.LeakyReLU(0.2, inplace=True)


def precise(values: Tensor) -> Tensor:
    """Half precision as float32: distributions leave the network, and their logarithms need the digits."""
    return values if values.dtype == torch.float64 else values.float()


def length_of(space: agekit.Space) -> int:
    """The length of a vector; raises ValueError where the space is none."""
    match space.shape:
        case (int(length),):
            return length
    raise ValueError(f"takes vectors [d] there, found {space}")


def images_of(spaces: tuple[agekit.Space, ...]) -> tuple[int, int]:
    """The joint channels and the side of images.

    Raises ValueError where one is not square, has no power of two from 8 on for a side, or has another side.
    """
    shapes = [space.shape for space in spaces]
    side = shapes[0][-1] if shapes[0] else None
    square = all(len(shape) == 3 and shape[1] == shape[2] == side for shape in shapes)
    if not square or not isinstance(side, int) or side < 8 or side.bit_count() != 1:
        found = ", ".join(map(str, spaces))
        raise ValueError(f"takes square images of one size with a side of 8, 16, 32, … pixels, found {found}")
    return sum(shape[0] or 0 for shape in shapes), side
