"""What several commands share: loading plugins, reading recipes, what flags set."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import AgekitError
from ..game.bound import Recipe
from ..game.load import load_recipe
from ..plugins import Loaded, load
from ..printable import one_line
from . import arguments

if TYPE_CHECKING:
    from ..report.console import RunConsole

FLAGS = {
    "steps": "run.stop_after",
    "seed": "run.seed",
    **{
        name: f"compute.{name}"
        for name in ("device", "precision", "micro_batch", "channels_last", "compile", "graphs", "deterministic")
    },
}
"""The keys that flags set."""


def plugins() -> Loaded:
    """Everything installed; what is broken is named on standard error, and fatal only to those who need it."""
    gc.disable()  # what is imported stays: to look through it for garbage again and again takes a sixth of the start
    try:
        loaded = load(arguments.own())
    finally:
        gc.enable()
    for plugin in loaded.broken:
        said = one_line(f"plugin {plugin.name} ({plugin.origin}) is broken: {plugin.error}")
        print(f"warning: {said}", file=sys.stderr)
    return loaded


def recipe(name: str, settings: Iterable[str], loaded: Loaded, flags: Mapping[str, str] | None = None) -> Recipe:
    """Find a recipe and load it. Raises `RecipeError` with all its problems."""
    return load_recipe(name, loaded, settings, flags)


def said_by_flags(given: argparse.Namespace) -> dict[str, str]:
    """The settings of the flags that were given, by flag."""
    said = {name: getattr(given, name, None) for name in FLAGS}
    values = {name: str(value).lower() if isinstance(value, bool) else value for name, value in said.items()}
    return {
        f"--{name.replace('_', '-')}": f"{FLAGS[name]}={value}" for name, value in values.items() if value is not None
    }


def writable(path: Path) -> Path:
    """A file's path whose folder is there and can be written. Raises `AgekitError` where it cannot."""
    if path.is_dir():
        raise AgekitError(f"{path} cannot be written: it is a folder")
    folder = path.resolve().parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise AgekitError(f"{path} cannot be written: {folder} is no folder that can be written to")
    return path


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Meanwhile, what the disk refuses is an `AgekitError` that names the file."""
    try:
        yield
    except OSError as error:
        raise AgekitError(f"{error.filename or path} cannot be written: {error.strerror or error}") from error


@contextmanager
def watched(console: RunConsole) -> Iterator[None]:
    """Meanwhile a console may show how far work is; whatever happens, its live lines are taken away."""
    try:
        yield
    finally:
        console.stop(keep=False)
