"""Every draw as a function of what it is for, so that nothing depends on what was drawn before."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from .portions import Portion

Part = str | int


def seed_of(*parts: Part) -> int:
    """A seed in [0, 2⁶³) that is a function of these parts and of nothing else.

    >>> seed_of(0, "encoder", 1, "z") == seed_of(0, "encoder", 1, "z") != seed_of(0, "encoder", 11, "z")
    True
    """
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def seed_networks(device: torch.device, *parts: Part) -> None:
    """Seed the state from which networks, and the distributions they make, draw on a device.

    `torch.manual_seed` would do as well, and takes a millisecond to note who called it where CUDA sleeps.
    """
    seed = seed_of(*parts)
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].manual_seed(seed)


def generator(device: torch.device, *parts: Part) -> torch.Generator:
    """A generator on a device, seeded by these parts."""
    return torch.Generator(device).manual_seed(seed_of(*parts))


class Cut(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Meanwhile, what is drawn with a row for each sample of a portion is drawn for the whole batch, and cut.

    So a portion sees the draws that its samples would have in the batch, whatever draws them: a layer, a distribution,
    an operator. What is drawn with another number of rows is left alone.
    """

    def __init__(self, portion: Portion) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.portion = portion

    def __torch_dispatch__(
        self,
        operation: Any,
        types: Sequence[type],
        arguments: Sequence[Any] = (),
        named: Mapping[str, Any] | None = None,
    ) -> Any:
        if torch.Tag.nondeterministic_seeded not in operation.tags:
            return operation(*arguments, **(named or {}))
        drawn = operation(*map(self._widened, arguments), **(named or {}))
        cut = tuple(map(self._cut, drawn)) if isinstance(drawn, tuple) else self._cut(drawn)
        return arguments[0].copy_(cut) if operation._schema.is_mutable else cut

    def _widened(self, argument: Any) -> Any:
        """An argument with a row for each sample of the portion, as one with a row for each of the batch."""
        portion = self.portion
        if isinstance(argument, list) and argument[:1] == [portion.size]:
            return [portion.batch, *argument[1:]]
        if not isinstance(argument, Tensor) or argument.shape[:1] != (portion.size,):
            return argument
        last = argument.ndim == 4 and argument.is_contiguous(memory_format=torch.channels_last)
        layout = torch.channels_last if last else torch.contiguous_format
        wide = argument.new_empty(portion.batch, *argument.shape[1:]).to(memory_format=layout)
        wide[:] = argument[:1]  # the draws of the others are thrown away, and any values will do
        wide[portion.rows] = argument
        return wide

    def _cut(self, drawn: Tensor) -> Tensor:
        return drawn[self.portion.rows] if drawn.shape[:1] == (self.portion.batch,) else drawn
