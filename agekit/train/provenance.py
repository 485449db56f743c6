"""Where a run comes from: versions, plugins, data, seed, command."""

from __future__ import annotations

import platform
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import torch

from .. import __version__
from ..data.prepared import Prepared
from ..files import sha256_of
from ..game.bound import length_of
from ..game.cost import Cost
from ..game.game import Game
from ..game.work import work_of
from ..plugins import Loaded
from .data import RunData
from .sources import programs

PACKAGES = ("torch", "numpy", "pillow", "pluggy", "pydantic", "safetensors", "tensorboard")


def provenance(game: Game, data: RunData, loaded: Loaded, cost: Cost) -> dict[str, Any]:
    """All that is needed to tell whether two runs ran the same thing."""
    recipe, device = game.recipe, game.device
    return {
        "recipe": recipe.name,
        "seed": recipe.run.seed,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": [arg if index else "agekit" for index, arg in enumerate(sys.argv)],
        "agekit": __version__,
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "plugins": {plugin.name: plugin.version for plugin in loaded.plugins if not plugin.error},
        "programs": {n: {"file": str(f), "sha256": sha256_of(f)} for n, f in programs(game).items()},
        "device": str(device),
        "device_name": torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine(),
        "threads": torch.get_num_threads(),
        "ranks": game.ranks.count,
        "compute": {**recipe.compute.model_dump(exclude={"device", "threads"}), "compiled": game.compiled},
        "stages": [
            {
                "name": one.keys.name,
                "steps": length_of(one, len(data.training)),
                **asdict(work_of(one, game.scope, cost, recipe.compute.micro_batch)),
            }
            for one in recipe.stages
        ],
        "data": {
            "dataset": recipe.dataset_name,
            **_samples(data.training),
            "fields": {
                name: {"values": f.values, "shape": f.shape, "classes": f.classes, "mirrored": f.mirrored}
                for name, f in data.training.fields.items()
            },
            "held_out": {
                "options": recipe.document.tree["data"]["held_out"],
                **_samples(data.held_out),
                "doubles": data.doubles,
            }
            if data.held_out
            else None,
        },
        "origins": {".".join(map(str, key)): place for key, place in recipe.document.origins.items()},
    }


def _samples(data: Prepared) -> dict[str, Any]:
    return {
        "count": len(data),
        "dropped": len(data.dropped),
        "fingerprint": data.fingerprint,
        "prepared": data.folder.name,
    }
