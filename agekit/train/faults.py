"""What is left behind of a step whose numbers are none: enough to play it again and look closely."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import RunError
from ..files import read_json, write_json
from ..game.game import Game
from ..game.step import Number, Step, shown
from .folder import RunFolder


class FoundNumber(BaseModel):
    """A number that is none: a term of an update, or the gradient's norm where `term` is None."""

    model_config = ConfigDict(frozen=True)

    player: str
    update: int
    term: str | None
    value: str


class Fault(BaseModel):
    """A step, what of it was no number, the factors of learning rates then, and each update's samples by player."""

    model_config = ConfigDict(frozen=True)

    step: int
    stage: int
    stage_step: int
    found: tuple[FoundNumber, ...]
    factors: dict[str, float]
    batches: dict[str, tuple[tuple[int, ...], ...]]


def path_of(folder: RunFolder, step: int) -> Path:
    """Where the fault of a step is written."""
    return folder.faults / f"step-{step:09d}.json"


def write_fault(
    folder: RunFolder, game: Game, step: Step, found: Sequence[Number], factors: Mapping[str, float]
) -> None:
    """Write down a step with numbers that are none. Raises `OSError` where the disk does not take it."""
    said = [FoundNumber(player=one.player, update=one.update, term=one.term, value=shown(one.value)) for one in found]
    fault = Fault(
        step=step.number + 1,
        stage=step.position,
        stage_step=step.stage_step,
        found=tuple(said),
        factors=dict(factors),
        batches=batches_of(game, step.position, step.stage_step),
    )
    folder.faults.mkdir(exist_ok=True)
    write_json(path_of(folder, fault.step), fault.model_dump())


def batches_of(game: Game, position: int, stage_step: int) -> dict[str, tuple[tuple[int, ...], ...]]:
    """The samples of each update at a step of a stage, by player."""
    return {
        player.name: tuple(
            tuple(game.batch_of(player.name, update, position, stage_step).tolist()) for update in range(player.updates)
        )
        for player in game.recipe.stages[position].players
    }


def read_fault(folder: RunFolder, step: int) -> Fault | None:
    """What was written down of a step; None where nothing was. Raises `RunError` where it cannot be read."""
    path = path_of(folder, step)
    if not path.is_file():
        return None
    try:
        said: Any = read_json(path)
        return Fault.model_validate(said)
    except (OSError, ValueError, ValidationError) as error:
        raise RunError(f"{path} cannot be read: it is damaged, or of something else") from error
