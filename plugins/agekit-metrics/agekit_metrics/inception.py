"""The Inception network of 2015, as far as FID's features: TensorFlow's, not the one that torchvision trained."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

FEATURES = 2048
SIDE = 299


class Convolution(nn.Module):
    """A convolution, batch-norm with fixed statistics and no scale, and ReLU."""

    weight: Tensor
    shift: Tensor
    mean: Tensor
    variance: Tensor

    def __init__(
        self, sees: int, makes: int, size: int | tuple[int, int], stride: int = 1, *, same: bool = False
    ) -> None:
        super().__init__()
        height, width = (size, size) if isinstance(size, int) else size
        self.stride, self.padding = stride, (height // 2, width // 2) if same else (0, 0)
        self.register_buffer("weight", torch.empty(makes, sees, height, width))
        for name in ("shift", "mean", "variance"):
            self.register_buffer(name, torch.empty(makes))

    def forward(self, x: Tensor) -> Tensor:
        x = functional.conv2d(x, self.weight, stride=self.stride, padding=self.padding)
        return functional.batch_norm(x, self.mean, self.variance, bias=self.shift, eps=1e-3).relu_()


class Beside(nn.ModuleList):
    """Branches on one map, whose channels are put side by side."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self], dim=1)


def chain(sees: int, *layers: tuple[int, int | tuple[int, int]]) -> list[nn.Module]:
    """Convolutions that keep the side, of so many channels and this size each, one after another."""
    made: list[nn.Module] = []
    for makes, size in layers:
        made.append(Convolution(sees, makes, size, same=True))
        sees = makes
    return made


def mean_pool() -> nn.Module:
    """The mean of 3×3 values; those beyond the edge do not count, as in TensorFlow."""
    return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)


def block_a(sees: int, pooled: int) -> nn.Module:
    """Branches of 1×1, 5×5 and twice 3×3, at 35×35."""
    return Beside(
        [
            *chain(sees, (64, 1)),
            nn.Sequential(*chain(sees, (48, 1), (64, 5))),
            nn.Sequential(*chain(sees, (64, 1), (96, 3), (96, 3))),
            nn.Sequential(mean_pool(), *chain(sees, (pooled, 1))),
        ]
    )


def block_b(sees: int) -> nn.Module:
    """From 35×35 to 17×17."""
    return Beside(
        [
            Convolution(sees, 384, 3, stride=2),
            nn.Sequential(*chain(sees, (64, 1), (96, 3)), Convolution(96, 96, 3, stride=2)),
            nn.MaxPool2d(3, stride=2),
        ]
    )


def block_c(sees: int, inner: int) -> nn.Module:
    """Branches of 7×7 in rows and columns, at 17×17."""
    row, column = (1, 7), (7, 1)
    return Beside(
        [
            *chain(sees, (192, 1)),
            nn.Sequential(*chain(sees, (inner, 1), (inner, row), (192, column))),
            nn.Sequential(*chain(sees, (inner, 1), (inner, column), (inner, row), (inner, column), (192, row))),
            nn.Sequential(mean_pool(), *chain(sees, (192, 1))),
        ]
    )


def block_d(sees: int) -> nn.Module:
    """From 17×17 to 8×8."""
    return Beside(
        [
            nn.Sequential(*chain(sees, (192, 1)), Convolution(192, 320, 3, stride=2)),
            nn.Sequential(*chain(sees, (192, 1), (192, (1, 7)), (192, (7, 1))), Convolution(192, 192, 3, stride=2)),
            nn.MaxPool2d(3, stride=2),
        ]
    )


def block_e(sees: int, pool: nn.Module) -> nn.Module:
    """Branches that end in rows and columns side by side, at 8×8."""

    def both() -> nn.Module:
        return Beside([Convolution(384, 384, (1, 3), same=True), Convolution(384, 384, (3, 1), same=True)])

    return Beside(
        [
            *chain(sees, (320, 1)),
            nn.Sequential(*chain(sees, (384, 1)), both()),
            nn.Sequential(*chain(sees, (448, 1), (384, 3)), both()),
            nn.Sequential(pool, *chain(sees, (192, 1))),
        ]
    )


def network() -> nn.Sequential:
    """The network from pictures [n, 3, 299, 299] in (v − 128) / 128 to its third pooling [n, 2048], without weights.

    Where the mean of 3×3 values is taken, those beyond the edge do not count; the last block takes their maximum
    instead, although its siblings take the mean: so the graph of 2015 has it.

    Source: Szegedy et al. 2016, as published by TensorFlow on 5 December 2015 and used by Heusel et al. 2017.
    """
    return nn.Sequential(
        Convolution(3, 32, 3, stride=2),
        Convolution(32, 32, 3),
        Convolution(32, 64, 3, same=True),
        nn.MaxPool2d(3, stride=2),
        Convolution(64, 80, 1),
        Convolution(80, 192, 3),
        nn.MaxPool2d(3, stride=2),
        *(block_a(192, 32), block_a(256, 64), block_a(288, 64)),
        block_b(288),
        *(block_c(768, 128), block_c(768, 160), block_c(768, 160), block_c(768, 192)),
        block_d(768),
        block_e(1280, mean_pool()),
        block_e(2048, nn.MaxPool2d(3, stride=1, padding=1)),
        nn.AvgPool2d(8),
        nn.Flatten(),
    )
