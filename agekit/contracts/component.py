"""A component: typed options, and nothing else a recipe could say about it."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticKnownError


class StateKept(AttributeError):
    """A component sets an attribute: it would keep something between calls."""


class Component(BaseModel):
    """Typed options; the subclass adds what it does with them.

    The annotated attributes *are* the keys that a recipe may write. Values are taken strictly (`"5"` is no number), and
    an instance never changes. A sequence is declared as a tuple.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, ignored_types=(property,))

    @model_validator(mode="before")
    @classmethod
    def _no_contract_from_a_table(cls, value: Any) -> Any:
        """Refuse a table where a contract stands, as in `float | Schedule`: which component it is, it does not say."""
        if inspect.isabstract(cls) and not isinstance(value, cls):
            raise PydanticKnownError("is_instance_of", {"class": cls.__name__})
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        """Refuse to remember anything but what pydantic makes of an instance as it is made."""
        if name not in type(self).__private_attributes__:
            raise StateKept(f"{type(self).__name__} sets its attribute {name!r}, and a component keeps nothing")
        super().__setattr__(name, value)

    @classmethod
    def summary(cls) -> str:
        """The first sentence of the docstring."""
        return (inspect.getdoc(cls) or "").split("\n\n", 1)[0].replace("\n", " ")

    @classmethod
    def known(cls) -> Iterable[Known]:
        """Values that were worked out by hand, or elsewhere, for `agekit check` to compare with."""
        return ()


@dataclass(frozen=True)
class Known:
    """A value that a component is known to have: `component(*operands)` is `value`, to about seven digits.

    Operands and value are numbers, in lists as deep as the tensor has axes. A text names a reference, in the dimension
    of the first operand; anything else, such as a distribution or a tensor of classes, is handed over as it is. Of a
    mapping, the value is one of numbers.
    """

    component: Component
    operands: tuple[Any, ...]
    value: Any


def option(default: Any = ..., *, help: str, unit: str = "", **limits: Any) -> Any:
    """Declare an option of a component: its default, what it means, its unit and its limits (`ge`, `gt`, `le`, …)."""
    return Field(default, description=help, json_schema_extra={"unit": unit} if unit else None, **limits)


def draws(call: Any) -> bool:
    """Whether a loss or an operator draws random numbers: whether its call declares `generator`."""
    return "generator" in inspect.signature(call).parameters
