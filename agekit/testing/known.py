"""The values that authors declare known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from ..contracts import Divergence, Known, Loss, Metric, Reference, Space, draws
from ..errors import nearest
from .instances import choices
from .subject import Broken, NotApplicable, Subject
from .telling import untold
from .worlds import taken_by

SEED = 5
CODES, AXIS = 3, 2
"""How many codes, and how long an axis of a sample: on fewer, n (n − 1) is n, or a mean is a sum."""


def known(subject: Subject) -> None:
    """The values that its author declares known are those it has, in float64; those of a loss tell it from mistakes.

    A loss has to declare some. Wherever a sum in the place of a mean, a deviation in that of a variance and the like
    would make a difference to random operands, it has to make one to some known value.
    """
    declared = [*subject.component.known()]
    if not declared:
        missing = "no value is declared known: a classmethod known() that yields agekit.Known(…) would"
        raise (Broken if issubclass(subject.component, Loss) else NotApplicable)(missing)
    for one in declared:
        if not isinstance(one, Known) or not isinstance(one.component, subject.component):
            raise Broken(f"known() yields {one!r}, where Known(an instance of the component, …) fits")
        made = _call(one, subject)
        if isinstance(made, Mapping):
            for name, value in one.value.items():
                _compare(f"{name} of {one.component!r}", made.get(name, "not there"), value)
        else:
            _compare(repr(one.component), made, one.value)
    if issubclass(subject.component, Loss):
        _check_telling(subject, declared)


def _compare(what: str, made: Any, expected: Any) -> None:
    if isinstance(made, str):
        raise Broken(f"{what} is {made}, where {expected} is declared known")
    found, value = (torch.as_tensor(one, dtype=torch.float64) for one in (made, expected))
    if found.shape != value.shape or not torch.allclose(found, value, rtol=1e-6, atol=1e-9):
        raise Broken(f"{what} is {found.tolist()}, where {value.tolist()} is declared known")


def _check_telling(subject: Subject, declared: Sequence[Known]) -> None:
    """Raise `Broken` where a choice, an axis, or a likely mistake is without consequence for all known values."""
    least = CODES if issubclass(subject.component, Divergence) else 1
    shapes = [_shape(operand) for one in declared for operand in one.operands if not isinstance(operand, str)]
    if not any(shape[:1] >= (least,) and all(size >= AXIS for size in shape[1:]) for shape in shapes):
        wanted = f"{CODES} codes or more, of {AXIS} coordinates" if least > 1 else f"samples with every axis of {AXIS}"
        raise Broken(f"no known value is of {wanted} or more: a sum would pass for a mean")
    for option, choice in choices(subject):
        if all(getattr(one.component, option) != choice for one in declared):
            raise Broken(f"no known value is of {option} = {choice!r}")
    values = [partial(_call, one, subject) for one in declared]
    for loss in dict.fromkeys(one.component for one in declared if isinstance(one.component, Loss)):
        examples = taken_by(loss, subject)[0]
        elsewhere = [partial(example.value, example.draw(5, 3)) for example in examples]
        if mistake := untold(values, elsewhere, subject.component.__module__.partition(".")[0]):
            raise Broken(f"no known value tells {mistake}: several samples and coordinates, none of them 0 or 1, would")


def _call(one: Known, subject: Subject) -> Any:
    operands = [
        torch.as_tensor(operand, dtype=torch.float64) if _is_numbers(operand) else operand for operand in one.operands
    ]
    operands = [_reference(value, operands[0], subject) if isinstance(value, str) else value for value in operands]
    called: Any = one.component
    if isinstance(called, Metric):
        return called.values(called.rows(*operands), _spaces(called, operands))
    chance = {"generator": torch.Generator().manual_seed(SEED)} if draws(type(called).__call__) else {}
    made = called(*operands, **chance)
    return made.detach() if isinstance(made, Tensor) else made


def _spaces(metric: Metric, operands: Sequence[Any]) -> dict[str, Space]:
    pairs = zip(metric.operands.items(), operands, strict=True)
    return {name: Space(operand.kind or "x", tuple(value.shape[1:])) for (name, operand), value in pairs}


def _shape(operand: Any) -> tuple[int, ...]:
    if isinstance(operand, Distribution):
        return (*operand.batch_shape, *operand.event_shape)
    return tuple(torch.as_tensor(operand).shape)


def _reference(name: str, codes: Any, subject: Subject) -> Reference:
    """The reference of a name, in the dimension of codes or of a distribution of them."""
    known = {reference.__name__.lower(): reference for reference in subject.references}
    if name not in known:
        raise Broken(f"known() names the reference {name!r}; {nearest(name, known)}")
    return known[name](dim=codes.shape[-1] if isinstance(codes, Tensor) else codes.event_shape[-1])


def _is_numbers(value: Any) -> bool:
    return isinstance(value, int | float) or (isinstance(value, Sequence) and not isinstance(value, str))
