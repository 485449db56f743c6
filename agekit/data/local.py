"""Data sets in files on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from agekit.contracts import Dataset, option
from agekit.errors import MissingData

from .places import data_home


class LocalDataset(Dataset):
    """A data set in files on this machine: `root` says where they are.

    `folder` is the name it is registered by, which is also its folder in the data home; `layout` says in words which
    files belong there, and `by_hand` how a person gets them. An empty `homepage` means that nobody publishes it.
    """

    folder: ClassVar[str]
    layout: ClassVar[str]
    by_hand: ClassVar[str] = ""

    root: str = option("", help="folder or archive that holds it; empty means its folder in the data home")

    def place(self) -> Path:
        """Where it is looked for."""
        return Path(self.root).expanduser() if self.root else data_home() / self.folder

    def missing(self) -> MissingData:
        """Say that the files are not there, what was found in their place, and the ways to get them."""
        place = self.place()
        ways = [f"agekit data get {self.folder}"] if self.downloads else []
        if self.homepage:
            ways.append(f"fetch it by hand from {self.homepage}" + (f" ({self.by_hand})" if self.by_hand else ""))
        ways.append("say where you have it: --set data.root=FOLDER")
        listed = "".join(f"\n  - {way}" for way in ways)
        return MissingData(
            f"{self.folder} is not in {place}: {_found(place)}, where {self.layout} would be.\nTo get it:{listed}"
        )


def _found(place: Path) -> str:
    if not place.exists():
        return "there is no such folder"
    if not place.is_dir():
        return "it is a file of another kind"
    names = sorted(entry.name for entry in place.iterdir())
    shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
    return f"there is {shown}" if names else "the folder is empty"
