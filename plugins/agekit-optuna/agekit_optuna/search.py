"""What a search is: a recipe, the values that are tried, and the number that is to become low or high."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import agekit
from agekit.errors import RunError, nearest
from optuna.distributions import distribution_to_json

from .space import Axis, setting

Metrics = Mapping[str, Mapping[str, float]]


class NoSuchNumber(RunError):
    """No trial can have the number that the search goes by."""


@dataclass(frozen=True)
class Goal:
    """Which number is to become what: `lowest` or `highest`, a metric, and one of its values, the first by default."""

    lowest: bool
    metric: str
    key: str | None

    @classmethod
    def of(cls, lowest: str | None, highest: str | None) -> Goal:
        """What `--lowest METRIC.VALUE` or `--highest METRIC` says."""
        metric, _, key = str(lowest or highest).partition(".")
        return cls(lowest is not None, metric, key or None)

    @property
    def said(self) -> str:
        """As it was said."""
        return f"{self.metric}{f'.{self.key}' if self.key else ''}"

    def value(self, metrics: Metrics) -> float:
        """The number among those of a run. Raises `NoSuchNumber` where it is not there, `RunError` where it is none."""
        if self.metric not in metrics:
            raise NoSuchNumber(f"the run has no metric {self.metric!r}; {nearest(self.metric, metrics)}")
        values = metrics[self.metric]
        key = self.key or next(iter(values))
        if key not in values:
            raise NoSuchNumber(f"metric {self.metric} has no value {key!r}; {nearest(key, values)}")
        if not math.isfinite(values[key]):
            raise RunError(f"{self.metric}.{key} is {values[key]}")
        return values[key]


@dataclass(frozen=True)
class Search:
    """What is searched: a recipe with its settings, the axes, and the goal."""

    recipe: str
    settings: tuple[str, ...]
    axes: tuple[Axis, ...]
    goal: Goal

    def load(self, values: Mapping[str, Any]) -> Any:
        """The recipe with values. Raises `RecipeError` where they do not fit."""
        return agekit.load(self.recipe, *self.settings, *(setting(key, value) for key, value in values.items()))

    @cached_property
    def base(self) -> Any:
        """The recipe, nothing tried yet. Raises `RecipeError` where it is wrong."""
        return self.load({})

    def check(self) -> None:
        """Load the recipe once with each end of each axis, and look for the metric. Raises `AgekitError`."""
        for recipe in (self.base, *(self.load({one.key: end}) for one in self.axes for end in one.ends)):
            known = recipe.stages[-1].metrics
            if self.goal.metric not in known:
                raise NoSuchNumber(
                    f"the recipe has no metric {self.goal.metric!r} at its end; {nearest(self.goal.metric, known)}"
                )

    @cached_property
    def identity(self) -> str:
        """What tells two searches apart; where the data lies, and on which device it is trained, do not."""
        axes = [[one.key, distribution_to_json(one.law)] for one in self.axes]
        said = json.dumps([self.base.lasting, axes, repr(self.goal)], sort_keys=True, default=str)
        return hashlib.sha256(said.encode()).hexdigest()
