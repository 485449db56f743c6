"""The console of a run: a live line on a terminal, aligned rows where output is piped."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO, cast

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from ..printable import one_line, printable

WIDTH = 11

BRIEF = 4
"""So many of a metric's numbers are shown while training goes on."""


class PlainConsole(Console):
    """A console that writes out what cannot be printed, and leaves it to the command what a closed pipe means."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print; of texts only what can be printed, since they may be a stranger's."""
        super().print(*(printable(one) if isinstance(one, str) else one for one in objects), **options)

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


class Enduring:
    """A stream that may close, as a pipe or a terminal does, and fails nobody who writes to it: that is said once."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, as long as somebody reads."""
        self._try(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        """Hand on what was written."""
        self._try(self._stream.flush)

    def _try(self, work: Callable[[], object]) -> None:
        try:
            work()
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
            with suppress(OSError):
                sys.stderr.write(f"warning: what is said goes nowhere ({error.strerror}); the run goes on\n")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def make_console(*, stderr: bool = False, enduring: bool = False) -> Console:
    """A console that wraps nothing when piped, and marks up nothing by itself; an enduring one outlives its readers."""
    stream = sys.stderr if stderr else sys.stdout
    file = cast(TextIO, Enduring(stream)) if enduring else None
    return PlainConsole(file=file, stderr=stderr, highlight=False, markup=False, emoji=False, soft_wrap=True)


class RunConsole:
    """Tells a person how a run goes."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.live = console.is_terminal and not console.quiet
        self._live: Live | None = None
        self._bar = Progress()
        self._task = TaskID(0)
        self._header: list[str] = []
        self._working_since: float | None = None
        self._judged: list[str] = []
        self._unrecorded: Mapping[str, str] = {}
        self._preparing: dict[str, float] = {}
        self._began = time.monotonic()
        self._first = 0

    def preparing(self, part: str, done: int, total: int) -> None:
        """Show how far the preparation of a part of the data, training or held-out, is."""
        seconds = time.monotonic() - self._preparing.setdefault(part, time.monotonic())
        rate = f"{done / seconds:,.0f} images/s" if seconds > 0 else ""
        if not self.live:
            if done == total:
                self.console.print(f"prepared {total:,} {part} samples{rate and f', {rate}'}")
            return
        self._show(f"preparing {part} data", done, total)
        self._bar.update(self._task, rate=rate)
        if done == total:
            self.stop(keep=False)

    def starts(self, facts: list[tuple[str, str]], step: int) -> None:
        """Say what is about to run, once."""
        self.facts(facts)
        self._began, self._first = time.monotonic(), step

    def facts(self, facts: list[tuple[str, str]]) -> None:
        """Aligned pairs of word and value."""
        width = max(len(word) for word, _ in facts)
        for word, value in facts:
            self.console.print(f"{word:<{width}}  {one_line(value)}")

    def stepped(self, step: int, total: int) -> None:
        """Move the bar."""
        if self.live:
            self._show("training", step, total)

    def logged(self, line: dict[str, Any], total: int) -> None:
        """Show the terms: under the bar on a terminal, as a row elsewhere."""
        terms = {f"{player}.{name}": v for player, values in line["terms"].items() for name, v in values.items()}
        rate = line["clock"]["images_per_second"]
        ends = line["step"] == total  # and all numbers are shown after it
        judged = [] if ends else brief(line.get("metrics", {}))
        self._judged = [] if ends else judged or self._judged
        for event in line.get("sentinel", ()):
            self.console.print(told(event), style="yellow")
        if (unrecorded := line["clock"].get("unrecorded", {})) != self._unrecorded:
            self._unrecorded = unrecorded
            for player, reason in unrecorded.items():
                self.console.print(f"graphs    none of {player}'s updates: {reason}", style="dim")
        if self._live:
            self._show("training", line["step"], total)
            self._bar.update(self._task, rate=f"{rate:,.0f} images/s")
            texts = (Text(text, "dim", no_wrap=True, overflow="ellipsis") for text in self._judged)
            self._live.update(Group(self._bar, by_player(line["terms"]), *texts))
            return
        if list(terms) != self._header:
            self._header = list(terms)
            titles = [f"{'step':>{len(str(total)) * 2 + 1}}", *(f"{name:>{max(WIDTH, len(name))}}" for name in terms)]
            self.console.print("  ".join([*titles, f"{'images/s':>9}", f"{'left':>8}"]))
        cells = [f"{value:>{max(WIDTH, len(name))}.4g}" for name, value in terms.items()]
        step = f"{line['step']}/{total}"
        left = self._left(line["step"], total)
        self.console.print("  ".join([f"{step:>{len(str(total)) * 2 + 1}}", *cells, f"{rate:>9,.0f}", f"{left:>8}"]))
        for text in judged:
            self.console.print(f"  {text}", style="dim")

    def judging(self, done: int, total: int) -> None:
        """Show how far the metrics are, where they take over a second."""
        self.working("judging", done, total)

    def working(self, what: str, done: int, total: int) -> None:
        """Show how far some other work is, where it takes over a second."""
        now = time.monotonic()
        since = now if self._working_since is None else self._working_since
        if self.live and now - since > 1:
            self._show(what, done, total)
        self._working_since = since if done < total else None

    def judged(self, metrics: Mapping[str, Mapping[str, float]], taken: Mapping[str, str]) -> None:
        """Show all numbers, aligned, and how each metric was taken."""
        rows = [
            (name if not index else "", key, f"{value:.4g}", taken[name] if not index else "")
            for name, values in metrics.items()
            for index, (key, value) in enumerate(values.items())
        ]
        widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
        for name, key, value, how in rows:
            cells = f"{name:<{widths[0]}}", f"{key:<{widths[1]}}", f"{value:>{widths[2]}}", how
            self.console.print("  ".join(cells).rstrip())

    def _left(self, step: int, total: int) -> str:
        done = step - self._first
        return clock((time.monotonic() - self._began) / done * (total - step)) if done > 0 else "-"

    def _show(self, what: str, done: int, total: int) -> None:
        if self._live is None:
            fields = TextColumn("{task.fields[rate]}"), TextColumn("{task.fields[left]}")
            self._bar = Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), *fields)
            self._task = self._bar.add_task(what, total=total, rate="", left="")
            self._live = Live(self._bar, console=self.console, refresh_per_second=4)
            self._live.start()
        left = f"{self._left(done, total)} left" if what == "training" and done < total else ""
        self._bar.update(self._task, description=what, completed=done, total=total, left=left)

    def stop(self, *, keep: bool = True) -> None:
        """Leave the live lines as they stand, or take them away."""
        if self._live:
            self._live.transient = not keep
            self._live.stop()
            self._live = None


def brief(metrics: Mapping[str, Mapping[str, float | str]]) -> list[str]:
    """The first numbers of each metric, as lines."""
    width = max(map(len, metrics), default=0)
    return [
        f"{name:<{width}}  " + "  ".join(f"{key} {float(value):.4g}" for key, value in list(values.items())[:BRIEF])
        for name, values in metrics.items()
    ]


def told(event: Mapping[str, Any]) -> str:
    """What the sentinel saw and did, in lines."""
    plain = {"warn": "goes on", "skip": "goes on without this update", "stop": "stops"}
    did = plain.get(event["action"]) or f"goes on from {event['to']}"
    slower = ", ".join(f"{player} × {factor:g}" for player, factor in event.get("factors", {}).items())
    lines = [
        f"sentinel  step {event['step']}, {event['name']}: {event['said']}",
        f"          the run {did}{f', learning rates {slower}' if slower else ''}; what usually helps:",
        *(f"          {knob}" for knob in event["knobs"]),
    ]
    return "\n".join(lines)


def by_player(terms: dict[str, dict[str, float]]) -> Table:
    """The terms as lines, one a player, in columns."""
    table = Table.grid(padding=(0, 2))
    for player, values in terms.items():
        table.add_row(player, *(Text.assemble((name, "dim"), f" {value:.4g}") for name, value in values.items()))
    return table


def clock(seconds: float) -> str:
    """A duration as people read it.

    >>> clock(3723)
    '1:02:03'
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def age(seconds: float) -> str:
    """How long ago something was, in its largest unit.

    >>> age(59), age(3600), age(200_000)
    ('59 s', '1 h', '2 d')
    """
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return f"{int(seconds)} s"


def command() -> str:
    """How `agekit` is called here: by its name where the shell finds it, else by the path it was called by."""
    called = Path(sys.argv[0])
    return "agekit" if called.name != "agekit" or shutil.which("agekit") else shorten(called)


def shorten(path: Path) -> str:
    """A path as it is shown: relative to here where it lies below, and what cannot be printed written out."""
    try:
        return one_line(str(path.resolve().relative_to(Path.cwd())))
    except ValueError:
        return one_line(str(path))
