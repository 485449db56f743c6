"""What can go wrong for a user, as one tree.

    AgekitError
    ├── RecipeError       a recipe that cannot be understood; carries every problem found
    ├── PluginError       a plugin, or a component, that breaks its contract
    ├── DataError         a data set that is missing, damaged or of the wrong size
    │   └── MissingData   it is not there; says the ways to get it
    ├── RunError          a run folder or a checkpoint that cannot be used
    │   └── RunEnded      the run came to its end before
    └── ComputeError      a device, a precision or memory that is not there
        └── LostRank      another process of the same game has ended

Anything else that escapes is a defect of agekit, and shows its traceback.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .printable import one_line

LONGEST_TOLD = 300
LONGEST_MESSAGE = 2000
MOST_TOLD = 100


def shortened(text: str, most: int = LONGEST_TOLD) -> str:
    """A text, its end left out where it is long."""
    return text if len(text) <= most else text[: most - 1] + "…"


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


class RunEnded(RunError):
    """A run stands where it is to end, and is not gone on with."""


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
        parts = self.where, shortened(self.key), shortened(self.message, LONGEST_MESSAGE)
        return one_line(": ".join(filter(None, parts)))


class RecipeError(AgekitError):
    """A recipe cannot be used; every problem found in it, of the first hundred, is listed on a line of its own."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems[:MOST_TOLD])
        more = ["there is more wrong than is listed"] * (len(problems) > MOST_TOLD)
        super().__init__("\n".join([*map(str, self.problems), *more]))


def told(error: BaseException) -> str:
    """An exception that is no `AgekitError` in one line: its type, and what it says at first.

    >>> told(ValueError("no\\nway"))
    'ValueError: no'
    """
    said = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {shortened(said)}" if said else type(error).__name__


LISTED = 16
"""How many names a message lists."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Say which of the known names was probably meant, and where it merely looks like it.

    >>> nearest("kl_shpere", ["mmd", "kl_sphere"])
    'did you mean kl_sphere?'
    >>> nearest("foo", ["kl_sphere", "mmd"])
    'known: kl_sphere, mmd'
    >>> nearest("m\u03bcd", ["mmd"])
    'did you mean mmd? \u03bc is U+03BC GREEK SMALL LETTER MU'
    """
    names = sorted(known)
    if close := similar(name, names):
        foreign = next((letter for letter in name if not letter.isascii() and letter not in close), None)
        seen = f" {foreign} is U+{ord(foreign):04X} {unicodedata.name(foreign, '')}".rstrip() if foreign else ""
        return f"did you mean {shortened(close)}?{seen}"
    rest = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    listed = ", ".join(shortened(one, 60) for one in names[:LISTED])
    return f"known: {listed}{rest}" if names else "there is none"


def similar(name: str, known: Iterable[str]) -> str | None:
    """The known name that resembles this one most, where any does."""
    names = sorted(known)
    alike = (one for one in names if name != one and _looks_like(name, one))
    return next(alike, None) or next(iter(difflib.get_close_matches(name, names, n=1)), None)


def _looks_like(name: str, known: str) -> bool:
    """Whether only letters beyond ASCII differ, as those of another script that look the same."""
    same = len(name) == len(known) and not name.isascii()
    return same and all(a == b or not a.isascii() for a, b in zip(name, known, strict=True))
