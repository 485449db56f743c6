"""`agekit plugin new`."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from string import Template

from .. import __version__
from ..contracts import SHELVES
from ..errors import AgekitError, nearest
from ..files import write_text
from ..plugins import Loaded
from ..recipe.find import shipped
from ..report.console import command, shorten
from . import common

STARTERS = Path(__file__).parent / "starters"
"""A component of each kind, its recipe, and what is around it; `$name` and the like stand for what is asked for."""

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*\Z")
PREFIX = "agekit-"


def new(given: argparse.Namespace) -> int:
    """Write a package with one component, a recipe that uses it and a test of its promises, ready to be installed."""
    loaded = common.plugins()
    words = _words(given.name, given.kind, loaded)
    folder = (given.to or Path()) / words["project"]
    try:
        _write(folder, words)
    except FileExistsError:
        raise AgekitError(f"{folder} is there already, and is left as it is") from None
    except OSError as error:
        raise AgekitError(f"{folder} cannot be written: {error}") from error
    shown = shorten(folder)
    print(f"{shown}  a plugin with the {words['key']} {words['name']}")
    print(f"  pip install -e {shown}")
    print(f"  pytest {shown}")
    print(f"  {command()} run {words['name']}")
    return 0


def kinds() -> list[str]:
    """The kinds of component that there is a starter for."""
    return sorted(shelf.key for shelf in SHELVES if (STARTERS / f"{shelf.key}.py.txt").is_file())


def _words(given: str, kind: str, loaded: Loaded) -> dict[str, str]:
    """What the starters' placeholders stand for. Raises `AgekitError` where the name or the kind cannot be used."""
    if kind not in kinds():
        raise AgekitError(f"--kind {kind!r}: {nearest(kind, kinds())}")
    dashed = given.removeprefix(PREFIX)
    if not NAME.match(dashed):
        fitting = "-".join(re.findall(r"[a-z0-9]+", dashed.lower())).lstrip("0123456789-") or "my-divergence"
        raise AgekitError(f"{given!r} is no name for a plugin: {fitting} would be one")
    shelf = next(shelf for shelf in SHELVES if shelf.key == kind)
    name = dashed.replace("-", "_")
    _check_free(name, dashed, shelf.name, loaded)
    oldest, following = _versions()
    return {
        "name": name,
        "title": "".join(part.capitalize() for part in dashed.split("-")),
        "package": f"agekit_{name}",
        "project": f"{PREFIX}{dashed}",
        "key": kind,
        "shelf": shelf.name,
        "oldest": oldest,
        "next": following,
    }


def _check_free(name: str, dashed: str, shelf: str, loaded: Loaded) -> None:
    """Raise `AgekitError` where something installed has the name already."""
    entries = loaded.registries.shelves[shelf].entries
    owner = entries[name].owner if name in entries else ""
    owner = owner or next((plugin.name for plugin in loaded.plugins if plugin.name == name), "")
    if owner or name in shipped(loaded.recipes):
        what = f"taken by {owner}" if owner else "that of a recipe"
        raise AgekitError(f"the name {name} is {what}: my-{dashed} would be free")


def _versions() -> tuple[str, str]:
    """This minor version, and the one after it, where the interface may change."""
    major, minor, *_ = __version__.split(".")
    return f"{major}.{minor}", f"{major}.{int(minor) + 1}"


def _write(folder: Path, words: dict[str, str]) -> None:
    """Write the package. Raises `FileExistsError` where the folder is there."""
    kind, package = words["key"], folder / words["package"]
    tables = _filled(f"{kind}.toml", words)
    whole = {**words, "body": _filled(f"{kind}.py", words), "tables": f"{tables}\n" if tables else ""}
    whole["data"] = f'dataset  = "{words["name"]}"\n' if kind == "dataset" else ""
    files = {
        folder / "pyproject.toml": "pyproject.toml",
        folder / "README.md": "README.md",
        folder / "tests" / "test_conformance.py": "test_conformance.py",
        package / "__init__.py": "plugin.py",
        package / "recipes" / f"{words['name']}.toml": "recipe.toml",
    }
    folder.mkdir(parents=True)
    for path, starter in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, _filled(starter, whole))


def _filled(starter: str, words: dict[str, str]) -> str:
    return Template((STARTERS / f"{starter}.txt").read_text(encoding="utf-8")).substitute(words)
