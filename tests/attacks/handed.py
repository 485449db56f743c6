"""Files that a stranger hands over, damaged: each is read, left out, or refused by name, in bounded time and memory."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from agekit.builtin.folder import ImageFolder
from agekit.contracts import BrokenSample
from agekit.data.images import decode
from agekit.data.prepare import prepare
from agekit.errors import DataError

from ..layouts import LAYOUTS
from ..test_data_sets import SETS
from . import data
from .judging import bounded
from .tally import Attack, Tally

SECONDS = 20.0


def files(tally: Tally, each: int) -> None:
    """So many damages to each file: pictures of all kinds, archives, data sets in their layouts, prepared arrays."""
    with tally.attack("pictures of every kind and mode, damaged") as attack:
        for kind, modes in data.MODES.items():
            for mode in modes:
                for blob in data.damages(data.encoded(data.of_mode(mode), kind), each):
                    _try(attack, f"{kind} {mode}", lambda blob=blob: decode(blob))  # type: ignore[misc]
    with tempfile.TemporaryDirectory() as name, tally.attack("archives of pictures, damaged") as attack:
        path = Path(name) / "pictures.zip"
        data.zip_of(path, {f"{n}.png": data.encoded(data.picture(seed=n), "PNG") for n in range(3)})
        _each(attack, path, 20 * each, lambda: _read_all(path))
    with tally.attack("files of data sets in their layouts, damaged") as attack:
        for name in sorted(set(SETS) - {"image_folder"}):
            with tempfile.TemporaryDirectory() as folder:
                _dataset(attack, name, Path(folder), each)
    with tempfile.TemporaryDirectory() as name, tally.attack("prepared data in the cache, damaged") as attack:
        root, cache = Path(name) / "pictures", Path(name) / "cache"
        root.mkdir()
        (root / "good.png").write_bytes(data.encoded(data.picture(), "PNG"))

        def again() -> Path:
            return prepare("image_folder", ImageFolder(root=str(root), size=8), cache, workers=1).folder

        for path in sorted(again().iterdir()):
            _each(attack, path, 5 * each, again)


def _dataset(attack: Attack, name: str, folder: Path, each: int) -> None:
    """Damage all files of a data set that are no pictures, and the first that is."""
    root, cache = folder / "root", folder / "cache"
    LAYOUTS[name](root, 5)
    paths = sorted(path for path in root.rglob("*") if path.is_file())
    pictures = [path for path in paths if path.suffix in (".JPEG", ".jpg")]
    for path in [path for path in paths if path not in pictures[1:]]:
        _each(attack, path, each, lambda: prepare(name, SETS[name](root=str(root)), cache, workers=1))


def _each(attack: Attack, path: Path, count: int, use: Callable[[], object]) -> None:
    """Damage a file in so many ways, and use it."""
    whole = path.read_bytes()
    for blob in data.damages(whole, count):
        path.write_bytes(blob)
        _try(attack, path.name, use)
    path.write_bytes(whole)


def _try(attack: Attack, about: str, use: Callable[[], object]) -> None:
    """Count a case: used all the same, told as what is wrong with the data, or lost by any other end."""
    try:
        with bounded(SECONDS):
            use()
    except (DataError, BrokenSample):
        attack.count(detected=True, about=about)
    except BaseException as error:  # noqa: BLE001 - whatever else it is, it is lost
        attack.count(about=f"{about}: {type(error).__name__}: {error}")
    else:
        attack.count(recovered=True, about=about)


def _read_all(path: Path) -> None:
    """Open an archive, and read each of its pictures."""
    source = ImageFolder(root=str(path), size=8).open()
    for index in range(len(source)):
        source.read(index)
