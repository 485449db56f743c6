"""The row of the start: `agekit validate` of one recipe, against importing torch."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time

from .rounds import HOUSE, median, ratios
from .rows import Goal, Row
from .steps import Clock

OURS = [sys.executable, "-m", "agekit", "validate", "age_celeba"]
THEIRS = [sys.executable, "-c", "import torch"]


def start_row(goal: Goal | None, clock: Clock, rounds: int) -> Row:
    """A process of each in turn, after one of each that leaves compiled modules behind."""
    took: dict[str, list[float]] = {"ours": [], "theirs": []}
    for _ in range(rounds + 1):
        took["ours"].append(seconds(OURS, clock))
        took["theirs"].append(seconds(THEIRS, clock))
    ours, theirs = took["ours"][1:], took["theirs"][1:]
    return Row(
        "start: `agekit validate` of one recipe",
        goal,
        ratios(ours, theirs),
        f"{median(ours)} s",
        f'`python -c "import torch"` {median(theirs)} s',
        raw={"ours": ours, "theirs": theirs, "clock": clock},
    )


def seconds(command: list[str], clock: Clock) -> float:
    """The seconds that a command takes, by either clock; compiled modules may be written."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment, cwd=HOUSE)  # noqa: S603 - as above
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall if clock == "wall" else after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
