"""A recipe without the places of one machine."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w


def portable(tree: Mapping[str, Any]) -> str:
    """A resolved recipe as text, without the folder of the data, and with bare names of what networks came from."""
    kept: dict[str, Any] = copy.deepcopy(dict(tree))
    for table in (kept, *kept.get("stages", ())):
        data = table.get("data", {})
        for place in (data, data.get("held_out")):
            if isinstance(place, dict):
                place.pop("root", None)
        for network in table.get("networks", {}).values():
            if isinstance(network, dict) and "from" in network:
                network["from"] = Path(network["from"]).name
    kept["compute"] = {**kept.get("compute", {}), "device": "auto"}
    return tomli_w.dumps(kept)
