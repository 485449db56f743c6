"""What a run wrote is damaged: that is always seen, and the last good checkpoint is gone on with."""

from __future__ import annotations

import json
import random
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agekit import plugins
from agekit.data.places import cache_home
from agekit.files import sealed, unsealed
from agekit.game.game import Game
from agekit.game.load import load_recipe
from agekit.game.views import Gallery
from agekit.report.board import EVENTS
from agekit.train import checkpoint as saved
from agekit.train import play
from agekit.train.compute import prepare_compute
from agekit.train.data import prepare_all
from agekit.train.folder import RunFolder, open_run
from agekit.train.recovery import restore_last
from agekit.train.run import Run
from agekit.train.verify import verify

from . import trained
from .forked import Ended, forked
from .killed import Ground
from .points import kill
from .tally import Tally

Spoil = Callable[[Path, random.Random], None]


def flip(file: Path, draw: random.Random) -> None:
    """Turn one bit over."""
    blob = bytearray(file.read_bytes())
    blob[draw.randrange(len(blob))] ^= 1 << draw.randrange(8)
    file.write_bytes(blob)


def truncate(file: Path, draw: random.Random) -> None:
    """Cut the end off."""
    blob = file.read_bytes()
    file.write_bytes(blob[: draw.randrange(len(blob))])


def zero(file: Path, draw: random.Random) -> None:
    """Put zeros for a block, as a disk does that lost it."""
    blob = bytearray(file.read_bytes())
    start = draw.randrange(len(blob))
    block = slice(start, min(start + 512, len(blob)))
    blob[block] = bytes(len(blob[block])) if any(blob[block]) else b"\1" * len(blob[block])
    file.write_bytes(blob)


def lose(file: Path, draw: random.Random) -> None:
    """Remove it."""
    file.unlink()


def renew(file: Path, draw: random.Random) -> None:
    """Say that it is of a newer format, and say so soundly."""
    state = unsealed(json.loads(file.read_text(encoding="utf-8")))
    file.write_text(json.dumps(sealed({**state, "format": state["format"] + 1 + draw.randrange(9)})), encoding="utf-8")


WAYS: Mapping[str, Spoil] = {
    "bits flipped": flip,
    "truncated": truncate,
    "blocks of zeros": zero,
    "parts missing": lose,
    "a newer format": renew,
}


