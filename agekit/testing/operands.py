"""Examples: a loss or a metric with operands made of random numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MethodType
from typing import Any

import torch
from torch import Tensor

from ..contracts import SCORE, Measure, Metric, Space, draws

Axes = Callable[[int], tuple[int, ...]]
"""The shape of one sample, by the dimension of codes."""

N, DIM = 12, 3
"""How many samples are drawn, and the dimension of codes, where a check needs no others."""
SEED = 5


@dataclass(frozen=True)
class Slot:
    """One operand: what it is, the shape of its raw numbers, if it has any, and what is made of them."""

    label: str
    axes: Axes | None
    make: Callable[[Any, int], Any]
    classes: tuple[str, ...] = ()

    def __str__(self) -> str:
        shape = f"[{', '.join(map(str, ('n', *self.axes(DIM))))}]" if self.axes else ""
        return " ".join(part for part in (self.label, shape) if part)


@dataclass(frozen=True)
class Batch:
    """Raw numbers, one tensor [n, …] for each operand that has any, and the dimension of codes."""

    raws: tuple[Tensor, ...]
    dim: int

    def each(self, change: Callable[[Tensor], Tensor]) -> Batch:
        """The batch with its numbers changed; classes stay."""
        return replace(self, raws=tuple(change(raw) if raw.is_floating_point() else raw for raw in self.raws))

    def rows(self, chosen: Any) -> Batch:
        """Some samples of it."""
        return replace(self, raws=tuple(raw[chosen] for raw in self.raws))

    def with_raw(self, index: int, raw: Tensor) -> Batch:
        """The batch with the numbers of one operand changed."""
        return replace(self, raws=(*self.raws[:index], raw, *self.raws[index + 1 :]))


@dataclass(frozen=True)
class Example:
    """A loss or a metric with operands that it takes."""

    measure: Measure
    slots: tuple[Slot, ...]

    def __str__(self) -> str:
        operands = (f"{name} {slot}" for name, slot in zip(self.measure.operands, self.slots, strict=True))
        options = (f"{name} = {getattr(self.measure, name)}" for name in sorted(self.measure.model_fields_set))
        return ", ".join((*operands, *options))

    @property
    def sampled(self) -> list[str]:
        """The operands that raw numbers are drawn for, in their order."""
        return [name for name, slot in zip(self.measure.operands, self.slots, strict=True) if slot.axes]

    def draw(self, n: int, dim: int, *, seed: int = SEED, dtype: torch.dtype = torch.float64) -> Batch:
        """Random numbers for a batch: normal ones, spread 0.7 about 0.3, so that no point is a special one."""
        chance = torch.Generator().manual_seed(seed)
        raws = []
        for slot in self.slots:
            if slot.axes and slot.classes:
                raws.append(torch.randint(len(slot.classes), (n, *slot.axes(dim)), generator=chance))
            elif slot.axes:
                noise = torch.randn(n, *slot.axes(dim), generator=chance, dtype=torch.float64)
                raws.append((0.7 * noise + 0.3).to(dtype))
        return Batch(tuple(raws), dim)

    def operands(self, batch: Batch) -> list[Any]:
        """What it is called with. The batch itself is out of its reach."""
        raws = iter(raw.clone() for raw in batch.raws)
        made = [slot.make(next(raws) if slot.axes else None, batch.dim) for slot in self.slots]
        declared = [*self.measure.operands.values()]
        for index in [i for i, operand in enumerate(declared) if operand.differentiated]:
            made[index] = at = made[index] if made[index].requires_grad else made[index].detach().requires_grad_()
            made = [
                value + _potential(at) if operand.kind == SCORE else value
                for value, operand in zip(made, declared, strict=True)
            ]
        return made

    def named(self, operands: Sequence[Any]) -> Mapping[str, Tensor]:
        """Those operands that are tensors, by name."""
        pairs = zip(self.measure.operands, operands, strict=True)
        return {name: operand for name, operand in pairs if isinstance(operand, Tensor)}

    def value(self, batch: Batch) -> Tensor:
        """What it makes of a batch; what it draws is the same each time."""
        return self.of(self.operands(batch))

    def at(self, *raws: Tensor) -> Tensor:
        """What it makes of raw numbers."""
        return self.value(Batch(raws, DIM))

    def of(self, operands: Sequence[Any]) -> Tensor:
        """What the loss makes of operands, or the metric's rows of them."""
        call: Any = self.measure.rows if isinstance(self.measure, Metric) else self.measure
        chance = {"generator": torch.Generator().manual_seed(SEED)} if _draws(call) else {}
        made: Tensor = call(*operands, **chance)
        return made

    def spaces(self, dim: int) -> dict[str, Space]:
        """The spaces of the operands, by name."""
        return {
            name: Space(operand.kind or "x", slot.axes(dim) if slot.axes else (dim,), slot.classes)
            for (name, operand), slot in zip(self.measure.operands.items(), self.slots, strict=True)
        }


def _draws(call: Any) -> bool:
    return draws(call if isinstance(call, MethodType) else type(call).__call__)


def _potential(at: Tensor) -> Tensor:
    """A score that depends on `at`: its gradient there is `at` itself."""
    return at.flatten(1).square().sum(dim=1) / 2
