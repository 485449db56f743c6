"""Critics: of data, of codes, and of both together."""

from __future__ import annotations

from typing import Literal

import agekit
from torch import Tensor, nn

from .layers import Joined, body, head, images_of, leaky, length_of, linear

WIDTH = "channels of the first layer, w"
SPECTRAL = "divide each layer's weights by their largest singular value (Miyato et al. 2018, algorithm 1)"
NORMALISATION = "batch-norm on all layers but the first and the last; a gradient penalty wants none"
Normalisation = Literal["batch", "none"]


class DCGANCritic(agekit.Critic):
    """Strided convolutions from a square image to a score, each halving the side: DCGAN's discriminator, as a logit.

    4×4 convolutions halve the image down to a 4×4 map with w, 2w, 4w, 8w, 8w, … channels, leaky ReLU (0.2) after each
    and batch-norm on each but the first; up to 32 px a last one halves again and its 2×2 map is averaged, above that it
    covers the 4×4 map. Without batch-norm every layer has a bias, with it the last one only. Weights are drawn from
    N(0, 0.02), batch-norm scales from N(1, 0.02). It is the encoder `dcgan` with one output.

    Source: Radford, Metz and Chintala 2016, section 3; spectral normalisation: Miyato et al. 2018.
    Shapes: one or more images [n, c_i, h, h] of one side h, joined along the channels, h a power of two from 8 on
    -> [n].
    """

    width: int = agekit.option(64, help=WIDTH, unit="channels", ge=1)
    spectral: bool = agekit.option(False, help=SPECTRAL)
    normalisation: Normalisation = agekit.option("batch", help=NORMALISATION)

    def build(self, sees: tuple[agekit.Space, ...], makes: agekit.Space) -> nn.Module:  # noqa: ARG002 - a score
        channels, side = images_of(sees)
        batch_norm = self.normalisation == "batch"
        layers = body(channels, side, self.width, batch_norm=batch_norm, spectral=self.spectral)
        return Joined(*layers, *head(side, self.width, 1, spectral=self.spectral), nn.Flatten(0))


class CodesCritic(agekit.Critic):
    """A perceptron from codes to a score, with ReLU between its layers.

    Source: the released code of Tolstikhin et al. 2018 has four layers of 512 units, Makhzani et al. 2016 two of 1000.
    Shapes: one or more vectors [n, d_i], joined -> [n].
    """

    sees = ("z",)
    width: int = agekit.option(512, help="units of a hidden layer", unit="units", ge=1)
    depth: int = agekit.option(4, help="hidden layers", unit="layers", ge=1)
    spectral: bool = agekit.option(False, help=SPECTRAL)

    def build(self, sees: tuple[agekit.Space, ...], makes: agekit.Space) -> nn.Module:  # noqa: ARG002 - a score
        layers: list[nn.Module] = []
        size = sum(length_of(space) for space in sees)
        for _ in range(self.depth):
            layers += [linear(size, self.width, spectral=self.spectral), nn.ReLU(inplace=True)]
            size = self.width
        return Joined(*layers, linear(size, 1, spectral=self.spectral), nn.Flatten(0))


class JointCritic(agekit.Critic):
    """A critic of images together with their codes, for games in which both are imitated.

    The image passes through the convolutions of the critic `dcgan` down to its 4×4 map and on to 8w numbers, the code
    through two layers of 8w units; two layers of 16w units look at both. Leaky ReLU (0.2) follows each of these,
    dropout comes before each layer that looks at codes or at both.

    Source: Dumoulin et al. 2017, section 2 and its appendix on architectures, in the proportions of DCGAN.
    Shapes: images [n, c_i, h, h] and vectors [n, d_j], in any order, h a power of two from 8 on -> [n].
    """

    sees = ("x", "z")
    width: int = agekit.option(64, help=WIDTH, unit="channels", ge=1)
    spectral: bool = agekit.option(False, help=SPECTRAL)
    normalisation: Normalisation = agekit.option("batch", help=NORMALISATION)
    dropout: float = agekit.option(0.2, help="share of the values that are dropped", ge=0, lt=1)

    def build(self, sees: tuple[agekit.Space, ...], makes: agekit.Space) -> nn.Module:  # noqa: ARG002 - a score
        images = tuple(space for space in sees if len(space.shape) > 1)
        codes = tuple(space for space in sees if len(space.shape) <= 1)
        if not images or not codes:
            found = ", ".join(map(str, sees))
            raise ValueError(f'joint looks at images and at vectors, as in sees = ["x", "z"]; found {found}')
        return _Joint(self._of_images(images), self._of_codes(codes), self._of_both())

    def _of_images(self, images: tuple[agekit.Space, ...]) -> nn.Module:
        channels, side = images_of(images)
        layers = body(channels, side, self.width, batch_norm=self.normalisation == "batch", spectral=self.spectral)
        return Joined(*layers, *head(side, self.width, 8 * self.width, spectral=self.spectral), leaky())

    def _of_codes(self, codes: tuple[agekit.Space, ...]) -> nn.Module:
        size, width = sum(length_of(space) for space in codes), 8 * self.width
        return Joined(*self._dense(size, width), *self._dense(width, width))

    def _of_both(self) -> nn.Module:
        width = 16 * self.width
        hidden = [*self._dense(width, width), *self._dense(width, width)]
        return Joined(*hidden, nn.Dropout(self.dropout), linear(width, 1, spectral=self.spectral), nn.Flatten(0))

    def _dense(self, before: int, after: int) -> list[nn.Module]:
        return [nn.Dropout(self.dropout), linear(before, after, spectral=self.spectral), leaky()]


class _Joint(nn.Module):
    """Looks at images and at codes by themselves, and then at both."""

    def __init__(self, of_images: nn.Module, of_codes: nn.Module, of_both: nn.Module) -> None:
        super().__init__()
        self.of_images, self.of_codes, self.of_both = of_images, of_codes, of_both

    def forward(self, *inputs: Tensor) -> Tensor:
        images = [value for value in inputs if value.ndim > 2]
        codes = [value for value in inputs if value.ndim == 2]
        score: Tensor = self.of_both(self.of_images(*images), self.of_codes(*codes))
        return score
