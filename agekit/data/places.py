"""Where data lies when nobody says otherwise."""

from __future__ import annotations

import os
from pathlib import Path


def data_home() -> Path:
    """Where data sets are looked for: `$AGEKIT_DATA`, else `$XDG_DATA_HOME/agekit/datasets` (`~/.local/share`)."""
    chosen = os.environ.get("AGEKIT_DATA")
    return Path(chosen).expanduser() if chosen else _xdg("XDG_DATA_HOME", "~/.local/share") / "agekit" / "datasets"


def cache_home() -> Path:
    """Where prepared data sets are kept: `$AGEKIT_CACHE`, else `$XDG_CACHE_HOME/agekit` (`~/.cache`)."""
    chosen = os.environ.get("AGEKIT_CACHE")
    return Path(chosen).expanduser() if chosen else _xdg("XDG_CACHE_HOME", "~/.cache") / "agekit"


def _xdg(variable: str, fallback: str) -> Path:
    return Path(os.environ.get(variable) or fallback).expanduser()
