"""The same step written by hand, with the tricks that the engine uses; and its convolutions alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor, nn

from .reference import (
    BETAS,
    DIM,
    LEARNING_RATE,
    RECONSTRUCT,
    RECOVER,
    UPDATES,
    Draw,
    cosine,
    encoder,
    generator,
    kl,
    on_sphere,
)

Result = TypeVar("Result")


class ByHand:
    """No gradient that nobody uses, channels last, one kernel for Adam, no waiting; on CUDA whole updates as graphs."""

    def __init__(
        self, width: int, device: torch.device, draw_x: Draw, draw_z: Draw, *, half: bool = False, graphs: bool = False
    ) -> None:
        self.e, self.g = (laid_out(network.to(device)) for network in (encoder(width), generator(width)))
        self.draw_x, self.draw_z = draw_x, draw_z
        self.device, self.half, self.graphs = device, half, graphs
        rate = torch.tensor(LEARNING_RATE, device=device) if graphs else LEARNING_RATE
        self.of_e, self.of_g = (
            torch.optim.Adam(network.parameters(), rate, BETAS, fused=True, capturable=graphs)
            for network in (self.e, self.g)
        )
        self.updates = [self.encoder_update, *[self.generator_update] * UPDATES]
        if graphs:
            encode, generate = captured(self.encoder_update), captured(self.generator_update)
            self.updates = [encode, *[generate] * UPDATES]

    def step(self) -> list[dict[str, Tensor]]:
        """One update of the encoder and three of the generator; the terms of each, unweighted, on the device."""
        return [update() for update in self.updates]

    def encoder_update(self) -> dict[str, Tensor]:
        """The encoder parts real from fake codes, and reconstructs."""
        with self._training(self.e, self.of_e):
            x, z = self.draw_x(), self.draw_z()
            codes = self._encoded(x)
            real = kl(codes)
            with torch.no_grad():
                made = self._generated(z)
            fake = kl(self._encoded(made))
            reconstruct = (self._generated(codes) - x).abs().mean()
            torch.autograd.backward(real - fake + RECONSTRUCT * reconstruct)
        return {"real": real.detach(), "fake": fake.detach(), "reconstruct": reconstruct.detach()}

    def generator_update(self) -> dict[str, Tensor]:
        """The generator brings fake codes to the sphere's law, and each back to where it came from."""
        with self._training(self.g, self.of_g):
            z = self.draw_z()
            codes = self._encoded(self._generated(z))
            fake, recover = kl(codes), cosine(codes, z)
            torch.autograd.backward(fake + RECOVER * recover)
        return {"fake": fake.detach(), "recover": recover.detach()}

    @contextmanager
    def _training(self, network: nn.Module, optimizer: torch.optim.Optimizer) -> Iterator[None]:
        for one in (self.e, self.g):
            one.requires_grad_(one is network)
        optimizer.zero_grad(set_to_none=True)
        yield
        optimizer.step()

    def _encoded(self, x: Tensor) -> Tensor:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            made: Tensor = self.e(x)
        return on_sphere(made.float())

    def _generated(self, codes: Tensor) -> Tensor:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            made: Tensor = self.g(codes)
        return made.float()


def laid_out(network: nn.Sequential, layout: torch.memory_format = torch.channels_last) -> nn.Sequential:
    """The network with its weights in a layout."""
    made: nn.Sequential = network.to(memory_format=layout)  # type: ignore[call-overload]
    return made


def captured(update: Callable[[], Result]) -> Callable[[], Result]:
    """An update as a CUDA graph; what it returns is written anew by each replay. Warming up moves the weights."""
    beside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):
        for _ in range(3):
            update()
    torch.cuda.current_stream().wait_stream(beside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        terms = update()

    def replay() -> Result:
        graph.replay()
        return terms

    return replay


class Convolutions:
    """The convolutions of a step and nothing else, in the passes that are needed: the rate that can be attained."""

    def __init__(
        self, width: int, batch: int, device: torch.device, *, half: bool = False, channels_last: bool = True
    ) -> None:
        dtype = torch.bfloat16 if half else torch.float32
        layout = torch.channels_last if channels_last else torch.contiguous_format
        kinds = nn.Conv2d, nn.ConvTranspose2d
        self.e, self.g = (
            laid_out(nn.Sequential(*(layer for layer in network if isinstance(layer, kinds))).to(device, dtype), layout)
            for network in (encoder(width), generator(width))
        )
        self.x = torch.randn(batch, 3, 64, 64, device=device, dtype=dtype).contiguous(memory_format=layout)
        self.z = torch.randn(batch, DIM, 1, 1, device=device, dtype=dtype)

    def step(self) -> None:
        """The passes of one update of the encoder and three of the generator."""
        for _ in range(2):  # real and fake images
            passed(self.e, self.x, trained=True, inward=False)
        passed(self.g, self.z, trained=False, inward=False)
        passed(self.g, self.z, trained=False, inward=True)
        for _ in range(UPDATES):
            passed(self.g, self.z, trained=True, inward=False)
            passed(self.e, self.x, trained=False, inward=True)


def passed(network: nn.Module, value: Tensor, *, trained: bool, inward: bool) -> None:
    """A forward pass, and a backward pass to the weights or to the input."""
    network.requires_grad_(trained)
    value = value.detach().requires_grad_(inward)
    made = network(value)
    wanted = [*(network.parameters() if trained else ()), *([value] if inward else ())]
    if wanted:
        torch.autograd.grad(made, wanted, torch.ones_like(made))
