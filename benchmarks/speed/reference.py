"""The reference loop: AGE on CelebA at 64 px, gone about as its authors' released code does.

float32, eager, contiguous; autograd records and computes whatever its defaults say, gradients that are thrown away
among them; Adam goes through the parameters one by one; the losses are fetched after every update; a data loader
decodes files. The formulas and weights are those of `age_celeba`, so that engine and reference can be held against
each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

DIM = 64
"""The dimension of the codes."""

RECONSTRUCT, RECOVER = 5.0, 7.8125
"""The weights of the two reciprocities."""

UPDATES = 3
"""The generator's updates to one of the encoder."""

LEARNING_RATE, BETAS = 2e-4, (0.5, 0.999)

Draw = Callable[[], Tensor]


def encoder(width: int) -> nn.Sequential:
    """Images [n, 3, 64, 64] -> codes [n, 64], not yet on the sphere."""
    widths = [3, width, 2 * width, 4 * width, 8 * width]
    layers: list[nn.Module] = []
    for place, (before, after) in enumerate(pairwise(widths)):
        layers += [nn.Conv2d(before, after, 4, 2, 1, bias=False), *([nn.BatchNorm2d(after)] if place else [])]
        layers += [nn.LeakyReLU(0.2, inplace=True)]
    return nn.Sequential(*layers, nn.Conv2d(widths[-1], DIM, 4), nn.Flatten()).apply(initialise)


def generator(width: int) -> nn.Sequential:
    """Codes [n, 64] -> images [n, 3, 64, 64]."""
    widths = [8 * width, 4 * width, 2 * width, width]
    layers: list[nn.Module] = [nn.Unflatten(1, (DIM, 1, 1)), nn.ConvTranspose2d(DIM, widths[0], 4, bias=False)]
    for before, after in pairwise([*widths, 3]):
        layers += [nn.BatchNorm2d(before), nn.ReLU(inplace=True)]
        layers += [nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False)]
    return nn.Sequential(*layers, nn.Tanh()).apply(initialise)


def initialise(layer: nn.Module) -> None:
    """Draw the weights of a layer as DCGAN does."""
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(layer.weight, 0.0, 0.02)
    elif isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 1.0, 0.02)


def on_sphere(codes: Tensor) -> Tensor:
    """Codes divided by their lengths."""
    length: Tensor = torch.linalg.vector_norm(codes, dim=1, keepdim=True)
    return codes / length


def kl(codes: Tensor) -> Tensor:
    """KL of the fitted diagonal Gaussian to the sphere's, N(0, I/d), mean over coordinates: equation 7."""
    variance, mean = torch.var_mean(codes, dim=0, correction=0)
    d = codes.shape[1]
    return (d * (variance + mean.square()) / 2 - (d * variance).log() / 2).mean() - 0.5


def cosine(codes: Tensor, z: Tensor) -> Tensor:
    """One minus the cosine of the angle between codes and where they come from."""
    return (1 - functional.cosine_similarity(codes, z)).mean()


class Reference:
    """Two networks, two optimizers, and the step; `draw_x` and `draw_z` give what an update sees."""

    def __init__(self, width: int, device: torch.device, draw_x: Draw, draw_z: Draw) -> None:
        self.e, self.g = encoder(width).to(device), generator(width).to(device)
        self.draw_x, self.draw_z = draw_x, draw_z
        self.of_e, self.of_g = (
            torch.optim.Adam(network.parameters(), LEARNING_RATE, BETAS, foreach=False, fused=False)
            for network in (self.e, self.g)
        )

    def step(self) -> list[dict[str, float]]:
        """One update of the encoder and three of the generator; the terms of each, unweighted."""
        return [self.encoder_update(), *(self.generator_update() for _ in range(UPDATES))]

    def encoder_update(self) -> dict[str, float]:
        """The encoder parts real from fake codes, and reconstructs."""
        self.e.zero_grad()
        self.g.zero_grad()
        x = self.draw_x()
        codes = on_sphere(self.e(x))
        real = kl(codes)
        fake = kl(on_sphere(self.e(self.g(self.draw_z()).detach())))
        reconstruct = (self.g(codes) - x).abs().mean()
        torch.autograd.backward(real - fake + RECONSTRUCT * reconstruct)
        self.of_e.step()
        return {"real": real.item(), "fake": fake.item(), "reconstruct": reconstruct.item()}

    def generator_update(self) -> dict[str, float]:
        """The generator brings fake codes to the sphere's law, and each back to where it came from."""
        self.g.zero_grad()
        self.e.zero_grad()
        z = self.draw_z()
        codes = on_sphere(self.e(self.g(z)))
        fake, recover = kl(codes), cosine(codes, z)
        torch.autograd.backward(fake + RECOVER * recover)
        self.of_g.step()
        return {"fake": fake.item(), "recover": recover.item()}


class Files(Dataset[Tensor]):
    """Pictures, each decoded, resized and cropped as published whenever it is asked for."""

    def __init__(self, paths: Sequence[Path], size: int = 64) -> None:
        self.paths, self.size = list(paths), size

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Tensor:
        with Image.open(self.paths[index]) as file:
            image = file.convert("RGB")
        height = round(self.size * image.height / image.width)
        top = (height - self.size) // 2
        image = image.resize((self.size, height), Image.Resampling.LANCZOS)
        image = image.crop((0, top, self.size, top + self.size))
        return torch.from_numpy(np.array(image)).permute(2, 0, 1).float().div(127.5).sub(1)


def loader(paths: Sequence[Path], batch: int, workers: int) -> Iterator[Tensor]:
    """Batches of an epoch, decoded by so many processes."""
    return iter(DataLoader(Files(paths), batch, shuffle=True, drop_last=True, num_workers=workers))
