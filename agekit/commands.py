"""Commands that plugins add to the command line."""

from __future__ import annotations

import re
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from .errors import PluginError

NAME = re.compile(r"[a-z][a-z0-9-]*\Z")


@dataclass(frozen=True)
class Command:
    """A command: what it is called and does, what it takes, and what is called with what was given.

    `handler` returns the exit status, None for 0; what it raises of `AgekitError` is told as one message. Where it is
    for `several`, torchrun may launch it in several processes, which know what to do.
    """

    name: str
    summary: str
    arguments: Callable[[ArgumentParser], None]
    handler: Callable[[Namespace], int | None]
    owner: str
    several: bool = False


@dataclass
class Commands:
    """The commands of all plugins, by name; `own` are the names of agekit's, which no plugin takes."""

    own: frozenset[str] = frozenset()
    entries: dict[str, Command] = field(default_factory=dict)
    _owner: str = ""

    def add(
        self,
        name: str,
        summary: str,
        arguments: Callable[[ArgumentParser], None],
        handler: Callable[[Namespace], int | None],
        *,
        several: bool = False,
    ) -> None:
        """Add a command. Raises `PluginError` where its name is malformed or taken, or it is not made of what fits."""
        if not (isinstance(name, str) and NAME.match(name)):
            raise PluginError(f"command {name!r}: small letters, digits and dashes make a name")
        if owner := "agekit itself" if name in self.own else self.entries[name].owner if name in self.entries else "":
            raise PluginError(f"command {name!r} of {self._owner}: the name is taken by {owner}")
        if not (isinstance(summary, str) and callable(arguments) and callable(handler)):
            raise PluginError(f"command {name!r} of {self._owner}: a text and two functions fit")
        self.entries[name] = Command(name, summary, arguments, handler, self._owner, several)

    @contextmanager
    def owned_by(self, owner: str) -> Iterator[None]:
        """Meanwhile, what is added belongs to this plugin; where it fails, what it had added is taken back."""
        before, self._owner = dict(self.entries), owner
        try:
            yield
        except BaseException:
            self.entries = before
            raise
