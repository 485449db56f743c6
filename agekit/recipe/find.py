"""Finding recipes: a file, or the name of one that agekit or a plugin ships."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..errors import Problem, RecipeError, nearest, shortened

SHIPPED = Path(__file__).resolve().parent.parent / "recipes"
"""Where the wheel puts the recipes; in a checkout they lie beside the package."""


def shipped(folders: Iterable[Path] = ()) -> dict[str, Path]:
    """The recipes that come with agekit and its plugins, by name."""
    own = SHIPPED if SHIPPED.is_dir() else SHIPPED.parent.parent / "recipes"
    found: dict[str, Path] = {}
    for folder in (own, *folders):
        for path in sorted(folder.glob("*.toml")):
            found.setdefault(path.stem, path)
    return found


def find(name: str, folder: Path, folders: Iterable[Path] = ()) -> Path:
    """The file that a name means, seen from a folder: a path, or a shipped recipe with or without `.toml`.

    Raises `RecipeError`, naming the nearest recipe, where there is none.
    """
    path = folder / name
    try:
        if path.is_file():
            return path
    except OSError as error:  # a name too long, a folder that may not be entered
        raise RecipeError([Problem("", f"no such recipe: {shortened(name)}: {error.strerror}")]) from error
    known = shipped(folders)
    stem = Path(name).stem if Path(name).name == name else ""
    if stem in known:
        return known[stem]
    message = f"no such recipe: {shortened(name)}; {nearest(stem or Path(name).stem, known)}"
    raise RecipeError([Problem("", message, unknown_component=bool(stem))])
