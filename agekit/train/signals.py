"""Asking a run to stop: Ctrl-C and SIGTERM; ranks stop where their launcher is gone, too."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from ..game.ranks import ALONE, Ranks


@contextmanager
def stop_signals(ranks: Ranks = ALONE) -> Iterator[Callable[[], bool]]:
    """Meanwhile, the first Ctrl-C or SIGTERM asks to stop, and a second Ctrl-C stops at once."""
    asked: list[int] = []
    launcher = os.getppid()

    def note(number: int, _: FrameType | None) -> None:
        if asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        asked.append(number)

    try:
        before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not the main thread, as in some notebooks: signals stay as they are
        before = {}
    try:
        yield lambda: bool(asked) or (ranks.count > 1 and os.getppid() != launcher)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
