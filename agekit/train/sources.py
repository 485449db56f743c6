"""Weights that come from elsewhere: `from = "runs/parser_faces"`, or a safetensors file."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ..errors import RunError
from ..game.game import Game
from ..game.networks import follow
from .checkpoint import PARTS, checkpoints, mismatch
from .folder import open_run


def load_sources(game: Game) -> None:
    """Fill every network that has a `from`; running averages begin there too.

    Raises `RunError` where it is not there or does not fit.
    """
    for name, spec in game.recipe.networks.items():
        if spec.keys.source is None:
            continue
        tensors = _tensors(Path(spec.keys.source), name)
        own = game.networks[name].state_dict()
        if problem := mismatch(own, tensors):
            raise RunError(f"networks.{name}.from = {spec.keys.source!r} is of another network: {problem}")
        with torch.no_grad():
            for key, tensor in own.items():
                tensor.copy_(tensors[key])
    for name, spec in game.recipe.networks.items():
        if spec.keys.average_of is not None:
            follow(game.networks[name], game.networks[spec.keys.average_of], decay=0)


def _tensors(source: Path, name: str) -> dict[str, Tensor]:
    """The tensors of the network `name` in a run's last checkpoint, or all of a file."""
    if source.is_file():
        try:
            return load_file(source)
        except (OSError, SafetensorError) as error:
            raise RunError(f"networks.{name}.from: {source} is no safetensors file: {error}") from error
    found = checkpoints(open_run(source).checkpoints)
    if not found:
        raise RunError(f"networks.{name}.from: {source} has no checkpoint yet")
    tensors = found[-1].part(PARTS[0], found[-1].state()["sha256"])
    own = {key.removeprefix(f"{name}."): tensor for key, tensor in tensors.items() if key.startswith(f"{name}.")}
    if not own:
        there = ", ".join(sorted({key.partition(".")[0] for key in tensors}))
        raise RunError(f"networks.{name}.from: {source} has no network {name!r}; it has {there}")
    return own
