"""Processes that `agekit run --nproc` starts: watched, signalled, killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from .tiny import TINY

SECONDS = 300.0


def launch(*words: str, program: Sequence[str] = ("-m", "agekit")) -> subprocess.Popen[str]:
    """Begin a command that plays the tiny recipe, `tiny.toml`."""
    Path("tiny.toml").write_text(TINY)
    command = [sys.executable, *program, *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def reach(step: int, name: str, process: subprocess.Popen[str]) -> None:
    """Wait until a run has written a line of a step, or of a later one."""
    metrics = Path("runs", name, "metrics.jsonl")
    until(lambda: process.poll() is not None or _last(metrics) >= step)
    assert process.poll() is None, process.communicate()


def _last(metrics: Path) -> int:
    lines = metrics.read_text().splitlines() if metrics.exists() else []
    return int(json.loads(lines[-1])["step"]) if lines else 0


def until(there: Callable[[], object]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + SECONDS
    while not there():
        assert time.monotonic() < end
        time.sleep(0.05)


def ranks_of(launcher: subprocess.Popen[str]) -> dict[int, int]:
    """The processes that a launcher has started, by rank."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            said = dict(one.split("=", 1) for one in (folder / "environ").read_text().split("\0") if "=" in one)
        except OSError:  # it has ended meanwhile
            continue
        if parent == launcher.pid and "RANK" in said:
            found[int(said["RANK"])] = int(folder.name)
    return found


def kill(launcher: subprocess.Popen[str], rank: int, by: signal.Signals = signal.SIGKILL) -> None:
    """Signal one rank of a launcher."""
    os.kill(ranks_of(launcher)[rank], by)


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """The status of a process, and what it said."""
    out, err = process.communicate(timeout=SECONDS)
    return process.returncode, out, err
