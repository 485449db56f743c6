"""Networks that come from elsewhere: a run's, those of a safetensors file, and exported programs."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from ..errors import RunError
from ..files import parse_json, unsealed
from ..game.bound import NetworkSpec, Recipe
from ..game.game import Game
from ..game.graph import Signature
from ..game.networks import follow
from ..game.program import Program
from ..game.samples import sha256_of_tensors
from ..game.wrappers import Foreign, Merged
from .checkpoint import PARTS, checkpoints, mismatch
from .folder import RunFolder, open_run

KEY = "agekit"
"""In the head of a safetensors file, what it says of its network."""


def check_sources(recipe: Recipe, shipped: Collection[str] = ()) -> None:
    """Raise `RunError` where what a network is `from` is not there, before anything is prepared.

    Where a run of a shipped recipe is missing, the message says how it is made.
    """
    for name, spec in recipe.networks.items():
        if spec.keys.source is None or (source := Path(spec.keys.source)).exists():
            continue
        runs = "" if source.parent == Path("runs").absolute() else f" --out {source.parent}"
        made = f"; it is made by: agekit run {source.name} --name {source.name}{runs}"
        raise RunError(f"networks.{name}.from: {source} does not exist{made if source.name in shipped else ''}")


def load_sources(game: Game, only: Collection[str] | None = None) -> None:
    """Fill every network that has a `from`, or only those named; running averages begin there too.

    Raises `RunError` where it is not there, does not fit, or tells other classes apart than the recipe says.
    """
    for name, spec in game.recipe.networks.items():
        if spec.keys.source is None or isinstance(spec.component, Program) or (only is not None and name not in only):
            continue
        place = f"networks.{name}.from = {spec.keys.source!r}"
        tensors = _tensors(Path(spec.keys.source), name, _own_classes(game, name))
        own = inner(game.networks[name]).state_dict()
        if problem := mismatch(own, tensors):
            raise RunError(f"{place} is of another network: {problem}")
        with torch.no_grad():
            for key, tensor in own.items():
                tensor.copy_(tensors[key])
    for name, spec in game.recipe.networks.items():
        if spec.keys.average_of is not None:
            follow(game.networks[name], game.networks[spec.keys.average_of], decay=0)


def programs(game: Game) -> dict[str, Path]:
    """The files of the networks that are exported programs, by network."""
    specs = game.recipe.networks.items()
    return {name: Path(str(spec.keys.source)) for name, spec in specs if isinstance(spec.component, Program)}


def load_programs(game: Game, *, trust: bool) -> None:
    """Put every exported program in its place. Loading one runs code of whoever made it, hence `trust`.

    Raises `RunError` where it is not trusted, cannot be read, or does not make what the recipe says.
    """
    for name, file in programs(game).items():
        if not trust:
            raise RunError(f"networks.{name}.from: {file} is a program, and would be run as code; --trust allows it")
        if not file.is_file():
            raise RunError(f"networks.{name}.from: {file} does not exist")
        try:
            program = read_program(file).to(game.device)
        except Exception as error:  # whatever a foreign file makes the reader raise
            raise RunError(f"networks.{name}.from: {file} is no exported program: {error}") from error
        _check_program(program, game.scope.networks[name], game, f"networks.{name}.from: {file}")
        foreign = inner(game.networks[name])
        assert isinstance(foreign, Foreign)  # noqa: S101 - what a Program builds
        foreign.take(program)


def read_program(file: Path) -> nn.Module:
    """An exported program, which is code: for callers who were told that it is trusted, or have just written it."""
    return torch.export.load(file).module()


def inner(network: nn.Module) -> nn.Module:
    """The network as its component built it, and as it lies in files: without the merging of its classes."""
    return network.network if isinstance(network, Merged) else network


@torch.no_grad()
def _check_program(program: nn.Module, signature: Signature, game: Game, place: str) -> None:
    """Two batch sizes, so that a program that was exported for one alone is refused here, and not in mid-run."""
    for count in (2, 3):
        inputs = [
            torch.zeros(count, *(size or 1 for size in space.shape), device=game.device, dtype=game.layout.dtype)
            for space in signature.sees
        ]
        try:
            made = program(*inputs)
        except Exception as error:  # a foreign program may raise anything
            shapes = ", ".join(str(list(value.shape)) for value in inputs)
            raise RunError(f"{place} cannot be applied to {shapes}: {error}") from error
        wanted = [count, *signature.built.shape]
        found = list(made.shape) if isinstance(made, Tensor) else type(made).__name__
        if found != wanted:
            raise RunError(f"{place} makes {found} of a batch of {count}, where {wanted} fits ({signature.built})")


def _own_classes(game: Game, name: str) -> tuple[str, tuple[str, ...]]:
    """The kind of what a network makes, and the classes that it tells apart before they are merged."""
    spec: NetworkSpec = game.recipe.networks[name]
    field = game.scope.fields.get(spec.makes)
    return spec.makes, spec.keys.class_names or (field.classes if field else ())


def _tensors(source: Path, name: str, classes: tuple[str, tuple[str, ...]]) -> dict[str, Tensor]:
    """The tensors of the network `name` in a run's last checkpoint, or all of a file."""
    if source.is_file():
        try:
            return read_weights(source)[0]
        except RunError as error:
            raise RunError(f"networks.{name}.from: {error}") from error
    run = open_run(source)
    _check_classes(run, name, *classes)
    found = checkpoints(run.checkpoints)
    if not found:
        raise RunError(f"networks.{name}.from: {source} has no checkpoint yet")
    tensors = found[-1].part(PARTS[0], found[-1].state()["sha256"])
    own = {key.removeprefix(f"{name}."): tensor for key, tensor in tensors.items() if key.startswith(f"{name}.")}
    if not own:
        there = ", ".join(sorted({key.partition(".")[0] for key in tensors}))
        raise RunError(f"networks.{name}.from: {source} has no network {name!r}; it has {there}")
    return own


def read_weights(file: Path) -> tuple[dict[str, Tensor], dict[str, Any] | None]:
    """The tensors of a safetensors file; and what it says of itself, where `agekit export` wrote it.

    Raises `RunError` where it is no such file, or is not as it was written.
    """
    try:
        with safe_open(file, framework="pt") as opened:
            said = (opened.metadata() or {}).get(KEY)
        tensors = load_file(file)
    except (OSError, SafetensorError) as error:
        raise RunError(f"{file} is no safetensors file: {error}") from error
    if said is None:
        return tensors, None
    try:
        head = unsealed(parse_json(said))
    except (ValueError, TypeError) as error:
        raise RunError(f"{file} is damaged: what it says of itself is not what was written") from error
    if sha256_of_tensors(tensors) != head.get("tensors"):
        raise RunError(f"{file} is damaged: its tensors are not those that were written, by their hash")
    return tensors, head


def _check_classes(run: RunFolder, name: str, kind: str, classes: tuple[str, ...]) -> None:
    """Refuse a run whose data has other classes of that kind than the recipe takes its network to tell apart."""
    field = run.marked_data().fields.get(kind)
    if not classes or field is None or not field.classes or field.classes == classes:
        return
    raise RunError(
        f"networks.{name}.from: {run.path} tells apart {', '.join(field.classes)}, and the recipe takes it to tell "
        f"apart {', '.join(classes)}: class_names = [...] lists its own, and class_mapping says what they become"
    )
