"""Every draw as a function of what it is for, so that nothing depends on what was drawn before."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
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


class Draws:
    """Where the draws of one evaluation come from: each is a function of `key` and of what it is for."""

    def __init__(self, device: torch.device, *key: Part) -> None:
        self.device, self.key = device, key

    def generator(self, *name: Part) -> torch.Generator:
        """The generator for something that is handed one."""
        return generator(self.device, *self.key, *name)

    @contextmanager
    def within(self, *name: Part) -> Iterator[None]:
        """Meanwhile, what is handed no generator, such as a layer, draws by this name."""
        seed_networks(self.device, *self.key, *name)
        yield


class KeptDraws(Draws):
    """Draws of one evaluation after another, by the same generators: a recording holds on to these."""

    def __init__(self, device: torch.device) -> None:
        super().__init__(device)
        self._kept: list[tuple[tuple[Part, ...], torch.Generator]] = []
        self._handed = 0

    @property
    def generators(self) -> list[torch.Generator]:
        """All that were handed out, in order."""
        return [one for _, one in self._kept]

    def turn(self, *key: Part) -> None:
        """Begin an evaluation: seed every generator for this key, without waiting for the device."""
        self.key, self._handed = key, 0
        for name, one in self._kept:
            one.manual_seed(seed_of(*key, *name))

    def generator(self, *name: Part) -> torch.Generator:
        """The next of the generators: every evaluation asks for the same ones, in the same order."""
        if self._handed == len(self._kept):
            self._kept.append((name, super().generator(*name)))
        kept, one = self._kept[self._handed]
        assert kept == name, f"{name} is drawn where {kept} was"  # noqa: S101 - a plan does not change
        self._handed += 1
        return one

    @contextmanager
    def within(self, *name: Part) -> Iterator[None]:
        """Meanwhile, torch's own generator of the device is one of those that are kept."""
        torch.default_generator.manual_seed(seed_of(*self.key, *name))
        if self.device.type != "cuda":
            yield
            return
        own = torch.cuda.default_generators[self.device.index or 0]  # which cannot be seeded while it is recorded
        before = own.graphsafe_get_state()
        own.graphsafe_set_state(self.generator(*name).graphsafe_get_state())
        try:
            yield
        finally:
            own.graphsafe_set_state(before)


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
