"""The generator of the published colouring: residual blocks at a quarter of the size."""

from __future__ import annotations

import agekit
import torch
from torch import Tensor, nn

SHRINK = 4


class ColorResidual(agekit.Generator):
    """Residual blocks on a quarter of the size, from codes and images to an image, as published for colouring.

    Each code is spread over the whole map, the same at every pixel, and joined with the images along the channels. Two
    5×5 convolutions of stride 2 follow, batch-norm and ReLU between them; then blocks x + BN(conv(ReLU(BN(conv(x)))))
    of 3×3 convolutions on mirrored edges; then a 3×3 convolution whose channels are laid out as 4×4 pixels
    (pixel-shuffle). Nothing bounds the output. Weights are drawn from N(0, 0.02), batch-norm scales from N(1, 0.02).

    Source: the released code of Ulyanov, Vedaldi and Lempitsky 2018, models/conditional_64px.py; He et al. 2016 for
    residual blocks, Shi et al. 2016, equation 4, for the pixel-shuffle.
    Shapes: codes [n, d_i] and images [n, c_i, h, w], h and w multiples of 4 from 8 on -> [n, c, h, w].
    """

    sees = ("z", "l")
    width: int = agekit.option(64, help="channels of every map", unit="channels", ge=1)
    blocks: int = agekit.option(10, help="residual blocks", unit="blocks", ge=1)

    def build(self, sees: tuple[agekit.Space, ...], makes: agekit.Space) -> nn.Module:
        before, after = _channels(sees, makes)
        layers = [
            nn.Conv2d(before, self.width, 5, stride=2, padding=2),
            nn.BatchNorm2d(self.width),
            nn.ReLU(inplace=True),
            nn.Conv2d(self.width, self.width, 5, stride=2, padding=2),
            *(Residual(self.width) for _ in range(self.blocks)),
            nn.Conv2d(self.width, after * SHRINK**2, 3, padding=1),
            nn.PixelShuffle(SHRINK),
        ]
        return Spread(*layers).apply(_initialise)


class Spread(nn.Module):
    """Layers in a row, on vectors and images joined along the channels, each vector the same at every pixel."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, *inputs: Tensor) -> Tensor:
        size = next(given.shape[2:] for given in inputs if given.ndim == 4)
        maps = [given if given.ndim == 4 else given[:, :, None, None].expand(-1, -1, *size) for given in inputs]
        made: Tensor = self.layers(torch.cat(maps, dim=1))
        return made


class Residual(nn.Module):
    """A block of two convolutions around which its input passes unchanged."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            Mirrored(),
            nn.Conv2d(width, width, 3, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            Mirrored(),
            nn.Conv2d(width, width, 3, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        changed: Tensor = self.layers(x)
        return x + changed


class Mirrored(nn.Module):
    """One more pixel at each edge, mirrored at it.

    It is torch's ReflectionPad2d, whose gradient on a GPU is not repeatable.
    """

    def forward(self, x: Tensor) -> Tensor:
        x = torch.cat([x[:, :, 1:2], x, x[:, :, -2:-1]], dim=2)
        return torch.cat([x[..., 1:2], x, x[..., -2:-1]], dim=3)


def _channels(sees: tuple[agekit.Space, ...], makes: agekit.Space) -> tuple[int, int]:
    """The channels that enter, and those that are made. Raises ValueError where the shapes do not fit."""
    images = [space.shape for space in (*sees, makes) if len(space.shape) != 1]
    sizes = {shape[1:] for shape in images}
    whole = all(isinstance(side, int) and side >= 8 and side % SHRINK == 0 for size in sizes for side in size)
    if len(images) < 2 or len(makes.shape) != 3 or len(sizes) != 1 or not whole:
        found = " and ".join(map(str, sees))
        raise ValueError(
            'color_residual makes an image of codes and images of its size, as sees = ["z", "l"] says, with sides '
            f"of 8, 12, 16, … pixels; found {found} to make {makes}"
        )
    return sum(space.shape[0] or 0 for space in sees), makes.shape[0] or 0


def _initialise(module: nn.Module) -> None:
    """Draw fresh weights of one layer; biases of convolutions stay as torch draws them, as in the released code."""
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)