def checkpoints(tally: Tally, ground: Ground, cases: int, seed: int = 0) -> None:
    """Damage the newest checkpoint: `verify` has to name it, and the one before has to be restored."""

    def case(run: Opened, draw: random.Random, number: int) -> Case:
        way = "bits flipped" if number % 2 else list(WAYS)[number // 2 % len(WAYS)]
        newest = saved.checkpoints(run.folder.checkpoints)[-1].path
        file = draw.choice(sorted(newest.iterdir())) if WAYS[way] is not renew else newest / "state.json"
        with _kept(newest):
            WAYS[way](file, draw)
            named = _named(run.folder, f"checkpoints/{newest.name}")
            restored = restore_last(run.folder, run.game, run.gallery, whole=True)
            told = any(newest.name in said for said in restored["damaged"])
            fell = told and restored["step"] == trained.STEPS - 1
        return f"checkpoints with {way}", named and told, fell, f"{file}, case {number}"

    _tried(tally, ground, case, cases, seed)


def records(tally: Tally, ground: Ground, cases: int, seed: int = 0) -> None:
    """Damage all else that a run leaves: mark, recipe, plan, metrics, the best checkpoint, pictures, events."""

    def case(run: Opened, draw: random.Random, number: int) -> Case:
        folder = run.folder
        best = draw.choice(sorted(saved.checkpoints(folder.best)[-1].path.iterdir()))
        picture = draw.choice(sorted(folder.pictures.rglob("*.png")))
        events = draw.choice(sorted(folder.events.glob(f"{EVENTS}*")))
        files = [folder.mark, folder.recipe, folder.plan, folder.metrics, best, picture, events]
        file = files[number % len(files)]
        part = str((best.parent if file is best else file).relative_to(folder.path))
        kept = file.read_bytes()
        ways = [flip, zero] if file is events else [flip, truncate, zero]  # the end of events may be yet to come
        draw.choice(ways)(file, draw)
        named = _named(folder, part)
        file.write_bytes(kept)
        return "mark, recipe, plan, metrics, best, pictures, events: damaged", named, False, f"{file}, case {number}"

    _tried(tally, ground, case, cases, seed)


def resumed(tally: Tally, ground: Ground, cases: int, seed: int = 0) -> None:
    """Damage what a stopped run left, and resume it: at its end it is as if nothing had been."""
    folder, draw = ground.fresh(), random.Random(seed)
    ground.go(folder, _ends_after(trained.STEPS - 1), more=("--set", "run.keep=2"))

    def gone_on(spoil: Callable[[Path], None]) -> tuple[Ended, Mapping[str, Any], str]:
        copy = ground.fresh()
        shutil.copytree(folder, copy)
        newest = saved.checkpoints(RunFolder(copy / trained.RUN).checkpoints)[-1].path
        spoil(newest)
        ended = ground.go(copy)
        shutil.rmtree(newest.with_name(f"damaged-{newest.name}"), ignore_errors=True)
        return ended, trained.snapshot(copy), newest.name

    _, wanted, _ = gone_on(lambda newest: None)
    with tally.attack("runs gone on with, whose newest checkpoint is damaged") as attack:
        for number in range(cases):
            ended, found, name = gone_on(lambda newest: flip(draw.choice(sorted(newest.iterdir())), draw))
            problem = ended.said if ended.status else trained.difference(found, wanted)
            told = name in ended.said
            attack.count(detected=told, recovered=told and not problem, about=f"{number}: {problem or ended.said}")
            if problem:
                attack.lose(f"{number}: {problem}")


Case = tuple[str, bool, bool, str]
"""The attack's name, whether the harm was detected, whether what it harmed was recovered, and what it was."""


@dataclass(frozen=True)
class Opened:
    """A run whose checkpoints can be restored."""

    folder: RunFolder
    game: Game
    gallery: Gallery


def _ends_after(step: int) -> Callable[[], None]:
    """Kill this process when it has written the checkpoint of this step."""

    def watch() -> None:
        write = play.checkpoint

        def written(one: Run) -> saved.Checkpoint:
            done = write(one)
            if one.game.steps_done == step:
                kill()
            return done

        play.checkpoint = written  # type: ignore[assignment]

    return watch


def _trained(ground: Ground) -> Path:
    """A folder with a run in it that has kept two checkpoints."""
    folder = ground.fresh()
    ended = ground.go(folder, more=("--set", "run.keep=2"))
    if ended.status:
        raise RuntimeError(ended.said)
    return folder


def _tried(
    tally: Tally, ground: Ground, case: Callable[[Opened, random.Random, int], Case], cases: int, seed: int
) -> None:
    """Try cases on one run in a child, and count what it tells of them."""
    place = _trained(ground)

    def work() -> None:
        trained.settle(place, place / "cache")
        draw, run = random.Random(seed), _opened()
        Path("found.json").write_text(
            json.dumps([case(run, draw, number) for number in range(cases)]), encoding="utf-8"
        )

    began = time.monotonic()
    ended = forked(work, patience_seconds=3600)
    if ended.status:
        raise RuntimeError(ended.said)
    found: list[Case] = json.loads((place / "found.json").read_text(encoding="utf-8"))
    seconds = (time.monotonic() - began) / cases
    for name in dict.fromkeys(name for name, *_ in found):
        with tally.attack(name) as attack:
            for _, detected, recovered, about in (one for one in found if one[0] == name):
                attack.count(detected=detected, recovered=recovered, about=about)
                attack.seconds += seconds


def _opened() -> Opened:
    folder = open_run(trained.RUN)
    recipe = load_recipe(folder.recipe, plugins.load(), name=folder.marked().recipe)
    game = prepare_all(recipe, cache_home()).game(recipe, prepare_compute(recipe.compute))
    return Opened(folder, game, Gallery(game))


def _named(folder: RunFolder, part: str) -> bool:
    """Whether this part of a run, and no other, is found damaged."""
    found = [one for one in verify(folder, cache_home()) if one.state == "damaged"]
    return [one.part for one in found] == [part] and all(one.said for one in found)


@contextmanager
def _kept(folder: Path) -> Iterator[None]:
    """Afterwards, a folder is as it was."""
    copy = folder.with_name(f"kept-{folder.name}")
    shutil.copytree(folder, copy)
    try:
        yield
    finally:
        shutil.rmtree(folder)
        copy.rename(folder)
