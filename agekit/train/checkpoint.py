"""Checkpoints: safetensors and JSON, whole or not at all, checked by hash when they are read."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, NonNegativeFloat, NonNegativeInt, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..errors import RunError
from ..files import (
    TEMPORARY,
    permitted,
    read_json,
    remove_folder,
    sealed,
    sha256_of,
    sync,
    temporaries,
    unsealed,
    write_json,
)
from ..game.game import Game
from ..game.update import Seat
from ..game.views import Gallery

FORMAT = 1
STATE = "state.json"
CHECKPOINT = re.compile(r"step-\d+\Z")
PARTS = ("weights", "optimizers", "statistics", "controllers")


class State(BaseModel):
    """What `state.json` says, as far as it is read again; hashes tell that it is whole, not that it makes sense."""

    step: NonNegativeInt
    stage: NonNegativeInt
    stage_step: NonNegativeInt
    sha256: dict[str, str]
    optimizers: dict[str, Any]
    metrics_bytes: NonNegativeInt = 0
    elapsed_seconds: NonNegativeFloat = 0.0
    sentinel: dict[str, Any] = {}
    best: dict[str, Any] = {}


@contextmanager
def of_this_game(origin: str) -> Iterator[None]:
    """Meanwhile, what does not fit the game is a `RunError`: a checkpoint may be of another, or of nobody."""
    try:
        yield
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise RunError(f"{origin} is of another game: {type(error).__name__}: {error}") from error


@dataclass(frozen=True)
class Checkpoint:
    """A folder that holds a game as it stood after some step."""

    path: Path

    def state(self) -> dict[str, Any]:
        """Counters, hashes, and what the tensors cannot hold. Raises `RunError` where it cannot be read."""
        try:
            state: dict[str, Any] = read_json(self.path / STATE)
        except (OSError, ValueError) as error:
            raise RunError(f"{self.path / STATE} cannot be read: {error}") from error
        found = state.get("format") if isinstance(state, dict) else None
        if found != FORMAT:
            raise RunError(f"{self.path} has format {found!r}, and this agekit reads format {FORMAT}")
        try:
            state = unsealed(state)
        except ValueError as error:
            raise RunError(f"{self.path / STATE} is damaged: {error}") from error
        try:
            State.model_validate(state)
        except ValidationError as error:
            key = ".".join(map(str, error.errors()[0]["loc"]))
            raise RunError(f"{self.path / STATE} has no sensible {key}: it is of something else") from error
        return state

    def part(self, name: str, hashes: dict[str, str]) -> dict[str, Tensor]:
        """The tensors of one part. Raises `RunError` where the file is missing or damaged."""
        file = self.path / f"{name}.safetensors"
        try:
            self._check(file, hashes)
            return load_file(file)
        except (OSError, SafetensorError) as error:
            raise RunError(f"{file} cannot be read: {error}") from error

    def verify(self) -> None:
        """Raise `RunError` where anything in it is missing or damaged."""
        hashes = self.state()["sha256"]
        for name in PARTS:
            file = self.path / f"{name}.safetensors"
            try:
                self._check(file, hashes)
            except OSError as error:
                raise RunError(f"{file} cannot be read: {error}") from error

    def _check(self, file: Path, hashes: dict[str, str]) -> None:
        if sha256_of(file) != hashes.get(file.name):
            raise RunError(f"{file} is damaged: its hash is not what {STATE} says")


def checkpoints(folder: Path) -> list[Checkpoint]:
    """The checkpoints in a folder, oldest first; what else is there is not among them."""
    return [Checkpoint(path) for path in sorted(folder.glob("step-*")) if CHECKPOINT.match(path.name) and path.is_dir()]


def name_of(game: Game) -> str:
    """The name of a checkpoint of a game as it stands."""
    return f"step-{game.steps_done:09d}"


def save(
    folder: Path, game: Game, gallery: Gallery, extra: dict[str, Any], keep: int, spared: str | None = None
) -> Checkpoint:
    """Write a checkpoint and remove all but the latest `keep` and the `spared`.

    Raises `RunError` where the disk does not take it.
    """
    final = folder / name_of(game)
    temporary = folder / f".{final.name}{TEMPORARY}"
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        _write(temporary, game, gallery, extra)
        sync(temporary)
        if final.exists():
            remove_folder(final)
        os.replace(temporary, final)
        sync(folder)
        rotate(folder, keep, spared)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise RunError(f"the checkpoint of step {game.steps_done} cannot be written to {folder}: {reason}") from error
    return Checkpoint(final)


def rotate(folder: Path, keep: int, spared: str | None = None) -> None:
    """Remove all checkpoints but the latest `keep` and the `spared`."""
    for old in checkpoints(folder)[:-keep]:
        if old.path.name != spared:
            remove_folder(old.path)


def tidy(folder: Path) -> None:
    """Finish or remove what a killed process was about to write or to remove there; nobody else may be at it.

    A checkpoint that was written whole and not yet renamed counts as written: what it was to replace may be gone.
    """
    for path in temporaries(folder):
        final = path.with_name(path.name[1:].removesuffix(TEMPORARY))
        if path.is_file():
            path.unlink()
        elif (path / STATE).is_file() and CHECKPOINT.match(final.name) and not final.exists():
            os.replace(path, final)
        else:
            shutil.rmtree(path)


def _write(folder: Path, game: Game, gallery: Gallery, extra: dict[str, Any]) -> None:
    """Write the files of a checkpoint: the tensors, and the state with their hashes."""
    tensors, plain = _optimizer_tensors(game)
    parts = {
        "weights": dict(game.named_tensors()),
        "optimizers": tensors,
        "statistics": _statistic_tensors(gallery),
        "controllers": dict(game.controllers.named_tensors()),
    }
    hashes = {}
    for name, part in parts.items():
        file = folder / f"{name}.safetensors"
        with permitted(file):
            save_file({key: value.detach().cpu().contiguous().clone() for key, value in part.items()}, file)
        sync(file)
        hashes[file.name] = sha256_of(file)
    counters = {"step": game.steps_done, "stage": game.position, "stage_step": game.stage_step}
    state = {"format": FORMAT, **counters, **extra, "optimizers": plain, "sha256": hashes}
    write_json(folder / STATE, sealed(state))


def restore(checkpoint: Checkpoint, game: Game, gallery: Gallery) -> dict[str, Any]:
    """Put a game, and its views' statistics, where they stood; what `save` was given as extra is in the result.

    Raises `RunError` where anything in it is missing, damaged, or of another game.
    """
    state = checkpoint.state()
    weights, optimizers, statistics, controllers = (checkpoint.part(name, state["sha256"]) for name in PARTS)
    with of_this_game(str(checkpoint.path)):
        game.enter(state["stage"])
        load_weights(game, weights, str(checkpoint.path))
        if problem := mismatch(dict(game.controllers.named_tensors()), controllers):
            raise RunError(f"{checkpoint.path} is of a game with other controllers: {problem}")
        game.controllers.load(controllers)
        for seat in game.seats:
            _load_optimizer(seat, optimizers, state["optimizers"])
        game.steps_done, game.stage_step = state["step"], state["stage_step"]
        _load_statistics(gallery, statistics, state["step"])
    return state


def restore_weights(checkpoint: Checkpoint, game: Game, added: Collection[str] = ()) -> None:
    """Put a game's networks where they stood, those apart that were `added` to it since; it cannot be played on.

    Raises `RunError` where anything that is needed is missing, damaged, or of another game.
    """
    state = checkpoint.state()
    weights = checkpoint.part("weights", state["sha256"])
    with of_this_game(str(checkpoint.path)):
        game.enter(state["stage"])
    load_weights(game, weights, str(checkpoint.path), added)
    game.steps_done, game.stage_step = state["step"], state["stage_step"]


def load_weights(game: Game, tensors: dict[str, Tensor], origin: str, added: Collection[str] = ()) -> None:
    """Fill the networks, but for those `added`. Raises `RunError` where a tensor is missing, surplus, or misshapen."""
    own = {name: tensor for name, tensor in game.named_tensors() if name.partition(".")[0] not in added}
    if problem := mismatch(own, tensors):
        raise RunError(f"{origin} is of another game: {problem}")
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(tensors[name])


def mismatch(own: dict[str, Tensor], found: dict[str, Tensor]) -> str:
    """The first difference between what a game has and what was found; empty where they match."""
    if missing := sorted(own.keys() - found.keys()):
        return f"{missing[0]} is missing"
    if surplus := sorted(found.keys() - own.keys()):
        return f"{surplus[0]} is unknown here"
    for name, tensor in own.items():
        if tensor.shape != found[name].shape:
            return f"{name} is {list(found[name].shape)}, where {list(tensor.shape)} fits"
    return ""


def _optimizer_tensors(game: Game) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The optimizers' state as tensors by `player.parameter.name`, and what is no tensor, apart."""
    tensors: dict[str, Tensor] = {}
    plain: dict[str, Any] = {}
    for seat in game.seats:
        for parameter, state in seat.optimizer.state_dict()["state"].items():
            for name, value in state.items():
                key = f"{seat.player.name}.{parameter}.{name}"
                (tensors if isinstance(value, Tensor) else plain)[key] = value
    return tensors, plain


