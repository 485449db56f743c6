"""Instances of a component: with its defaults, with each choice made otherwise, and as its author declares them."""

from __future__ import annotations

import functools
import types
from collections.abc import Iterator
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from ..contracts import Component
from .subject import NotApplicable, Subject

NUMBERS = (1, 2, 8, 32, 0)
"""Numbers that a needed option is tried with; then its own name is, and a list of it."""


@functools.cache
def instances(subject: Subject) -> tuple[Component, ...]:
    """What is checked of a component: first the default one, then those with one choice made otherwise.

    A needed option is given the first choice or number that fits it. Raises `NotApplicable` where none does, and where
    `known` declares no instance either.
    """
    component = subject.component
    base = _needed(component)
    if base is None:
        declared = tuple(known.component for known in component.known())
        if not declared:
            raise NotApplicable("what fits an option that is needed cannot be guessed: known() may declare an instance")
        return declared
    others = ({**base, name: choice} for name, field in component.model_fields.items() for choice in _choices(field))
    made = [_made(component, options) for options in (base, *others)]
    return tuple(dict.fromkeys(one for one in made if one is not None))


def choices(subject: Subject) -> Iterator[tuple[str, Any]]:
    """The options of which there are few values, with each that an instance has."""
    for name, field in subject.component.model_fields.items():
        if any(True for _ in _choices(field)):
            yield from ((name, choice) for choice in dict.fromkeys(getattr(made, name) for made in instances(subject)))


def default(subject: Subject) -> Component:
    """The instance of the defaults. Raises `NotApplicable` where there is none."""
    return instances(subject)[0]


def _needed(component: type[Component]) -> dict[str, Any] | None:
    """A value for every option that is needed; None where one cannot be found."""
    options: dict[str, Any] = {}
    for name, field in component.model_fields.items():
        if field.is_required():
            options[name] = next(iter(_choices(field)), None)
    for name in [name for name, value in options.items() if value is None]:
        guesses = (*NUMBERS, name, (name,))
        options[name] = next((one for one in guesses if name not in _refused(component, {**options, name: one})), None)
    return options if _made(component, options) is not None else None


def _made(component: type[Component], options: dict[str, Any]) -> Component | None:
    return None if _refused(component, options) else component(**options)


def _refused(component: type[Component], options: dict[str, Any]) -> set[str]:
    """The options that do not fit."""
    try:
        component(**options)
    except ValidationError as error:
        return {str(entry["loc"][0]) if entry["loc"] else "" for entry in error.errors()}
    return set()


def _choices(field: FieldInfo) -> Iterator[Any]:
    """The values of an option that has few."""
    for annotation in _alternatives(field.annotation):
        if annotation is bool:
            yield from (False, True)
        elif get_origin(annotation) is Literal:
            yield from get_args(annotation)


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)
