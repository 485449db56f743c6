"""A run: from a recipe and a folder to trained networks, through any number of interruptions."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import tomli_w

from ..data.places import cache_home
from ..errors import RunEnded
from ..files import sealed_text, write_text
from ..game.bound import Recipe
from ..game.cost import cost
from ..game.describe import describe_plan
from ..game.game import Game
from ..game.judge import Judge
from ..game.ranks import ALONE, Ranks
from ..game.views import Gallery
from ..lock import Lock
from ..plugins import Loaded
from ..recipe.find import shipped
from ..report.metrics import MetricsFile
from . import checkpoint as saved
from .compute import explained, own_device, prepare_compute
from .dashboard import open_board
from .data import RunData, check_unchanged, mark_changes, prepare_all
from .folder import RunFolder, check_name, check_own, create, open_run
from .following import check_alike, check_same, in_turn, lead
from .provenance import provenance
from .recovery import restore_last, settle
from .sentinel import Sentinel
from .sources import check_sources, load_programs, load_sources
from .upkeep import alone, writing
from .watch import Watch


class Listener(Protocol):
    """Whoever wants to hear how a run goes: the console, a test, a notebook."""

    def preparing(self, part: str, done: int, total: int) -> None: ...

    def judging(self, done: int, total: int) -> None: ...

    def begins(self, run: Run) -> None: ...

    def logged(self, run: Run, line: dict[str, Any]) -> None: ...

    def stepped(self, run: Run) -> None: ...

    def ends(self, run: Run, interrupted: bool) -> None: ...


@dataclass
class Run:
    """A game on its way: where it is played, and where it is written down."""

    folder: RunFolder
    recipe: Recipe
    data: RunData
    game: Game
    watch: Watch
    sentinel: Sentinel
    lock: Lock
    damaged: tuple[str, ...] = ()
    """What was wrong with the checkpoints that were passed over."""
    resumed: bool = False
    """Whether it was begun before."""

    @property
    def gallery(self) -> Gallery:
        return self.watch.gallery

    @property
    def total_steps(self) -> int:
        """Steps of the whole run, all stages together."""
        return self.game.total_steps

    def close(self) -> None:
        """Let go of its files, and of its lock."""
        self.watch.board.close()
        self.watch.metrics.close()
        self.lock.release()

    @property
    def finished(self) -> bool:
        return self.game.steps_done >= self.total_steps


def start(
    recipe: Recipe,
    loaded: Loaded,
    runs: Path,
    name: str | None,
    listener: Listener,
    cache: Path | None = None,
    *,
    trust: bool = False,
    ranks: Ranks = ALONE,
) -> Run:
    """Begin a new run: prepare the data, build the game, make the folder; `trust` lets exported programs run.

    Where several ranks play it, this is what the first does, and the others `follow`.
    """
    check_name(runs, name)
    check_sources(recipe, shipped(loaded.recipes))
    data, game = _prepared(recipe, cache, listener, ranks)
    load_sources(game)
    load_programs(game, trust=trust)
    Judge(Gallery(game)).rehearse()
    counted = cost(recipe, game.scope)
    texts = tomli_w.dumps(recipe.document.tree), describe_plan(recipe, game.scope, counted, ranks.count)
    folder = create(runs, name, *texts, provenance(game, data, loaded, counted))
    with writing(folder), alone(folder) as lock:
        run = _opened(folder, recipe, data, game, {}, lock)
    lead(folder, game, restored=False)
    return run


def _prepared(recipe: Recipe, cache: Path | None, listener: Listener, ranks: Ranks) -> tuple[RunData, Game]:
    """The data of a run, and its game on it."""
    check_alike(ranks, recipe)
    device = prepare_compute(own_device(recipe.compute, ranks.local, ranks.local_count))
    data = in_turn(ranks, lambda: prepare_all(recipe, cache or cache_home(), listener.preparing))
    check_same(ranks, {"data": data.training.fingerprint})
    with explained(recipe.compute):
        return data, data.game(recipe, device, ranks)


def resume(
    recipe: Recipe,
    folder: RunFolder,
    listener: Listener,
    cache: Path | None = None,
    *,
    trust: bool = False,
    despite: Collection[str] = (),
    ranks: Ranks = ALONE,
) -> Run:
    """Take a run up at its last good checkpoint, written on however many ranks; at its beginning where there is none.

    Checkpoints that are damaged are passed over, and set aside. Raises `RunError` where the run came to its end, or
    another process is at it; and where its data is not what it began with, or its metrics are not what it wrote, unless
    it is to go on `despite` that: `data`, `metrics`.
    """
    check_own(folder)
    with writing(folder), alone(folder) as lock:
        saved.tidy(folder.path)
        data, game = _prepared(recipe, cache, listener, ranks)
        if "data" not in despite:
            check_unchanged(folder, data)
        load_programs(game, trust=trust)
        gallery = Gallery(game)
        state = restore_last(folder, game, gallery, whole="metrics" not in despite)
        if not state:
            load_sources(game)
        damaged = [*state.get("damaged", ()), *settle(folder, game, state)]
        if game.steps_done >= game.total_steps:
            cut = game.total_steps == recipe.run.stop_after
            way = "--steps N names a later one" if cut else "its stages have no more"
            end = f"step {game.total_steps}, where it is to end"
            raise RunEnded(f"{folder.path} stands at step {game.steps_done}, and {end}, is reached: {way}")
        mark_changes(folder, data, game.steps_done)
        write_text(folder.recipe, sealed_text(tomli_w.dumps(recipe.document.tree)))
        run = replace(_opened(folder, recipe, data, game, {**state, "damaged": damaged}, lock, gallery), resumed=True)
    lead(folder, game, restored=bool(state))
    return run


def begin_or_resume(recipe: Recipe, loaded: Loaded, path: Path, listener: Listener, *, trust: bool = False) -> Run:
    """A run in this very folder: begun, or taken up where it stopped."""
    if RunFolder(path).mark.is_file():
        return resume(recipe, open_run(path), listener, trust=trust)
    return start(recipe, loaded, path.parent, path.name, listener, trust=trust)


def _opened(
    folder: RunFolder,
    recipe: Recipe,
    data: RunData,
    game: Game,
    state: dict[str, Any],
    lock: Lock,
    gallery: Gallery | None = None,
) -> Run:
    with ExitStack() as undo:  # a full disk leaves no file open
        metrics = MetricsFile(folder.metrics)
        undo.callback(metrics.close)
        metrics.cut(state.get("metrics_bytes", 0))
        board = open_board(folder, game)
        undo.pop_all()
    spent = state.get("elapsed_seconds", 0.0)
    gallery = gallery or Gallery(game)
    watch = Watch(folder, game, gallery, board, metrics, data.features, spent)
    sentinel = Sentinel(folder, game, gallery, watch, state.get("sentinel", {}))
    return Run(folder, recipe, data, game, watch, sentinel, lock, tuple(state.get("damaged", ())))
