"""The parser: a U-Net."""

from __future__ import annotations

from itertools import pairwise

import agekit
import torch
from torch import Tensor, nn


class UNet(agekit.Parser):
    """Class scores of every pixel by a U-Net, small enough for a CPU.

    On each of depth + 1 levels two 3×3 convolutions, each with batch-norm and ReLU, make w, 2w, 4w, … channels; 2×2
    maxima halve the side on the way down, 2×2 transposed convolutions double it on the way up, where what the level
    made on the way down is joined to it; a 1×1 convolution makes the scores.

    Source: Ronneberger, Fischer and Brox 2015, figure 1, with padding, batch-norm and fewer channels.
    Shapes: images [n, c, h, w] whose sides 2^depth divides -> [n, classes, h, w].
    """

    width: int = agekit.option(16, help="channels of the first level, w", unit="channels", ge=1)
    depth: int = agekit.option(3, help="how often the side is halved", unit="levels", ge=1, le=8)

    def build(self, sees: tuple[agekit.Space, ...], makes: agekit.Space) -> nn.Module:
        match [space.shape for space in sees], makes.shape:
            case [(int(channels), int(height), int(width))], (int(classes), *sides) if sides == [height, width]:
                if height % (1 << self.depth) or width % (1 << self.depth):
                    raise ValueError(
                        f"halves {self.depth} times, so that sides divisible by {1 << self.depth} fit; found {sees[0]}"
                    )
                return _UNet(channels, classes, self.width, self.depth)
        found = ", ".join(map(str, sees))
        raise ValueError(f"makes a score a class and pixel of one image [c, h, w]; found {found} to make {makes} of")


class _UNet(nn.Module):
    def __init__(self, channels: int, classes: int, width: int, depth: int) -> None:
        super().__init__()
        widths = [width << level for level in range(depth + 1)]
        self.down = nn.ModuleList(_level(before, after) for before, after in pairwise([channels, *widths]))
        upwards = list(pairwise(reversed(widths)))
        self.enlarge = nn.ModuleList(nn.ConvTranspose2d(below, here, 2, stride=2) for below, here in upwards)
        self.up = nn.ModuleList(_level(2 * here, here) for _, here in upwards)
        self.halve = nn.MaxPool2d(2)
        self.score = nn.Conv2d(width, classes, 1)

    def forward(self, images: Tensor) -> Tensor:
        made = [self.down[0](images)]
        for level in self.down[1:]:
            made.append(level(self.halve(made[-1])))
        x = made.pop()
        for enlarge, level in zip(self.enlarge, self.up, strict=True):
            x = level(torch.cat([made.pop(), enlarge(x)], dim=1))
        scores: Tensor = self.score(x)
        return scores


def _level(before: int, after: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (before, after):
        layers += [nn.Conv2d(channels, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)