def _load_optimizer(seat: Seat, tensors: dict[str, Tensor], plain: dict[str, Any]) -> None:
    state: dict[int, dict[str, Any]] = {}
    for key, value in {**tensors, **plain}.items():
        owner, number, name = key.rsplit(".", 2)
        if owner == seat.player.name:
            laid = isinstance(value, Tensor) and value.ndim > 0
            state.setdefault(int(number), {})[name] = _laid_like(seat.parameters[int(number)], value) if laid else value
    seat.optimizer.load_state_dict({"state": state, "param_groups": seat.optimizer.state_dict()["param_groups"]})


def _laid_like(parameter: Tensor, value: Tensor) -> Tensor:
    """A copy laid out in memory as the parameter is: fused optimizers go by memory, whatever the strides say."""
    return torch.empty_like(parameter, requires_grad=False).copy_(value)


def _statistic_tensors(gallery: Gallery) -> dict[str, Tensor]:
    return {
        f"{call}/{name}": tensor for call, buffers in gallery.statistics.items() for name, tensor in buffers.items()
    }


def _load_statistics(gallery: Gallery, tensors: dict[str, Tensor], step: int) -> None:
    gallery.statistics, gallery.taken_at = {}, step
    for key, tensor in tensors.items():
        call, name = key.split("/")
        gallery.statistics.setdefault(call, {})[name] = tensor.to(gallery.game.device)
