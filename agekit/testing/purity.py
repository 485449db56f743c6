"""What a call must leave as it was: its operands, the component itself, and every source of random numbers."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..contracts import Component
from .subject import Broken


@contextmanager
def untouched(component: Component, tensors: Mapping[str, Tensor], what: object) -> Iterator[None]:
    """Raise `Broken` where what is done inside changes a tensor in place, or an attribute of the component."""
    copies = {name: tensor.detach().clone() for name, tensor in tensors.items()}
    before = {name: _copied(value) for name, value in _attributes(component).items()}
    yield
    for name, kept in copies.items():
        if not torch.equal(tensors[name].detach(), kept):
            raise Broken(f"{what}: a call changes {name!r} in place, and others are handed it, too")
    after = _attributes(component)
    for name in sorted(before.keys() | after.keys()):
        if not _same(before.get(name), after.get(name)):
            raise Broken(f"{what}: a call changes the attribute {name!r}, and a component keeps nothing between calls")


def _attributes(component: Component) -> dict[str, Any]:
    """The instance's own attributes, private ones too, and the data that its classes hold."""
    found = {**vars(component), **(component.__pydantic_private__ or {})}
    for kind in type(component).__mro__[: type(component).__mro__.index(Component)]:
        found |= {name: value for name, value in vars(kind).items() if _is_data(name, value)}
    return found


def _is_data(name: str, value: Any) -> bool:
    behaves = callable(value) or hasattr(value, "__get__")
    return not behaves and not name.startswith(("__", "model_", "_abc"))


def _copied(value: Any) -> Any:
    try:
        return copy.deepcopy(value)
    except Exception:  # noqa: BLE001 - what cannot be copied is compared with itself
        return value


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor | np.ndarray):
        return isinstance(other, type(one)) and np.array_equal(np.asarray(one), np.asarray(other))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, tuple | list) and isinstance(other, tuple | list):
        return len(one) == len(other) and all(map(_same, one, other))
    return type(one) is type(other) and (bool(one == other) or repr(one) == repr(other))


@contextmanager
def undrawn(what: object, *sources: str) -> Iterator[None]:
    """Raise `Broken` where what is done inside draws from, or seeds, a state that everybody shares."""
    kept = {source: read() for source, (read, _, _) in SHARED.items()}
    try:
        for _, seed, _ in SHARED.values():
            seed(NOBODYS)  # or what seeds them by its own number twice would leave them as they are
        before = {source: read() for source, (read, _, _) in SHARED.items()}
        yield
        for source, (read, _, _) in SHARED.items():
            if source in (sources or SHARED) and not _same(read(), before[source]):
                raise Broken(
                    f"{what}: it draws from {source}'s global state, and not from a generator that it is handed"
                )
    finally:
        for source, (_, _, restore) in SHARED.items():
            restore(kept[source])


NOBODYS = 3141592653
"""A seed that nothing else has."""
SHARED: dict[str, tuple[Callable[[], Any], Callable[[int], Any], Callable[[Any], Any]]] = {
    "torch": (torch.get_rng_state, torch.default_generator.manual_seed, torch.set_rng_state),
    "numpy": (np.random.get_state, np.random.seed, np.random.set_state),
    "Python": (random.getstate, random.seed, random.setstate),
}
"""How each state is read, seeded and restored."""
