"""What finished runs leave behind, so that a benchmark goes on where it was stopped."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

import agekit

Result = dict[str, Any]
"""What a run has left: what it was made by, the seconds of a step, and its numbers."""


def made_by(recipe: str, settings: Sequence[str], *others: object) -> str:
    """A digest of all that a result depends on: the recipe as composed, weights that it takes from files, and others.

    Source code is not in it: whoever changes that begins in an empty folder.
    """
    tree = {table: keys for table, keys in agekit.load(recipe, *settings).document.tree.items() if table != "about"}
    sources = [table["from"] for table in tree["networks"].values() if "from" in table]
    weights = [sha256(Path(source).read_bytes()).hexdigest() for source in sources]
    return sha256(json.dumps([tree, weights, others], sort_keys=True).encode()).hexdigest()


def kept(path: Path, maker: str) -> Result | None:
    """What a finished run that was made by just this has left; None where there is none."""
    result: Result = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return result if result.get("made_by") == maker else None


def keep(path: Path, maker: str, result: Result) -> Result:
    """Leave a result for the next time; it is the last that a run writes."""
    result = {"made_by": maker, **result}
    path.write_text(json.dumps(result, indent=2), encoding="utf-8")
    return result


def save(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write tensors to a file."""
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)


def play(game: Any, name: str, until: int) -> float:
    """Play on until so many steps are done, saying how it goes; the seconds of a step."""
    start, before, seconds = time.perf_counter(), game.steps_done, 0.0
    while game.steps_done < until:
        game.step()
        if game.steps_done % max(until // 10, 1) == 0 or game.steps_done == until:
            seconds = (time.perf_counter() - start) / (game.steps_done - before)
            print(f"{name:30} {game.steps_done:5} of {until} steps, {seconds:.3f} s each", flush=True)
    return seconds
