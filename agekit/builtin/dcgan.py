"""The convolutional networks of the published AGE recipes."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from agekit.contracts import Encoder, Generator, Space, option

from .shapes import halvings, image_of, images_of, length_of

SMALL = 32
"""Up to this side the 32-pixel design is followed, above it the 64-pixel one."""


class DCGANGenerator(Generator):
    """Transposed convolutions from a code to a square image, each doubling the side, as published with AGE.

    From M numbers a 4×4 map is made, and doubled until it has the image's side; batch-norm and ReLU follow each layer
    but the last, which ends in tanh. With width w = 64 the channels are

        64 px:  M → 512 → 256 → 128 → 64 → image
        32 px:  M → 512 → 256 → 128 → 128, then a 1×1 convolution → image

    Above 64 px further layers of 8w come first; below 32 px the last ones are left out. Only the 1×1 convolution has a
    bias. Weights are drawn from N(0, 0.02), batch-norm scales from N(1, 0.02).

    Source: Radford, Metz and Chintala 2016; the released code of Ulyanov, Vedaldi and Lempitsky 2018.
    Shapes: one or more vectors [n, d_i], joined -> [n, c, h, h] in [−1, 1], h a power of two from 8 on.
    """

    width: int = option(64, help="channels at full width, w", unit="channels", ge=1)

    def build(self, sees: tuple[Space, ...], makes: Space) -> nn.Module:
        size = sum(length_of(space) for space in sees)
        channels, side = image_of(makes)
        first, *others = widths = [self.width * factor for factor in generator_factors(side)]
        layers: list[nn.Module] = [nn.Unflatten(1, (size, 1, 1))]
        layers += [nn.ConvTranspose2d(size, first, 4, bias=False), nn.BatchNorm2d(first), nn.ReLU(inplace=True)]
        for before, after in pairwise([first, *others]):
            layers += [doubling(before, after), nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
        layers += [nn.Conv2d(widths[-1], channels, 1) if side <= SMALL else doubling(widths[-1], channels), nn.Tanh()]
        return Joined(*layers).apply(initialise)


class DCGANEncoder(Encoder):
    """Strided convolutions from a square image to a code, each halving the side, as published with AGE.

    4×4 convolutions halve the image down to a 4×4 map, from which the last layer makes M numbers; leaky ReLU (0.2)
    follows each layer but the last, and batch-norm each but the first and the last. With width w = 64 the channels are

        64 px:  image → 64 → 128 → 256 → 512, then a 4×4 convolution without padding → M
        32 px:  image → 64 → 128 → 256, then another halving one → M, and the mean of its 2×2 map

    Above 64 px further layers of 8w follow; below 32 px the last ones are left out. Only the last layer has a bias.
    Weights are drawn from N(0, 0.02), batch-norm scales from N(1, 0.02).

    With `spectral_norm` there is no batch-norm, which would take every scale back, and each layer's weights, as a
    matrix [out, in · 4 · 4], are divided by their largest singular value, of which one step of power iteration a pass
    keeps the estimate.

    Source: Radford, Metz and Chintala 2016; the released code of Ulyanov, Vedaldi and Lempitsky 2018; for spectral
    normalisation Miyato et al. 2018, algorithm 1.
    Shapes: one or more images [n, c_i, h, h] of one side h, joined along the channels, h a power of two from 8 on
    -> [n, M].
    """

    width: int = option(64, help="channels of the first layer, w", unit="channels", ge=1)
    spectral_norm: bool = option(False, help="spectral normalisation in the place of batch-norm")

    def build(self, sees: tuple[Space, ...], makes: Space) -> nn.Module:
        channels, side = images_of(sees)
        size = length_of(makes)
        first, *others = widths = [self.width * factor for factor in encoder_factors(side)]
        layers: list[nn.Module] = [halving(channels, first), leaky()]
        for before, after in pairwise([first, *others]):
            layers += [halving(before, after), *([] if self.spectral_norm else [nn.BatchNorm2d(after)]), leaky()]
        if side <= SMALL:
            layers += [nn.Conv2d(widths[-1], size, 4, stride=2, padding=1), nn.AvgPool2d(2)]
        else:
            layers += [nn.Conv2d(widths[-1], size, 4)]
        network = Joined(*layers, nn.Flatten()).apply(initialise)
        return spectrally_normal(network) if self.spectral_norm else network


class Joined(nn.Module):
    """Layers in a row, on one or more inputs joined along axis 1."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, *inputs: Tensor) -> Tensor:
        made: Tensor = self.layers(torch.cat(inputs, dim=1) if len(inputs) > 1 else inputs[0])
        return made


def generator_factors(side: int) -> list[int]:
    """The channels of the hidden layers, from 4×4 on, in multiples of the width.

    >>> generator_factors(32), generator_factors(64), generator_factors(128)
    ([8, 4, 2, 2], [8, 4, 2, 1], [8, 8, 4, 2, 1])
    """
    if side <= SMALL:
        return [max(8 >> k, 2) for k in range(halvings(side) + 1)]
    return encoder_factors(side)[::-1]


def encoder_factors(side: int) -> list[int]:
    """The channels of the hidden layers, down to 4×4, in multiples of the width.

    >>> encoder_factors(32), encoder_factors(64), encoder_factors(128)
    ([1, 2, 4], [1, 2, 4, 8], [1, 2, 4, 8, 8])
    """
    return [min(1 << k, 8) for k in range(halvings(side))]


def doubling(before: int, after: int) -> nn.Module:
    """A transposed convolution that doubles the side."""
    return nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=False)


def halving(before: int, after: int) -> nn.Module:
    """A convolution that halves the side."""
    return nn.Conv2d(before, after, 4, stride=2, padding=1, bias=False)


def leaky() -> nn.Module:
    """The encoder's nonlinearity."""
    return nn.LeakyReLU(0.2, inplace=True)


def spectrally_normal(network: nn.Module) -> nn.Module:
    """The network with the weights of its convolutions divided by their largest singular values."""
    for layer in [module for module in network.modules() if isinstance(module, nn.Conv2d)]:
        parametrizations.spectral_norm(layer)
    return network


def initialise(module: nn.Module) -> None:
    """Draw fresh weights of one layer; biases of convolutions stay as torch draws them, as in the released code."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)
