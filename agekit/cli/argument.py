"""What many commands take."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

from ..printable import printable


class Parser(argparse.ArgumentParser):
    """A parser that says what is wrong with words that nobody meant for a terminal, such as files' names."""

    def error(self, message: str) -> NoReturn:
        super().error(printable(message))


def add(commands: Any, name: str, room: str, help: str, handler: str = "") -> argparse.ArgumentParser:
    """Add a command, and say which function of which room handles it."""
    command: argparse.ArgumentParser = commands.add_parser(name, help=help, description=help, allow_abbrev=False)
    command.add_argument("--traceback", action="store_true", help="show where an error arose")
    command.set_defaults(room=room, handler=handler or name, several=False)
    return command


def recipe(command: argparse.ArgumentParser) -> None:
    """A recipe, and what overrides its values."""
    command.add_argument("recipe", metavar="RECIPE", help="a recipe's file, or the name of one that is shipped")
    command.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="override a value; repeatable")


def ranks(command: argparse.ArgumentParser) -> None:
    """How many processes play a run together."""
    command.add_argument(
        "--nproc", metavar="N", type=int, help="play on N processes of this machine, on CUDA each with its own device"
    )
    command.add_argument(
        "--restarts", metavar="N", type=int, help="with --nproc: go on by itself up to N times where one of them dies"
    )
    command.set_defaults(several=True)


def trust(command: argparse.ArgumentParser) -> None:
    """The word that lets exported programs run."""
    command.add_argument("--trust", action="store_true", help="run exported programs (from = FILE.pt2), which are code")
