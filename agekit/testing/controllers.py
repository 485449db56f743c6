"""Checks of controllers: what one watches, and its state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from safetensors.torch import load, save
from torch import Tensor

from ..contracts import Controller, Reading, StateKept
from . import declared
from .instances import instances
from .layouts import on_meta
from .purity import untouched
from .subject import Broken, NotApplicable, Subject

State = Mapping[str, Tensor]


def begun(controller: Controller) -> State:
    """The state before the first step, as the engine keeps it."""
    return {name: torch.tensor(value, dtype=torch.float64) for name, value in controller.begin().items()}


def readings(controller: Controller, value: float, gradient: float, ideal: float | None = 0.5) -> dict[str, Reading]:
    """What it is told of the terms that it watches, each somewhat other than the one before; as little as it asks."""
    return {
        name: Reading(
            torch.tensor(value + 0.1 * place),
            ideal,
            torch.tensor(gradient * (1 + place)) if controller.gradients else None,
        )
        for place, name in enumerate(controller.watches())
    }


def made(subject: Subject) -> list[Controller]:
    """Every instance."""
    return [one for one in instances(subject) if isinstance(one, Controller)]


def contract(subject: Subject) -> None:
    """Its options, the terms it watches, and a state that keeps its entries and their type."""
    declared.options(subject)
    for controller in made(subject):
        watched = controller.watches()
        if not isinstance(watched, tuple) or not watched or not all(isinstance(name, str) for name in watched):
            raise Broken(f"{controller!r} watches {watched!r}, where a tuple of names of terms fits")
        state = begun(controller)
        if "weight" not in state:
            raise Broken(f"{controller!r} begins with {', '.join(state) or 'nothing'}, where `weight` is among it")
        for ideal in (0.5, None):
            if ideal is not None or _takes(controller, ideal):
                _check_step(controller, state, readings(controller, 1.0, 2.0, ideal))


def _takes(controller: Controller, ideal: float | None) -> bool:
    """Whether check() lets it watch terms of this ideal, as the weight of any of them."""
    ideals = dict.fromkeys(controller.watches(), ideal)
    for name in ideals:
        try:
            controller.check(f"player.{name}", ideals)
        except ValueError:
            continue
        return True
    return False


def _check_step(controller: Controller, state: State, told: Mapping[str, Reading]) -> None:
    first = next(iter(told.values()))
    said = (
        f"where a term's ideal is {first.ideal} and its gradient {'told' if controller.gradients else 'not asked for'}"
    )
    try:
        after = controller(state, told, 1.0)
    except StateKept:
        raise
    except (TypeError, AttributeError) as error:
        raise Broken(f"{controller!r} raises {error}, {said}") from error
    if after.keys() != state.keys() or any(x.shape != () or x.dtype != torch.float64 for x in after.values()):
        found = {name: f"{x.dtype} {[*x.shape]}" for name, x in after.items()}
        raise Broken(f"{controller!r} has {found} after a step, where {', '.join(state)}, float64 [], fit")


def device(subject: Subject) -> None:
    """It computes where its state is, and never waits for it: on the meta device, which has no numbers to look at."""
    for controller in made(subject):
        names, told = list(begun(controller)), readings(controller, 1.0, 2.0)

        def step(*numbers: Tensor, one: Controller = controller, names: list[str] = names) -> Tensor:
            state, rest = dict(zip(names, numbers, strict=False)), iter(numbers[len(names) :])
            moved = {
                name: replace(reading, value=next(rest), gradient=next(rest) if one.gradients else None)
                for name, reading in readings(one, 1.0, 2.0).items()
            }
            return one(state, moved, 1.0)["weight"]

        seen = [x for reading in told.values() for x in (reading.value, reading.gradient) if x is not None]
        try:
            on_meta(repr(controller), step, (*begun(controller).values(), *seen))
        except NotApplicable as error:
            raise Broken(f"{controller!r} waits for the device: {error}") from error


def degenerate(subject: Subject) -> None:
    """Values and gradients of 0, and huge ones, leave a finite state."""
    for controller in made(subject):
        for value, gradient in ((0.0, 0.0), (1e30, 1e30), (-1e30, 1e-30)):
            state = begun(controller)
            for _ in range(3):
                state = controller(state, readings(controller, value, gradient), 1.0)
            if not all(x.isfinite() for x in state.values()):
                raise Broken(f"{controller!r} is not finite after values of {value:g} and gradients of {gradient:g}")


def state(subject: Subject) -> None:
    """All that it remembers is in its state: through a file's bytes, into another instance, it goes on to the same."""
    for controller in made(subject):
        with untouched(controller, begun(controller), repr(controller)):
            whole = _after(controller, begun(controller), range(6))
        half = _after(controller, begun(controller), range(3))
        before = {name: x.clone() for name, x in half.items()}
        other = type(controller).model_validate(dict(controller))
        rest = _after(other, load(save(dict(half))), range(3, 6))
        if not all(torch.equal(whole[name], rest[name]) for name in whole):
            raise Broken(f"{controller!r} saved and loaded half-way, it goes on elsewhere: something is kept outside")
        if not all(torch.equal(before[name], half[name]) for name in half):
            raise Broken(f"{controller!r} changes the state that it is handed, where a new one fits")


def _after(controller: Controller, state: State, steps: range) -> State:
    for step in steps:
        state = controller(state, readings(controller, 0.3 * step, 1.0 + step), 1 - 0.1 * step)
    return state
