"""Reading a network back from one safetensors file, which says how the network is built."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from pydantic import BaseModel, TypeAdapter, ValidationError
from safetensors.torch import save_file
from torch import nn

from ..contracts import DataField
from ..errors import RunError, nearest
from ..files import replacing, sealed
from ..game.check import bind
from ..game.game import Game
from ..game.samples import sha256_of_tensors
from ..plugins import Loaded
from ..recipe.source import parse
from ..train.checkpoint import mismatch
from ..train.sources import KEY, inner, read_weights
from .parts import Part
from .recipe import portable

FIELDS = TypeAdapter(dict[str, DataField])


class Head(BaseModel):
    """What a file says of its network, as far as it is read again."""

    network: str
    recipe: str
    fields: dict[str, DataField]


def write_network(part: Part, file: Path) -> None:
    """Write a network's weights, with its recipe, its data's fields and hashes in the file's head.

    The tensors are those that `from` of a recipe takes.
    """
    module = part.game.networks[part.source]
    tensors = {**module.state_dict(), **part.buffers}
    prefix = "network." if inner(module) is not module else ""
    own = {name.removeprefix(prefix): tensor.detach().contiguous().clone() for name, tensor in tensors.items()}
    said = {
        "network": part.name,
        "statistics": part.statistics,
        "weights": part.weights,
        "recipe": portable(part.game.recipe.document.tree),
        "fields": FIELDS.dump_python(dict(part.game.fields), mode="json"),
        "tensors": sha256_of_tensors(own),
    }
    with replacing(file) as temporary:
        save_file(own, temporary, {KEY: json.dumps(sealed(said)), "format": "pt"})


def network(file: Path, loaded: Loaded) -> nn.Module:
    """The network of a file that `agekit export` wrote, in evaluation mode, on the CPU; no data is needed.

    Raises `RunError` where it is no such file, or its tensors are others; `RecipeError` where a plugin is missing.
    """
    tensors, said = read_weights(file)
    if said is None:
        raise RunError(f"{file} does not say how its network is built: agekit export writes files that do")
    try:
        head = Head.model_validate(said)
    except ValidationError as error:
        raise RunError(f"{file} says nothing sensible of how its network is built: {error}") from error
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
