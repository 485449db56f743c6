"""What the engine puts around a network: the map of its codes, the merging of its classes, the place of a program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from ..contracts import Reference, Space
from ..errors import ComputeError


class Coded(nn.Module):
    """A network that makes codes, ended with the map of the reference's space; its codes are float32 or better.

    A distribution is handed on as it is: its own support must be the reference's space.
    """

    def __init__(self, network: nn.Module, reference: Reference) -> None:
        super().__init__()
        self.network = network
        self.reference = reference

    def forward(self, *inputs: Tensor) -> Tensor | Distribution:
        codes = self.network(*inputs)
        if isinstance(codes, Distribution):
            return codes
        return self.reference.project(codes.double() if codes.dtype == torch.float64 else codes.float())


class Merged(nn.Module):
    """A network of class scores, some of whose classes are taken together: their probabilities add.

    The score of a group is the logarithm of the sum of the exponentials of its scores, so that the softmax of the
    result is the sum of those of `network`: [n, classes, …] -> [n, groups, …].
    """

    def __init__(self, network: nn.Module, groups: Sequence[Sequence[int]]) -> None:
        super().__init__()
        self.network = network
        self.groups = [list(group) for group in groups]

    def forward(self, *inputs: Tensor) -> Tensor:
        scores: Tensor = self.network(*inputs)
        return torch.stack([scores[:, group].logsumexp(1) for group in self.groups], 1)


class Foreign(nn.Module):
    """The place of an exported program. Its weights stay in its own file, and so out of checkpoints."""

    def __init__(self, makes: Space) -> None:
        super().__init__()
        self.makes = makes
        self._program: tuple[Any, ...] = ()  # no child module: what torch exports refuses train() and eval()

    def take(self, program: nn.Module) -> None:
        """Put the program in its place."""
        self._program = (program.requires_grad_(False),)

    def forward(self, *inputs: Tensor) -> Tensor:
        if inputs[0].is_meta:
            return torch.empty(len(inputs[0]), *(size or 1 for size in self.makes.shape), device="meta")
        if not self._program:
            raise ComputeError("an exported program is code, and runs only where it is trusted: --trust allows it")
        made: Tensor = self._program[0](*inputs)
        return made
