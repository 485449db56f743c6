"""Stochastic encoders: they return a distribution, of which the engine draws where samples are wanted."""

from __future__ import annotations

import agekit
from torch import Tensor, nn
from torch.distributions import Independent, Normal
from torch.nn import functional

from .layers import Joined, body, head, images_of, length_of, precise
from .vmf import VonMisesFisher

WIDTH = "channels of the first layer, w"


class GaussianEncoder(agekit.Encoder):
    """A diagonal Gaussian for each image: the encoder `dcgan` with 2M outputs, means and log-variances.

    Source: Kingma and Welling 2014, appendix C.2; the convolutions of Radford, Metz and Chintala 2016.
    Shapes: one or more images [n, c_i, h, h] of one side h, joined along the channels, h a power of two from 8 on
    -> N(m, diag v) over [n, M].
    """

    width: int = agekit.option(64, help=WIDTH, unit="channels", ge=1)

    def build(self, sees: tuple[agekit.Space, ...], makes: agekit.Space) -> nn.Module:
        return _Gaussian(convolutions(sees, self.width, 2 * length_of(makes)))


class VMFEncoder(agekit.Encoder):
    """A von Mises–Fisher distribution on the sphere for each image: the encoder `dcgan` with M + 1 outputs.

    The first M are scaled to unit length for the direction; the concentration is 1 + softplus of the last.

    Source: Davidson et al. 2018, sections 3 and 4, and their code; the convolutions of Radford, Metz and Chintala 2016.
    Shapes: one or more images [n, c_i, h, h] of one side h, joined along the channels, h a power of two from 8 on
    -> vMF(μ, κ) over [n, M], M from 3 on.
    """

    width: int = agekit.option(64, help=WIDTH, unit="channels", ge=1)

    def build(self, sees: tuple[agekit.Space, ...], makes: agekit.Space) -> nn.Module:
        size = length_of(makes)
        if size < 3:
            raise ValueError(f"vmf makes codes of 3 and more numbers, found {makes}")
        return _VMF(convolutions(sees, self.width, size + 1))


class _Gaussian(nn.Module):
    """Convolutions whose outputs are means and log-variances."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *images: Tensor) -> Independent[Normal]:
        mean, log_variance = precise(self.network(*images)).chunk(2, dim=1)
        normal = Normal(mean, (log_variance / 2).exp(), validate_args=False)
        return Independent(normal, 1, validate_args=False)


class _VMF(nn.Module):
    """Convolutions whose outputs are directions and concentrations."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *images: Tensor) -> VonMisesFisher:
        made = precise(self.network(*images))
        direction = functional.normalize(made[:, :-1], dim=1)
        return VonMisesFisher(direction, 1 + functional.softplus(made[:, -1]), validate_args=False)


def convolutions(sees: tuple[agekit.Space, ...], width: int, size: int) -> nn.Module:
    """The convolutions of the encoder `dcgan`, from images to `size` numbers."""
    channels, side = images_of(sees)
    return Joined(*body(channels, side, width), *head(side, width, size))
