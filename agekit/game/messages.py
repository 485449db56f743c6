"""What pydantic found wrong, said as agekit says it."""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ..contracts import SHELVES
from ..errors import MOST_TOLD, nearest
from ..recipe.source import Key

PLAIN: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "true or false",
    dict: "a table",
    type(None): "",
}
MANY: dict[Any, str] = {int: "whole numbers", float: "numbers", dict: "tables"}


def complaints(error: ValidationError, model: type[BaseModel], known: Iterable[str]) -> Iterator[tuple[Key, str]]:
    """Pairs of key and message, one for each key that is wrong; `known` are further keys that would fit here."""
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    seen: set[Key] = set()
    for entry in islice(error.errors(), MOST_TOLD + 1):
        name = str(entry["loc"][0]) if entry["loc"] else ""
        field = fields.get(name)
        key, annotation = _inside(field.annotation if field else None, entry["loc"])
        if any(other[: len(key)] == key for other in seen):
            continue
        seen.add(key)
        match entry["type"]:
            case "extra_forbidden":
                yield key, f"unknown key; {nearest(name, {*fields, *known})}"
            case "missing" if field:
                yield key, f"is missing; {fits(annotation)} fits: {field.description}"
            case _:
                yield key, _said(entry, fits(annotation) if field else "")


def _inside(annotation: Any, place: Key) -> tuple[Key, Any]:
    """The key within lists and tables that a complaint is about, and what fits there; alternatives are no places."""
    key = place[:1]
    for part in place[1:]:
        options = [option for option in get_args(annotation) if option is not type(None)]
        if type(None) in get_args(annotation) and len(options) == 1:
            annotation = options[0]
        if get_origin(annotation) not in (tuple, dict):
            break
        key, annotation = (*key, part), get_args(annotation)[0 if get_origin(annotation) is tuple else 1]
    return key, annotation


def _said(entry: ErrorDetails, fitting: str) -> str:
    found = f"found {shown(entry['input'])}, where"
    match entry["type"]:
        case "value_error":
            return f"{found} {entry['ctx']['error']}"
        case "finite_number":
            return f"{found} a finite number fits"
        case kind if kind.startswith(("greater", "less")):
            number, other, more = fitting.partition(" or ")
            return f"{found} {number} {entry['msg'].removeprefix('Input should be ')}{other}{more} fits"
        case kind if fitting and kind.endswith(("_type", "literal_error", "_instance_of")):
            return f"{found} {fitting} fits"
        case _:
            return f"{found} {fitting or 'something else'} fits: {entry['msg']}"


def fits(annotation: Any) -> str:
    """What a type takes, in words.

    >>> fits(float | None), fits(tuple[int, ...]), fits(Literal["qp", "pq"])
    ('a number', 'a list of whole numbers', 'qp or pq')
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(str(value) for value in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(filter(None, map(fits, arguments))))
    if origin is tuple:
        inner = MANY.get(arguments[0]) or fits(arguments[0])
        return f"a list of {inner}" if arguments[-1] is Ellipsis else f"a list of {len(arguments)}: {inner}"
    if origin is not None and hasattr(annotation, "__metadata__"):
        return fits(arguments[0])
    for shelf in SHELVES:
        if annotation is shelf.contract:
            return f"a table with {shelf.key} = …"
    return PLAIN.get(origin or annotation, getattr(annotation, "__name__", str(annotation)))


def shown(value: Any) -> str:
    """A value from a recipe, short."""
    for shelf in SHELVES:
        if isinstance(value, shelf.contract):
            return f"a table with {shelf.key} = …"
    text = str(value).lower() if isinstance(value, bool) else repr(list(value) if isinstance(value, tuple) else value)
    return text if len(text) <= 60 else text[:57] + "…"
