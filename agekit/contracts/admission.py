"""Whether a class may stand on a shelf: all that can be seen of it without calling it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, get_args

from pydantic.errors import PydanticUserError

from .component import Component
from .dataset import Dataset
from .loss import Loss
from .network import Network
from .operand import Form, Measure, Operand
from .other import Operator
from .shelves import SHELVES, Shelf

RESERVED: Mapping[type[Component], frozenset[str]] = {
    Component: frozenset(shelf.key for shelf in SHELVES),
    Dataset: frozenset({"batch", "flip", "fields", "held_out"}),
    Network: frozenset(
        {"sees", "makes", "from", "average_of", "decay", "class_names", "class_mapping", "statistics", "buffers"}
    ),
    Loss: frozenset({"weight"}),
    Measure: frozenset({"count", "generated", "on", "statistics"}),
}
"""Keys of the tables that name a component of a kind, so that no option of one may have their name.

A test compares the engine's tables.
"""


def refusals(component: Any, shelf: Shelf) -> Iterator[str]:
    """Why a class may not stand on a shelf; what one reason says may be needed to find the next."""
    if not (isinstance(component, type) and issubclass(component, shelf.contract)):
        yield f"found {component!r}, where a subclass of {shelf.contract.__name__} fits"
    elif inspect.isabstract(component):
        yield f"{component.__name__} does not define {', '.join(sorted(component.__abstractmethods__))}"
    else:
        yield from _of_operands(component)
        yield from _of_options(component)
        yield from _of_operators(component)
        yield from _of_datasets(component)


def _of_operands(component: type[Component]) -> Iterator[str]:
    if not issubclass(component, Measure):
        return
    operands = getattr(component, "operands", None)
    if not isinstance(operands, Mapping) or not all(isinstance(one, Operand) for one in operands.values()):
        yield f"its operands are {operands!r}, where a dictionary of names to agekit.Operand fits"
        return
    for name, operand in operands.items():
        for other in {operand.like, operand.scores} - {None, *operands}:
            yield f"the operand {name!r} is to be like {other!r}, and none is called so"
        if unknown := operand.takes - {*get_args(Form)}:
            yield f"the operand {name!r} takes {', '.join(sorted(unknown))}, where {', '.join(get_args(Form))} fit"


def _of_options(component: type[Component]) -> Iterator[str]:
    operands = frozenset(component.operands) if issubclass(component, Measure) else frozenset()
    reserved = operands.union(*(keys for kind, keys in RESERVED.items() if issubclass(component, kind)))
    for name in sorted(reserved & component.model_fields.keys()):
        yield f"the option {name!r} has a name that recipes give another meaning"
    if problem := _unsayable(component):
        yield f"an option takes what TOML cannot say: {problem}"


@cache
def _unsayable(component: type[Component]) -> str:
    """What of a component's options has no schema. Kept, for a process may load its plugins again and again."""
    try:
        component.model_json_schema()
    except PydanticUserError as error:
        return str(error).splitlines()[0]
    return ""


def _of_operators(component: type[Component]) -> Iterator[str]:
    """Every recipe makes all operators, for its expressions."""
    if not issubclass(component, Operator):
        return
    for name in [name for name, field in component.model_fields.items() if field.is_required()]:
        yield f"the option {name!r} has no default, and expressions have no place for it"
        return
    try:
        component()
    except Exception as error:  # noqa: BLE001 - it may raise anything
        yield f"it cannot be made: {type(error).__name__}: {error}"


def _of_datasets(component: type[Component]) -> Iterator[str]:
    if issubclass(component, Dataset):
        for name in ("licence", "homepage"):
            if not isinstance(getattr(component, name, None), str):
                yield f"it says no {name}: a class attribute, which may be empty for the homepage"
