"""Checks of what a component declares: its options, and its docstring."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any, get_args, get_origin

from pydantic import ValidationError

from ..contracts import Component
from .instances import default
from .subject import Broken, NotApplicable, Subject

FORMULA = re.compile(r"[=+±²³√∑Σ∫·×‖|^/−≤≥←∝∇]|\w\(\w")
SOURCE = re.compile(r"\b[A-Z][\w’'-]+.*\b(1[6-9]|20)\d\d\b", re.DOTALL)
"""A name, and after it a year."""


def options(subject: Subject) -> None:
    """Every option says what it means, cannot be changed, and has a default that fits; an instance is frozen."""
    component = subject.component
    for name, field in component.model_fields.items():
        if not field.description:
            raise Broken(f"the option {name!r} does not say what it means: option(…, help=…)")
        if unfit := [kind for kind in _kinds(field.annotation) if kind in (list, set, frozenset, dict)]:
            raise Broken(f"the option {name!r} is a {unfit[0].__name__}, where a tuple fits, which never changes")
    _check_defaults(component)
    try:
        made = default(subject)
    except NotApplicable as reason:
        raise Broken(str(reason)) from reason
    if not component.model_config.get("frozen") or component.model_config.get("extra") != "forbid":
        raise Broken("its model_config changes what every component keeps to: frozen, and no unknown keys")
    if type(made).model_validate(dict(made)) != made:
        raise Broken("made anew of its own options, it is not equal to itself")


def _kinds(annotation: Any) -> Iterator[Any]:
    """The types that an annotation is made of."""
    yield get_origin(annotation) or annotation
    for inner in get_args(annotation):
        yield from _kinds(inner)


def _check_defaults(component: type[Component]) -> None:
    needed = {name for name, field in component.model_fields.items() if field.is_required()}
    for name, field in component.model_fields.items():
        if name in needed:
            continue
        try:
            component.model_validate({name: field.get_default(call_default_factory=True)})
        except ValidationError as error:
            said = [entry["msg"] for entry in error.errors() if entry["loc"][:1] == (name,)]
            if said:
                raise Broken(f"the default of the option {name!r} does not fit it: {said[0]}") from error


def sentence(subject: Subject) -> None:
    """The docstring is the component's own, and begins with a sentence that ends."""
    text = inspect.cleandoc(subject.component.__dict__.get("__doc__") or "")
    if not text:
        raise Broken("it has no docstring of its own: a sentence, the formula, the source and the shapes fit there")
    first = text.split("\n\n")[0]
    if not first.rstrip().endswith((".", ":", "?", "!", ")")):
        raise Broken(f"the docstring's first paragraph is no sentence: {first[:60]!r}")


def formula_and_source(subject: Subject) -> None:
    """The docstring says the formula, and where it is from: names and a year, or where it is defined."""
    sentence(subject)
    text = inspect.getdoc(subject.component) or ""
    if not FORMULA.search(text):
        raise Broken("the docstring says no formula")
    if not SOURCE.search(text) and "Source:" not in text:
        raise Broken("the docstring says no source: 'Source: Name 2018, equation 7.'")
