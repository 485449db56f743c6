"""The values that authors declare known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..contracts import Known, Reference, draws
from ..errors import nearest
from .subject import Broken, NotApplicable, Subject

SEED = 5


def known(subject: Subject) -> None:
    """The values that its author declares known are those it has, in float64."""
    declared = [*subject.component.known()]
    if not declared:
        raise NotApplicable("none declared: a classmethod known() that yields agekit.Known(…) would")
    for one in declared:
        if not isinstance(one, Known) or not isinstance(one.component, subject.component):
            raise Broken(f"known() yields {one!r}, where Known(an instance of the component, …) fits")
        made = _call(one, subject)
        if isinstance(made, Mapping):
            for name, value in one.value.items():
                _compare(f"{name} of {one.component!r}", made[name], value)
        else:
            _compare(repr(one.component), made, one.value)


def _compare(what: str, made: Any, expected: Any) -> None:
    found, value = (torch.as_tensor(one, dtype=torch.float64) for one in (made, expected))
    if found.shape != value.shape or not torch.allclose(found, value, rtol=1e-6, atol=1e-9):
        raise Broken(f"{what} is {found.tolist()}, where {value.tolist()} is declared known")


def _call(one: Known, subject: Subject) -> Any:
    operands = [
        torch.as_tensor(operand, dtype=torch.float64) if _is_numbers(operand) else operand for operand in one.operands
    ]
    operands = [_reference(value, operands[0], subject) if isinstance(value, str) else value for value in operands]
    called: Any = one.component
    chance = {"generator": torch.Generator().manual_seed(SEED)} if draws(type(called).__call__) else {}
    made = called(*operands, **chance)
    return made.detach() if isinstance(made, Tensor) else made


def _reference(name: str, codes: Any, subject: Subject) -> Reference:
    """The reference of a name, in the dimension of codes or of a distribution of them."""
    known = {reference.__name__.lower(): reference for reference in subject.references}
    if name not in known:
        raise Broken(f"known() names the reference {name!r}; {nearest(name, known)}")
    return known[name](dim=codes.shape[-1] if isinstance(codes, Tensor) else codes.event_shape[-1])


def _is_numbers(value: Any) -> bool:
    return isinstance(value, int | float) or (isinstance(value, Sequence) and not isinstance(value, str))
