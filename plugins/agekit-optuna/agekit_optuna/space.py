"""What is searched: keys of a recipe, each with choices or a range."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from typing import Any

from agekit.errors import Problem, RecipeError
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

RANGE = re.compile(r"\s*(?P<low>[^.\s]\S*?)\s*\.\.\s*(?P<high>\S+?)\s*(?P<log>:log)?\s*\Z")
PLAIN = (str, bool, int, float)


@dataclass(frozen=True)
class Axis:
    """A key, and the law of its values."""

    key: str
    law: BaseDistribution

    @property
    def ends(self) -> list[Any]:
        """Values by which the key can be checked: all choices, or both ends of a range."""
        law = self.law
        if isinstance(law, CategoricalDistribution):
            return [*law.choices]
        assert isinstance(law, IntDistribution | FloatDistribution)  # noqa: S101 - what `axis` makes
        return [law.low, law.high]


def axis(text: str) -> Axis:
    """Read `KEY=1,2,3`, `KEY=1..8`, `KEY=0.1..0.9` or `KEY=1e-4..1e-2:log`.

    Raises `RecipeError` where it is none of these.

    >>> axis("latent.dim=32,64").law
    CategoricalDistribution(choices=(32, 64))
    >>> axis("a.lr=1e-4..1e-2:log").law
    FloatDistribution(high=0.01, log=True, low=0.0001, step=None)
    """
    key, found, listed = text.partition("=")
    parts = [part.strip() for part in key.split(".")]
    if not found or not all(parts) or not listed.strip():
        raise _wrong(f"found {text!r}, where KEY=VALUE,VALUE,… or KEY=LOW..HIGH fits")
    try:
        law = _range(**ends.groupdict()) if (ends := RANGE.match(listed)) else CategoricalDistribution(_choices(listed))
    except ValueError as error:
        raise _wrong(f"{text!r}: {error}") from error
    return Axis(".".join(parts), law)


def _range(low: str, high: str, log: str | None) -> BaseDistribution:
    first, last = _value(low), _value(high)
    if not all(isinstance(end, int | float) and not isinstance(end, bool) for end in (first, last)):
        raise ValueError("the ends of a range are numbers")
    if isinstance(first, int) and isinstance(last, int):
        return IntDistribution(first, last, log=bool(log))
    return FloatDistribution(float(first), float(last), log=bool(log))


def _choices(listed: str) -> list[Any]:
    try:
        values = tomllib.loads(f"values = [{listed}]")["values"]
    except tomllib.TOMLDecodeError:
        values = [_value(part) for part in listed.split(",")]
    if strange := [value for value in values if not isinstance(value, PLAIN)]:
        raise ValueError(f"{strange[0]!r} is no choice: texts, numbers, true and false are")
    if len({*map(repr, values)}) < len(values):
        raise ValueError("a choice is there twice")
    return list(values)


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text.strip()


def setting(key: str, value: Any) -> str:
    """A key and its value as `--set` takes them.

    >>> setting("a.b", "mmd"), setting("a.c", True)
    ('a.b="mmd"', 'a.c=true')
    """
    return f"{key}={json.dumps(value)}"


def _wrong(said: str) -> RecipeError:
    return RecipeError([Problem("--over", said)])
