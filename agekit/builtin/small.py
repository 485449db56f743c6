"""A small convolutional pair for quick work on a CPU."""

from __future__ import annotations

from itertools import pairwise

from torch import nn

from agekit.contracts import Encoder, Generator, Space, option

from .dcgan import Joined, doubling, halving, initialise, leaky
from .shapes import halvings, image_of, images_of, length_of


class SmallGenerator(Generator):
    """Transposed convolutions from a code to a square image, and a convolution over the whole of it.

    From M numbers a 4×4 map is made, and doubled until it has the image's side; batch-norm and ReLU follow each. A
    3×3 convolution, with a bias, and tanh make the image: it smooths what the doubling leaves uneven, for little. The
    map of the image's side has w channels, and each one before it twice as many, up to 8w. With width w = 16:

        32 px:  M → 128 (4×4) → 64 → 32 → 16 (32×32) → image
        64 px:  M → 128 (4×4) → 128 → 64 → 32 → 16 (64×64) → image

    Weights are drawn from N(0, 0.02), batch-norm scales from N(1, 0.02).

    Shapes: one or more vectors [n, d_i], joined -> [n, c, h, h] in [−1, 1], h a power of two from 8 on.
    """

    width: int = option(16, help="channels of the map of the image's side, w", unit="channels", ge=1)

    def build(self, sees: tuple[Space, ...], makes: Space) -> nn.Module:
        size = sum(length_of(space) for space in sees)
        channels, side = image_of(makes)
        widths = [self.width << min(k, 3) for k in reversed(range(halvings(side) + 1))]
        layers: list[nn.Module] = [nn.Unflatten(1, (size, 1, 1)), nn.ConvTranspose2d(size, widths[0], 4, bias=False)]
        layers += [nn.BatchNorm2d(widths[0]), nn.ReLU(inplace=True)]
        for before, after in pairwise(widths):
            layers += [doubling(before, after), nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
        layers += [nn.Conv2d(widths[-1], channels, 3, padding=1), nn.Tanh()]
        return Joined(*layers).apply(initialise)


class SmallEncoder(Encoder):
    """Strided convolutions from a square image to a code, each halving the side.

    4×4 convolutions halve the image down to a 4×4 map; leaky ReLU (0.2) follows each, and batch-norm each but the
    first. A last one, with a bias, makes M numbers of the map. The first has w channels, and each next one twice as
    many, up to 8w. With width w = 16:

        32 px:  image → 16 (16×16) → 32 → 64 (4×4) → M
        64 px:  image → 16 (32×32) → 32 → 64 → 128 (4×4) → M

    Weights are drawn from N(0, 0.02), batch-norm scales from N(1, 0.02).

    Shapes: one or more images [n, c_i, h, h] of one side h, joined along the channels, h a power of two from 8 on
    -> [n, M].
    """

    width: int = option(16, help="channels of the first layer, w", unit="channels", ge=1)

    def build(self, sees: tuple[Space, ...], makes: Space) -> nn.Module:
        channels, side = images_of(sees)
        widths = [self.width << min(k, 3) for k in range(halvings(side))]
        layers: list[nn.Module] = [halving(channels, widths[0]), leaky()]
        for before, after in pairwise(widths):
            layers += [halving(before, after), nn.BatchNorm2d(after), leaky()]
        layers += [nn.Conv2d(widths[-1], length_of(makes), 4), nn.Flatten()]
        return Joined(*layers).apply(initialise)
