"""What can go wrong for a user, as one tree.

    AgekitError
    ├── RecipeError       a recipe that cannot be understood; carries every problem found
    ├── PluginError       a plugin, or a component, that breaks its contract
    ├── DataError         a data set that is missing, damaged or of the wrong size
    │   └── MissingData   it is not there; says the ways to get it
    ├── RunError          a run folder or a checkpoint that cannot be used
    └── ComputeError      a device, a precision or memory that is not there
        └── LostRank      another process of the same game has ended

Anything else that escapes is a defect of agekit, and shows its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


class AgekitError(Exception):
    """Something the user can mend: the message says what, where, and what would fit."""


class PluginError(AgekitError):
    """A plugin, or a component it registers, breaks its contract."""


class DataError(AgekitError):
    """A data set is damaged, or is not what the recipe says."""


class MissingData(DataError):
    """A data set, or a file of weights, is not where it was looked for."""


class RunError(AgekitError):
    """A run folder or a checkpoint cannot be read or written."""


class ComputeError(AgekitError):
    """A device, a precision, or memory is not to be had."""


class LostRank(ComputeError):
    """Another process that played the same game has ended, and this one cannot go on without it."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a recipe.

    `where` is the place it was written ("age.toml:14"), `key` the dotted key, and `message` says what was found, what
    would fit and the nearest name. `unknown_component` tells that it names a component or a recipe which
    no plugin here has brought.
    """

    key: str
    message: str
    where: str = ""
    unknown_component: bool = False

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.key}: {self.message}" if self.key else f"{place}{self.message}"


class RecipeError(AgekitError):
    """A recipe cannot be used; every problem found in it is listed, each on a line of its own."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


LISTED = 16
"""How many names a message lists."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Say which of the known names was probably meant.

    >>> nearest("kl_shpere", ["mmd", "kl_sphere"])
    'did you mean kl_sphere?'
    >>> nearest("foo", ["kl_sphere", "mmd"])
    'known: kl_sphere, mmd'
    """
    names = sorted(known)
    if close := similar(name, names):
        return f"did you mean {close}?"
    rest = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return f"known: {', '.join(names[:LISTED])}{rest}" if names else "there is none"


def similar(name: str, known: Iterable[str]) -> str | None:
    """The known name that resembles this one most, where any does."""
    return next(iter(difflib.get_close_matches(name, sorted(known), n=1)), None)
