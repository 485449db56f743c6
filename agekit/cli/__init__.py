"""The command line. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from threading import current_thread, main_thread
from typing import Any

from .. import __version__
from ..printable import printable
from . import arguments

LONGEST_NAME = 300
"""Characters of a file's name that are shown, from its end."""


def main(argv: list[str] | None = None) -> int:
    """Run a command; the exit status: 0, 1 where the user can mend what is wrong, 130 where it was interrupted."""
    _open_streams()
    parser, commands = arguments.parser(__version__)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # what a terminal cannot show is no reason to fail
    words = sys.argv[1:] if argv is None else argv
    try:
        return _call(parser, commands, words)
    except BrokenPipeError:
        _close_output()
        return 0
    except KeyboardInterrupt as error:
        print("; ".join(["interrupted", *map(printable, map(str, error.args))]), file=sys.stderr)
        return 130


def _call(parser: argparse.ArgumentParser, commands: Any, words: list[str]) -> int:
    try:
        if words and not words[0].startswith("-") and words[0] not in commands.choices:
            from .common import plugins  # only they can know the word

            arguments.add_plugged(commands, plugins().commands.entries, words[0])
        given = parser.parse_args(words)
        given.words = words
        if not given.several:
            _check_alone(words[0])
        handler = given.handler
        if isinstance(handler, str):
            with _killable():
                handler = getattr(import_module(f".{given.room}", __package__), handler)
        status: int = handler(given) or 0
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except Exception as error:
        said = _told(error)
        if said is None or "--traceback" in words:
            raise
        print("error: " + printable(said).replace("\n", "\n       "), file=sys.stderr)
        if isinstance(error, OSError):
            _close_output()
        return 1
    return status


@contextmanager
def _killable() -> Iterator[None]:
    """Meanwhile, Ctrl-C ends this process at once: libraries that are being loaded make a crash of an exception."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler or current_thread() is not main_thread():
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _check_alone(word: str) -> None:
    """Raise `AgekitError` where several processes were launched to follow a command that takes one."""
    from ..errors import AgekitError, ComputeError
    from ..train.place import launched

    try:
        place = launched()
    except ComputeError:
        return  # it is said in part, as some systems say it to whatever they start
    if place and place.count > 1:
        raise AgekitError(
            f"agekit {word}: {place.count} processes have been launched, and it takes one; run and resume take several"
        )


def _told(error: Exception) -> str | None:
    """What there is to say to the user, who can mend it; None of a mistake of ours."""
    from ..errors import AgekitError
    from ..memory import lacking

    if isinstance(error, AgekitError):
        return str(error)
    if (said := lacking(error)) or not isinstance(error, OSError):
        return said
    try:
        os.getcwd()
    except OSError:
        return "the folder in which this was started is there no more"
    name = f"{error.filename}: "[-LONGEST_NAME:] if error.filename is not None else ""
    return f"{name}{error.strerror or error}"


def _open_streams() -> None:
    """Put an empty stream where one was closed before we began, or the next file that is opened takes its place."""
    for name, mode in {"stdin": "r", "stdout": "w", "stderr": "w"}.items():
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - as long as we live


def _close_output() -> None:
    """Let what is left in standard output go nowhere, or Python complains as it flushes at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
