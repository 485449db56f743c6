"""Asking a run to stop: Ctrl-C, SIGTERM, a terminal that closes; ranks stop where their launcher is gone, too."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from ..game.ranks import ALONE, Ranks


@contextmanager
def stop_signals(ranks: Ranks = ALONE) -> Iterator[Callable[[], bool]]:
    """Meanwhile, the first Ctrl-C, SIGTERM or SIGHUP asks to stop, and a second Ctrl-C stops at once.

    Who ignores that terminals close, as under nohup, goes on doing so.
    """
    asked: list[int] = []
    launcher = os.getppid()

    def note(number: int, _: FrameType | None) -> None:
        if asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        asked.append(number)

    hang_up = [signal.SIGHUP] if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN else []
    try:
        before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM, *hang_up)}
    except ValueError:  # not the main thread, as in some notebooks: signals stay as they are
        before = {}
    try:
        yield lambda: bool(asked) or (ranks.count > 1 and os.getppid() != launcher)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
