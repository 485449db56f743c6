"""What pydantic found wrong, said as agekit says it."""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from ..contracts import SHELVES
from ..errors import nearest

PLAIN: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "true or false",
    dict: "a table",
    type(None): "",
}


def complaints(error: ValidationError, model: type[BaseModel], known: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Pairs of key and message, one for each key that is wrong; `known` are further keys that would fit here."""
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    seen: set[str] = set()
    for entry in error.errors():
        key = str(entry["loc"][0]) if entry["loc"] else ""
        if key in seen:
            continue
        seen.add(key)
        match entry["type"]:
            case "extra_forbidden":
                yield key, f"unknown key; {nearest(key, {*fields, *known})}"
            case "missing":
                yield key, f"is missing, {fits(fields[key].annotation)} fits: {fields[key].description}"
            case "value_error":
                yield key, f"found {shown(entry['input'])}, where {entry['ctx']['error']}"
            case kind if kind.startswith(("greater", "less", "finite")):
                said = entry["msg"].removeprefix("Input should be ")
                yield key, f"found {shown(entry['input'])}, where {fits(fields[key].annotation)} {said} fits"
            case _ if key in fields:
                yield key, f"found {shown(entry['input'])}, where {fits(fields[key].annotation)} fits"
            case _:
                yield key, f"{entry['msg']}"


def fits(annotation: Any) -> str:
    """What a type takes, in words.

    >>> fits(float | None), fits(tuple[str, ...]), fits(Literal["qp", "pq"])
    ('a number', 'a list of text', 'qp or pq')
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(str(value) for value in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(filter(None, map(fits, arguments))))
    if origin is tuple:
        inner = fits(arguments[0])
        return f"a list of {inner}" if arguments[-1] is Ellipsis else f"a list of {len(arguments)}: {inner}"
    if origin is not None and hasattr(annotation, "__metadata__"):
        return fits(arguments[0])
    for shelf in SHELVES:
        if annotation is shelf.contract:
            return f"a table with {shelf.key} = …"
    return PLAIN.get(origin or annotation, getattr(annotation, "__name__", str(annotation)))


def shown(value: Any) -> str:
    """A value from a recipe, short."""
    text = repr(list(value) if isinstance(value, tuple) else value)
    return text if len(text) <= 60 else text[:57] + "…"
