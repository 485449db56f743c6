"""Looking after a run's folder: what of it is whole, what is damaged, what was left half done."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from ..data.prepared import INDEX, read_index
from ..errors import RunError
from ..files import parse_json, read_json, sha256_of, temporaries, unsealed
from ..lock import held
from ..report.board import EVENTS, check_events
from ..report.metrics import sha256_of_first
from ..report.pictures import check_png
from . import checkpoint as saved
from .folder import Mark, RunFolder, check_mark, check_recipe

State = Literal["whole", "damaged", "left over", "not here"]
ROWS_AT_ONCE = 4096


@dataclass(frozen=True)
class Finding:
    """What is the matter with one part of a run's folder.

    What is damaged cannot be used. What is left over was being written when its process ended, and does no harm:
    resuming removes it.
    """

    part: str
    state: State
    said: str


def verify(folder: RunFolder, cache: Path) -> Iterator[Finding]:
    """Look at every part of a run, and at its prepared data where the cache has it; nothing is changed.

    Raises `RunError` where the folder is no run's.
    """
    if not folder.mark.is_file():
        check_mark(folder)
    yield (marked := _checked("run.json", lambda: check_mark(folder)))
    yield _checked("recipe.toml", lambda: check_recipe(folder))
    if marked.state == "whole":
        yield _plan(folder)
    if not saved.checkpoints(folder.checkpoints):
        yield Finding("checkpoints", "not here", "none was written yet")
    for part, there in (("checkpoints", folder.checkpoints), ("best", folder.best)):
        for checkpoint in saved.checkpoints(there):
            yield _checked(f"{part}/{checkpoint.path.name}", checkpoint.verify, _size(checkpoint.path))
    yield _metrics(folder)
    yield from _each(folder.events, f"{EVENTS}*", check_events)
    yield from _each(folder.pictures, "**/*.png", check_png)
    yield from _each(folder.evaluations, "*.json", _check_seal)
    if marked.state == "whole":
        yield from _data(folder.marked(), cache)
    if not held(folder.lock):
        yield from (Finding(str(path.relative_to(folder.path)), "left over", "") for path in temporaries(folder.path))


def _checked(part: str, check: Callable[[], None], said: str = "") -> Finding:
    """What a check that raises `RunError` finds."""
    try:
        check()
    except RunError as error:
        return Finding(part, "damaged", str(error))
    except OSError as error:
        return Finding(part, "damaged", f"{error.filename or part} cannot be read: {error.strerror or error}")
    return Finding(part, "whole", said)


def _each(folder: Path, pattern: str, check: Callable[[Path], None]) -> Iterator[Finding]:
    """Files of one kind, where there are any: each that is damaged, or else all of them as one part."""
    files = sorted(path for path in folder.glob(pattern) if path.is_file())
    found = [_checked(str(file.relative_to(folder.parent)), partial(check, file)) for file in files]
    if damaged := [one for one in found if one.state == "damaged"]:
        yield from damaged
    elif files:
        yield Finding(folder.name, "whole", f"{len(files):,} {'file' if len(files) == 1 else 'files'}")


def _check_seal(path: Path) -> None:
    try:
        unsealed(read_json(path))
    except (OSError, ValueError, TypeError) as error:
        raise RunError(f"{path} is damaged: it is not what was written, by its hash") from error


def _size(path: Path) -> str:
    return f"{sum(file.stat().st_size for file in path.iterdir()) / 1e6:,.1f} MB"


def _plan(folder: RunFolder) -> Finding:
    """The plan, by the hash that the mark has of it."""
    try:
        found = sha256_of(folder.plan)
    except OSError as error:
        return Finding(folder.plan.name, "damaged", f"{folder.plan} cannot be read: {error.strerror}")
    if found != folder.read_mark()["sha256"].get(folder.plan.name):
        return Finding(folder.plan.name, "damaged", f"{folder.plan} is not as the run wrote it, by its hash")
    return Finding(folder.plan.name, "whole", "")


def _metrics(folder: RunFolder) -> Finding:
    """The lines of metrics: those up to the last checkpoint by its hash, and those since by their form."""
    name = folder.metrics.name
    if not folder.metrics.exists():
        there = bool(saved.checkpoints(folder.checkpoints))
        return Finding(
            name, "damaged" if there else "not here", "there is none" if there else "no line was written yet"
        )
    last = 0
    *lines, rest = folder.metrics.read_bytes().split(b"\n")
    for number, line in enumerate(lines, 1):
        try:
            step = parse_json(line)["step"]
        except (ValueError, KeyError, TypeError):
            return Finding(name, "damaged", f"{folder.metrics}: line {number} is no line of metrics")
        if not isinstance(step, int) or step <= last:
            return Finding(name, "damaged", f"{folder.metrics}: line {number} is of step {step}, after step {last}")
        last = step
    if problem := _unlike(folder):
        return Finding(name, "damaged", problem)
    torn = ", and one that was being written" if rest else ""
    return Finding(name, "whole", f"{len(lines):,} lines, up to step {last:,}{torn}")


def _unlike(folder: RunFolder) -> str:
    """Where the metrics are not what the last checkpoint that can be read says they were."""
    for checkpoint in reversed(saved.checkpoints(folder.checkpoints)):
        try:
            state = checkpoint.state()
        except RunError:
            continue
        if sha256_of_first(folder.metrics, state.get("metrics_bytes", 0)) != state.get("metrics_sha256"):
            return f"{folder.metrics} is not what was written up to {checkpoint.path.name}, by its hash"
        return ""
    return ""


def _data(mark: Mark, cache: Path) -> Iterator[Finding]:
    """The prepared data in the cache that a run is trained on, by the hashes of its arrays."""
    for part, samples in (("data", mark.data), ("held-out data", mark.data.held_out)):
        if samples is None or not samples.prepared:
            continue
        folder = cache / samples.prepared
        if not folder.exists():
            yield Finding(part, "not here", f"{folder} is not there; it is prepared again where it is needed")
            continue
        problem = _changed(folder)
        yield Finding(part, "damaged" if problem else "whole", problem or str(folder))


def _changed(folder: Path) -> str:
    """The first array of prepared data that is not what its index says."""
    again = f"delete {folder}, and it is prepared again"
    try:
        index = read_index(folder)
        for field, about in index["fields"].items():
            if _sha256_of_rows(folder / f"{field}.npy") != about["sha256"]:
                return f"{folder / field}.npy is damaged: its hash is not what {INDEX} says; {again}"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"{folder} is damaged ({error}); {again}"
    return ""


def _sha256_of_rows(file: Path) -> str:
    array, digest = np.load(file, mmap_mode="r", allow_pickle=False), hashlib.sha256()
    for start in range(0, len(array), ROWS_AT_ONCE):
        digest.update(np.ascontiguousarray(array[start : start + ROWS_AT_ONCE]).tobytes())
    return digest.hexdigest()
