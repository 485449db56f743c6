"""A step of a run played again, from the last checkpoint before it, and looked at closely."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..data.places import cache_home
from ..errors import RunError
from ..game.bound import Recipe
from ..game.examine import Finding, examine_step
from ..game.game import Game
from ..game.views import Gallery
from ..report.metrics import read_metrics
from . import checkpoint as saved
from .compute import explained, prepare_compute
from .data import check_unchanged, prepare_all
from .faults import Fault, batches_of, read_fault
from .folder import RunFolder
from .sources import load_programs, load_sources

BEGINNING = "the beginning"
Factors = Mapping[str, float]
Batches = dict[str, tuple[tuple[int, ...], ...]]


@dataclass(frozen=True)
class Replayed:
    """A step that was played again: from where, what was seen, and the samples of each update by player.

    `fault` is what the run left behind of it, and `after` the first tensor that is not finite when the step is over.
    """

    game: Game
    begun: str
    findings: tuple[Finding, ...]
    batches: Batches
    fault: Fault | None
    after: str | None


@dataclass(frozen=True)
class Listener:
    """What is told meanwhile: how far the data is prepared, and how far the steps before are."""

    preparing: Callable[[str, int, int], None]
    playing: Callable[[int, int], None]


def replay(recipe: Recipe, folder: RunFolder, step: int, listener: Listener, *, trust: bool = False) -> Replayed:
    """Play a step again, counted from 1; nothing is written.

    All draws are functions of the seed and the step, so that it is the step that was. Raises `RunError` where the run
    has no such step, its data has changed, or what was left behind of the step is of another batch.
    """
    fault = read_fault(folder, step)
    device = prepare_compute(recipe.compute)
    data = prepare_all(recipe, cache_home(), listener.preparing)
    check_unchanged(folder, data)
    game = data.game(recipe, device)
    if not 1 <= step <= game.total_steps:
        raise RunError(f"--step {step}: {folder.path} has the steps 1 to {game.total_steps}")
    load_programs(game, trust=trust)
    begun = _restored(folder, game, step)
    factors = _factors(folder, fault, None if begun == BEGINNING else game.factors)
    first = game.steps_done
    with explained(recipe.compute):
        while game.steps_done < step - 1:
            game.factors = factors(game.steps_done)
            game.step()
            listener.playing(game.steps_done - first, step - 1 - first)
        game.factors = factors(game.steps_done)
        findings = tuple(examine_step(game))
    batches = batches_of(game, game.position, game.stage_step - 1)
    if fault and fault.batches != batches:
        raise RunError(f"{folder.path}: step {step} is of other samples than it was; has the recipe been changed?")
    after = next((name for name, tensor in game.named_tensors() if not bool(tensor.isfinite().all())), None)
    return Replayed(game, begun, findings, batches, fault, after)


def _restored(folder: RunFolder, game: Game, step: int) -> str:
    """Put a game where the last whole checkpoint before a step left it; the name of that, or of the beginning."""
    there = [*saved.checkpoints(folder.checkpoints), *saved.checkpoints(folder.best)]
    before = sorted((one for one in there if _step_of(one.path) < step), key=lambda one: _step_of(one.path))
    for checkpoint in reversed(before):
        try:
            kept = saved.restore(checkpoint, game, Gallery(game))
        except RunError:  # a damaged one; an earlier one leads to the same step
            continue
        game.factors = kept["sentinel"]["factors"]
        return checkpoint.path.name
    game.enter(0)
    load_sources(game)
    return BEGINNING


def _factors(folder: RunFolder, fault: Fault | None, kept: Factors | None) -> Callable[[int], Factors]:
    """The factors of learning rates after so many steps: a run that went back had others from there on.

    Those `kept` are of the checkpoint that is begun from. A fault tells those of its own time, which may not be the
    ones with which the run came through at last.
    """
    lines = read_metrics(folder.metrics) if folder.metrics.is_file() else ()
    events = [event for line in lines for event in line.get("sentinel", ()) if event["action"] == "roll back"]
    turns = [(_step_of(Path(event["to"])), event["factors"]) for event in events]
    since = max((turn for turn, _ in turns if fault and turn < fault.step), default=0)

    def after(steps: int) -> Factors:
        if fault and steps >= since:
            return fault.factors
        return kept if kept is not None else next((f for turn, f in reversed(turns) if turn <= steps), {})

    return after


def _step_of(path: Path) -> int:
    return int(path.name.removeprefix("step-"))
