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
from optuna.trial import Trial

NUMBER = r"[+-]?\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?"
RANGE = re.compile(rf"\s*(?P<low>{NUMBER})\s*\.\.\s*(?P<high>{NUMBER})\s*(?P<log>:log)?\s*\Z")
LIKE_A_RANGE = re.compile(r"[^/\\]*\.\.[^/\\]*\Z")
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

    @property
    def said(self) -> str:
        """In words: `32, 64`, or `0.0001 to 0.01, by logarithms`."""
        if isinstance(self.law, CategoricalDistribution):
            return ", ".join(map(written, self.law.choices))
        low, high = map(written, self.ends)
        whole = "whole numbers, " if isinstance(self.law, IntDistribution) else ""
        return f"{whole}{low} to {high}{', by logarithms' if getattr(self.law, 'log', False) else ''}"

    def suggested(self, trial: Trial) -> Any:
        """A value for a trial."""
        law = self.law
        if isinstance(law, CategoricalDistribution):
            return trial.suggest_categorical(self.key, law.choices)
        if isinstance(law, IntDistribution):
            return trial.suggest_int(self.key, law.low, law.high, log=law.log)
        assert isinstance(law, FloatDistribution)  # noqa: S101 - what `axis` makes
        return trial.suggest_float(self.key, law.low, law.high, log=law.log)


def axis(text: str) -> Axis:
    """Read `KEY=1,2,3`, `KEY=1..8`, `KEY=0.1..0.9` or `KEY=1e-4..1e-2:log`.

    Raises `RecipeError` where it is none of these.

    >>> axis("latent.dim=32,64").said
    '32, 64'
    >>> axis("a.lr=1e-4..1e-2:log").said
    '0.0001 to 0.01, by logarithms'
    """
    key, found, listed = text.partition("=")
    parts = [part.strip() for part in key.split(".")]
    if not found or not all(parts) or not listed.strip(" ,"):
        raise _wrong(f"found {text!r}, where KEY=VALUE,VALUE,… or KEY=LOW..HIGH fits")
    try:
        law = _range(**ends.groupdict()) if (ends := RANGE.match(listed)) else CategoricalDistribution(_choices(listed))
    except ValueError as error:
        raise _wrong(f"{text!r}: {error}") from error
    return Axis(".".join(parts), law)


def axes(texts: list[str]) -> tuple[Axis, ...]:
    """Read all of them. Raises `RecipeError` where a key is there twice."""
    found = tuple(map(axis, texts))
    keys = [one.key for one in found]
    if again := [key for index, key in enumerate(keys) if key in keys[:index]]:
        raise _wrong(f"{again[0]} is said twice")
    return found


def _range(low: str, high: str, log: str | None) -> BaseDistribution:
    first, last = _value(low), _value(high)
    if first >= last:
        raise ValueError("the first end of a range is the lower one")
    if log and first <= 0:
        raise ValueError("a range by logarithms begins above 0")
    if isinstance(first, int) and isinstance(last, int):
        return IntDistribution(first, last, log=bool(log))
    return FloatDistribution(float(first), float(last), log=bool(log))


def _choices(listed: str) -> list[Any]:
    try:
        values = tomllib.loads(f"values = [{listed}]")["values"]
    except tomllib.TOMLDecodeError:
        parts = [part.strip() for part in listed.split(",") if part.strip()]
        if any(map(LIKE_A_RANGE.match, parts)):
            raise ValueError("a range is two numbers, as in 1..8, 0.1..0.9 or 1e-4..1e-2:log") from None
        values = [_value(part) for part in parts]
    if strange := [value for value in values if not isinstance(value, PLAIN)]:
        raise ValueError(f"{strange[0]!r} is no choice: texts, numbers, true and false are")
    if len({*map(repr, values)}) < len(values):
        raise ValueError("a choice is there twice")
    return list(values)


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def written(value: Any) -> str:
    """A value as TOML has it.

    >>> written("mmd"), written(True)
    ('"mmd"', 'true')
    """
    return json.dumps(value)


def setting(key: str, value: Any) -> str:
    """A key and its value as `--set` takes them."""
    return f"{key}={written(value)}"


def _wrong(said: str) -> RecipeError:
    return RecipeError([Problem("--over", said)])
