"""A validator of the part of JSON Schema (draft 2020-12) that agekit writes; an unknown keyword is an error."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list, tuple),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "null": (type(None),),
}
NOTES = {"$schema", "$defs", "title", "description", "default", "unit", "then"}


def complaints(value: Any, schema: Any, root: Any, place: str = "") -> Iterator[str]:
    """What a value breaks of a schema, each with its place."""
    if isinstance(schema, bool):
        if not schema:
            yield f"{place}: nothing fits"
        return
    for keyword, wanted in schema.items():
        if keyword not in NOTES:
            yield from CHECKS[keyword](value, wanted, schema, root, place)


def fits(value: Any, schema: Any, root: Any) -> bool:
    return not list(complaints(value, schema, root))


def _type(value: Any, wanted: Any, schema: Any, root: Any, place: str) -> Iterator[str]:
    number_like_truth = isinstance(value, bool) and wanted != "boolean"
    if number_like_truth or not isinstance(value, TYPES[wanted]):
        yield f"{place}: {value!r} is no {wanted}"


def _properties(value: Any, wanted: Any, schema: Any, root: Any, place: str) -> Iterator[str]:
    for key in wanted.keys() & value.keys() if isinstance(value, dict) else ():
        yield from complaints(value[key], wanted[key], root, f"{place}.{key}")


def _additional(value: Any, wanted: Any, schema: Any, root: Any, place: str) -> Iterator[str]:
    for key in value.keys() - schema.get("properties", {}).keys() if isinstance(value, dict) else ():
        yield from complaints(value[key], wanted, root, f"{place}.{key}")


def _items(value: Any, wanted: Any, schema: Any, root: Any, place: str) -> Iterator[str]:
    for index, item in enumerate(value[len(schema.get("prefixItems", [])) :] if isinstance(value, list) else ()):
        yield from complaints(item, wanted, root, f"{place}.{index}")


def _prefix(value: Any, wanted: Any, schema: Any, root: Any, place: str) -> Iterator[str]:
    for item, inner in zip(value if isinstance(value, list) else (), wanted, strict=False):
        yield from complaints(item, inner, root, place)


def _if(value: Any, wanted: Any, schema: Any, root: Any, place: str) -> Iterator[str]:
    if fits(value, wanted, root):
        yield from complaints(value, schema["then"], root, place)


def _ref(value: Any, wanted: str, schema: Any, root: Any, place: str) -> Iterator[str]:
    target = root
    for part in wanted.removeprefix("#/").split("/"):
        target = target[part]
    yield from complaints(value, target, root, place)


def _rule(text: str, holds: Any) -> Any:
    def check(value: Any, wanted: Any, schema: Any, root: Any, place: str) -> Iterator[str]:
        if not holds(value, wanted, root):
            yield f"{place}: {value!r} {text} {wanted!r}"

    return check


def _size(value: Any) -> float:
    return len(value) if isinstance(value, list | str) else 0


def _number(value: Any, otherwise: float) -> float:
    return value if isinstance(value, int | float) else otherwise


CHECKS = {
    "type": _type,
    "properties": _properties,
    "additionalProperties": _additional,
    "items": _items,
    "prefixItems": _prefix,
    "if": _if,
    "$ref": _ref,
    "allOf": lambda value, wanted, schema, root, place: (
        said for inner in wanted for said in complaints(value, inner, root, place)
    ),
    "anyOf": _rule("fits none of", lambda value, wanted, root: any(fits(value, inner, root) for inner in wanted)),
    "enum": _rule("is none of", lambda value, wanted, root: value in wanted),
    "const": _rule("is not", lambda value, wanted, root: value == wanted and type(value) is type(wanted)),
    "required": _rule("lacks one of", lambda value, wanted, root: isinstance(value, dict) and {*wanted} <= {*value}),
    "minimum": _rule("is below", lambda value, wanted, root: _number(value, wanted) >= wanted),
    "maximum": _rule("is above", lambda value, wanted, root: _number(value, wanted) <= wanted),
    "exclusiveMinimum": _rule("is not above", lambda value, wanted, root: _number(value, wanted + 1) > wanted),
    "exclusiveMaximum": _rule("is not below", lambda value, wanted, root: _number(value, wanted - 1) < wanted),
    "minItems": _rule("is shorter than", lambda value, wanted, root: _size(value) >= wanted),
    "maxItems": _rule("is longer than", lambda value, wanted, root: _size(value) <= wanted),
    "minLength": _rule("is shorter than", lambda value, wanted, root: _size(value) >= wanted),
}
