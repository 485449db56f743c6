"""What a sweep goes over: keys of a recipe, each with its values."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import Problem, RecipeError
from ..recipe.compose import value_of, written

UNFIT = re.compile(r"[^\w.+]+")
"""What the name of a folder is better without."""

LONGEST = 60


@dataclass(frozen=True)
class Axis:
    """A key, and the values that it takes in turn."""

    key: str
    values: tuple[Any, ...]

    @property
    def settings(self) -> list[str]:
        """Each value as `--set` takes it."""
        return [f"{self.key}={written(value)}" for value in self.values]


def axis(text: str) -> Axis:
    """Read `players.generator.updates=1,2,3`: values of TOML, or plain texts, between commas.

    Raises `RecipeError` where it has no key or no values, or a value twice.

    >>> axis("latent.dim=32, 64"), axis("players.encoder.terms.real.divergence=mmd,kl_sphere").values
    (Axis(key='latent.dim', values=(32, 64)), ('mmd', 'kl_sphere'))
    """
    key, found, listed = text.partition("=")
    if not found or not all(part.strip() for part in key.split(".")) or not listed.strip(" ,"):
        raise RecipeError([Problem("--over", f"found {text!r}, where KEY=VALUE,VALUE,… fits")])
    whole = value_of(f"[{listed}]")
    values = whole if isinstance(whole, list) else [value_of(part) for part in listed.split(",")]
    again = [value for index, value in enumerate(values) if value in values[:index]]
    if again:
        raise RecipeError([Problem("--over", f"{key.strip()} has {again[0]!r} twice")])
    return Axis(".".join(part.strip() for part in key.split(".")), tuple(values))


def product(axes: Sequence[Axis]) -> Iterator[tuple[str, ...]]:
    """The settings of every combination, the last axis moving fastest; one without settings where there is no axis."""
    return itertools.product(*(one.settings for one in axes))


def slug(settings: Iterable[str]) -> str:
    """Settings as a part of a folder's name: the last word of each key, and its value.

    >>> slug(["players.generator.updates=2", 'data.dataset="mnist"'])
    'updates-2-dataset-mnist'
    """
    words = (setting[setting.rindex(".", 0, setting.index("=")) + 1 :] for setting in settings)
    return "-".join(UNFIT.sub("-", word).strip("-") for word in words)[:LONGEST].rstrip("-")
