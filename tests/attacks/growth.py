"""Whether a long run grows: what is alive, open and taken after 5,000 steps, beside what was after 500."""

from __future__ import annotations

import gc
import os
import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from tests.runs import Quiet, begin
from tests.tiny import TINY

from .tally import Tally

FIRST, LAST = 500, 5000
SLACK_OBJECTS, SLACK_BYTES = 200, 16 << 20
"""What may come and go: caches that fill, and pages that the allocator keeps."""

SETTINGS = (
    "data.batch=4", "networks.g.width=1", "networks.e.width=1", "run.log_every=10", "run.pictures_every=250",
    "run.checkpoint_every=100", "sentinel.every=50",
)  # fmt: skip


@dataclass(frozen=True)
class Taken:
    """What a process has at some moment."""

    objects: int
    tensors: int
    files: int
    bytes: int

    def fits(self, later: Taken) -> bool:
        """Whether nothing has grown since."""
        more = later.objects - self.objects, later.bytes - self.bytes
        within = all(one <= slack for one, slack in zip(more, (SLACK_OBJECTS, SLACK_BYTES), strict=True))
        return within and (self.tensors, self.files) == (later.tensors, later.files)


def taken() -> Taken:
    """What this process has now."""
    gc.collect()
    objects = gc.get_objects()
    tensors = sum(issubclass(type(one), torch.Tensor) for one in objects)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return Taken(len(objects), tensors, len(os.listdir("/proc/self/fd")), pages * resource.getpagesize())


class Counting(Quiet):
    """A listener that notes what is taken after so many steps."""

    def __init__(self, *steps: int) -> None:
        super().__init__()
        self.steps, self.found = steps, list[Taken]()

    def stepped(self, run):
        if run.game.steps_done in self.steps:
            self.found.append(taken())


@contextmanager
def elsewhere() -> Iterator[None]:
    """Work in an empty folder, with a cache of its own."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="agekit-growth-") as folder:
        os.environ["AGEKIT_CACHE"] = str(Path(folder) / "cache")
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


def attack(tally: Tally, first: int = FIRST, last: int = LAST) -> None:
    """Play a long run, and compare."""
    with tally.attack(f"a long run: memory and files after {last:,} steps beside {first:,}") as found, elsewhere():
        counting = Counting(first, last)
        begin("long", TINY, counting, settings=[*SETTINGS, f"run.steps={last}"])
        before, after = counting.found
        print(f"{before}\n{after}")
        found.count(recovered=before.fits(after), about=f"{before} grew to {after}")
