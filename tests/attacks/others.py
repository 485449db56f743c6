"""Other commands killed at each operation on files: done again, they leave what they leave where nothing happens."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from agekit.cli import main
from agekit.files import temporaries

from . import trained
from .forked import forked
from .killed import Ground
from .points import FileOperations, kill
from .tally import Tally

COMMANDS: Mapping[str, list[str]] = {
    "data prepare": ["data", "prepare", "tiny.toml"],
    "eval": ["eval", "runs/run", "--seeds", "1", "--count", "10"],
    "export": ["export", "runs/run"],
    "report": ["report", "runs/run", "-o", "report.html"],
    "sample": ["sample", "runs/run", "--n", "4"],
    "sweep": ["sweep", "tiny.toml", "--over", "latent.dim=3,4", "--steps", "1", "--name", "sweep"],
    "search": ["search", "tiny.toml", "--over", "latent.dim=3,4", "--lowest", "far", "--trials", "2", "--steps", "1"],
}
"""What is killed, by its name; a search is by agekit-optuna, and left out where that is not installed."""

DRAWN = {"search"}
"""Commands that go on with other draws than they would have had: they have to end well, and leave nothing half."""


def killed(tally: Tally, ground: Ground, cases: int, names: tuple[str, ...] = tuple(COMMANDS)) -> None:
    """Kill each command before so many of its operations on files, or all where there are fewer, and give it again."""
    base = ground.fresh()
    ground.sure(base)
    for name in names:
        _each(tally, ground, name, base, cases)


def _each(tally: Tally, ground: Ground, name: str, base: Path, cases: int) -> None:
    """Kill one command; those that look at a run have a copy of that in `base`."""
    words = COMMANDS[name]
    start = base if "runs/run" in words else None
    whole = _done(ground, start, words)
    if whole is None:
        print(f"skipped: {name} is not installed")
        return
    place, met = whole
    wanted = {} if name in DRAWN else _left(place)
    with tally.attack(f"agekit {name} killed by SIGKILL, and given again") as attack:
        for point in range(0, len(met), max(1, len(met) // cases)):
            case = _place(ground, start)
            ended = forked(partial(_command, case, words, point))
            again = forked(partial(_command, case, words))
            left = {str(path): 0 for path in temporaries(case)} if name in DRAWN else _left(case)
            problem = again.said if again.status else trained.difference(left, wanted)
            if not ended.killed:
                problem = f"the operation was not reached: {ended.said}"
            attack.count(recovered=not problem, about=f"before operation {point}, {met[point]}: {problem}")
            if not problem:
                shutil.rmtree(case)


def _place(ground: Ground, start: Path | None) -> Path:
    place = ground.fresh()
    if start:
        shutil.copytree(start, place)
    return place


def _done(ground: Ground, start: Path | None, words: list[str]) -> tuple[Path, list[str]] | None:
    """A place where a command was done unhindered, and the operations it took; None where there is no such command."""
    place, met = _place(ground, start), list[str]()
    told = ground.fresh()

    def work() -> int:
        trained.settle(place, place / "cache")
        FileOperations(met.append).watch()
        status = main(words)
        told.write_text(repr(met), encoding="utf-8")
        return status

    ended = forked(work)
    if "invalid choice" in ended.said:
        return None
    if ended.status:
        raise RuntimeError(ended.said)
    return place, ast.literal_eval(told.read_text(encoding="utf-8"))


def _command(place: Path, words: list[str], kill_before: int | None = None) -> int:
    """Do a command there; killed before an operation on files, where one is named."""
    trained.settle(place, place / "cache")
    left = [kill_before]

    def meet(event: str) -> None:
        if left[0] == 0:
            kill()
        left[0] = None if left[0] is None else left[0] - 1

    if kill_before is not None:
        FileOperations(meet).watch()
    return main(words)


def _left(place: Path) -> Mapping[str, Any]:
    """What is there, by name, but for what a clock, a process or a database says: those are only to be there."""
    found = {}
    for path in sorted(path for path in place.rglob("*") if path.is_file()):
        name = str(path.relative_to(place))
        if "tfevents" not in name and ".lock" not in name:
            found[name] = _content(path)
    return found


def _content(path: Path) -> Any:
    if path.suffix in {".html", ".journal"} or path.name in {"README.md", "run.json"}:
        return path.stat().st_size > 0
    return trained.contents(path)
