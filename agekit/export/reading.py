"""Reading a network back from one safetensors file, which says how the network is built."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from pydantic import BaseModel, TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from ..contracts import DataField
from ..errors import RunError, nearest
from ..files import replacing
from ..game.check import bind
from ..game.game import Game
from ..plugins import Loaded
from ..recipe.source import parse
from ..train.checkpoint import mismatch
from ..train.sources import inner
from .parts import Part
from .recipe import portable

KEY = "agekit"
FIELDS = TypeAdapter(dict[str, DataField])


class Head(BaseModel):
    """What a file says of its network, as far as it is read again."""

    network: str
    recipe: str
    fields: dict[str, DataField]


def write_network(part: Part, file: Path) -> None:
    """Write a network's weights, with its recipe and its data's fields in the file's head.

    The tensors are those that `from` of a recipe takes.
    """
    said = {
        "network": part.name,
        "statistics": part.statistics,
        "weights": part.weights,
        "recipe": portable(part.game.recipe.document.tree),
        "fields": FIELDS.dump_python(dict(part.game.fields)),
    }
    module = part.game.networks[part.source]
    tensors = {**module.state_dict(), **part.buffers}
    prefix = "network." if inner(module) is not module else ""
    own = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    with replacing(file) as temporary:
        save_file(
            {name: tensor.detach().contiguous().clone() for name, tensor in own.items()},
            temporary,
            {KEY: json.dumps(said), "format": "pt"},
        )


def network(file: Path, loaded: Loaded) -> nn.Module:
    """The network of a file that `agekit export` wrote, in evaluation mode, on the CPU; no data is needed.

    Raises `RunError` where it is no such file, or its tensors are others; `RecipeError` where a plugin is missing.
    """
    try:
        with safe_open(file, framework="pt") as opened:
            said = (opened.metadata() or {}).get(KEY)
        tensors = load_file(file)
    except (OSError, SafetensorError) as error:
        raise RunError(f"{file} is no safetensors file: {error}") from error
    if said is None:
        raise RunError(f"{file} does not say how its network is built: agekit export writes files that do")
    try:
        head = Head.model_validate_json(said)
    except ValidationError as error:
        raise RunError(f"{file} says nothing sensible of how its network is built: it is damaged") from error
    recipe = bind(parse(head.recipe, file.name), loaded.registries, file.stem)
    if head.network not in recipe.networks:
        raise RunError(f"{file} is of a network {head.network!r}; {nearest(head.network, recipe.networks)}")
    module = Game(recipe, None, head.fields, torch.device("cpu")).networks[head.network]
    own = inner(module).state_dict()
    if problem := mismatch(own, tensors):
        raise RunError(f"{file} is of another network: {problem}")
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(tensors[name])
    return module.eval().requires_grad_(False)
