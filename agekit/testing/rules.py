"""Checks of schedules and optimizers."""

from __future__ import annotations

import math

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from ..contracts import Optimizer, Progress, Schedule
from .instances import instances
from .purity import undrawn, untouched
from .subject import Broken, Subject

STAGES = (Progress(0, 1, 1), *(Progress(step, 100, 10) for step in (0, 1, 49, 99, 100)), Progress(7, 10**9, 10**6))


def values(subject: Subject) -> None:
    """A schedule gives a finite number at every step of a stage."""
    for schedule in instances(subject):
        for progress in STAGES:
            value = schedule(progress) if isinstance(schedule, Schedule) else 0.0
            if not isinstance(value, float | int) or not math.isfinite(value):
                raise Broken(f"{schedule!r} gives {value!r} at {progress}")


def repeated(subject: Subject) -> None:
    """A schedule gives the same number whenever it is asked, and keeps nothing."""
    for schedule in instances(subject):
        if isinstance(schedule, Schedule):
            with untouched(schedule, {}, repr(schedule)), undrawn(repr(schedule)):
                first = [schedule(progress) for progress in STAGES]
                again = [schedule(progress) for progress in reversed(STAGES)]
            if again != first[::-1]:
                raise Broken(f"{schedule!r} gives another number when it is asked again")


class _Bowl:
    """A quadratic to descend, with one parameter that has no gradient."""

    def __init__(self) -> None:
        start = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
        self.parameters = [nn.Parameter(start), nn.Parameter(start[0].clone()), nn.Parameter(torch.ones(2))]

    def cost(self) -> Tensor:
        return self.parameters[0].square().sum() + (self.parameters[1] - 1).square().sum()

    def descend(self, optimizer: torch.optim.Optimizer, steps: int, rate: float) -> None:
        for _ in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.zero_grad(set_to_none=True)
            self.cost().backward()  # type: ignore[no-untyped-call]
            optimizer.step()


def descent(subject: Subject) -> None:
    """An optimizer lowers a quadratic, at the learning rate that is written into it, and stands still at 0.

    Every parameter that has a gradient moves, and none that has not.
    """
    for optimizer in instances(subject):
        if isinstance(optimizer, Optimizer):
            bowl, start = _Bowl(), _Bowl().parameters
            built, before = optimizer.build(bowl.parameters), bowl.cost().item()
            bowl.descend(built, 1, 0.0)
            if bowl.cost().item() != before:
                raise Broken(f"{optimizer!r} moves at a learning rate of 0")
            bowl.descend(built, 30, 1e-2)
            if not bowl.cost().item() < before:
                raise Broken(f"{optimizer!r} does not lower a quadratic in 30 steps: {before:.4g} → {bowl.cost():.4g}")
            for now, then in zip(bowl.parameters, start, strict=True):
                if torch.equal(now, then) != (now.grad is None):
                    which, found = ("a", "stays") if now.grad is not None else ("no", "moves")
                    raise Broken(f"{optimizer!r}: a parameter that has {which} gradient {found}")


def seed(subject: Subject) -> None:
    """An optimizer makes the same steps each time, and draws from no state that everybody shares."""
    for optimizer in instances(subject):
        if isinstance(optimizer, Optimizer):
            first, again = _Bowl(), _Bowl()
            with undrawn(repr(optimizer)):
                for bowl in (first, again):
                    bowl.descend(optimizer.build(bowl.parameters), 3, 1e-2)
            if not all(torch.equal(a, b) for a, b in zip(first.parameters, again.parameters, strict=True)):
                raise Broken(f"{optimizer!r} makes other steps each time")


def state(subject: Subject) -> None:
    """Its state, through a file's bytes into a fresh optimizer, goes on to the same bytes."""
    for optimizer in instances(subject):
        if isinstance(optimizer, Optimizer):
            whole, half, rest = _Bowl(), _Bowl(), _Bowl()
            with untouched(optimizer, {}, repr(optimizer)):
                whole.descend(optimizer.build(whole.parameters), 6, 1e-2)
            first = optimizer.build(half.parameters)
            half.descend(first, 3, 1e-2)
            for ours, theirs in zip(rest.parameters, half.parameters, strict=True):
                ours.data.copy_(theirs)
            second = optimizer.build(rest.parameters)
            second.load_state_dict(_through_bytes(first.state_dict()))
            rest.descend(second, 3, 1e-2)
            if not all(torch.equal(a, b) for a, b in zip(whole.parameters, rest.parameters, strict=True)):
                raise Broken(f"{optimizer!r} saved and loaded half-way, it goes on elsewhere: its state is not whole")


def _through_bytes(state: dict[str, object]) -> dict[str, object]:
    """A state whose tensors went through safetensors; its numbers are kept."""
    entries: dict[int, dict[str, object]] = state["state"]  # type: ignore[assignment]
    tensors = {f"{i}.{name}": x for i, entry in entries.items() for name, x in entry.items() if isinstance(x, Tensor)}
    read = load(save(tensors))
    return {
        **state,
        "state": {i: {name: read.get(f"{i}.{name}", x) for name, x in entry.items()} for i, entry in entries.items()},
    }
