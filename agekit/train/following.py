"""The ranks that play along: the first one writes, shows, judges and decides, and they do as it says."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch

from .. import __version__
from ..data.places import cache_home
from ..errors import RunError
from ..game.bound import Recipe, lasting
from ..game.game import Game
from ..game.ranks import Ranks
from ..game.views import Gallery
from . import checkpoint as saved
from .compute import explained, own_device, prepare_compute
from .data import prepare_training
from .due import due_after
from .folder import RunFolder
from .sentinel import checks
from .signals import stop_signals
from .sources import load_programs

T = TypeVar("T")
SEEN_SECONDS = 60.0
"""So long it may take until what one machine wrote is seen by another."""


@dataclass
class Follower:
    """A game that is played along."""

    game: Game
    gallery: Gallery
    folder: RunFolder

    def play(self) -> bool:
        """Play to the end, or until the ranks are asked to stop; whether it came to its end."""
        game, ranks, stopping = self.game, self.game.ranks, False
        ranks.tell()
        with explained(game.recipe.compute), stop_signals(ranks) as stopped:
            while game.steps_done < game.total_steps and not stopping:
                game.step()
                due, stopping = due_after(game), ranks.any(stopped())
                if due.anything or stopping or checks(game):
                    self.restore(ranks.tell())
        return game.steps_done >= game.total_steps

    def restore(self, name: str | None) -> None:
        """Stand where the first rank does: at a checkpoint that it names, or where this one stands already."""
        if name is not None:
            state = saved.restore(saved.Checkpoint(self.folder.checkpoints / name), self.game, self.gallery)
            self.game.factors = state["sentinel"]["factors"]


def follow(recipe: Recipe, ranks: Ranks, cache: Path | None = None, *, trust: bool = False) -> Follower:
    """Come to where the first rank's run begins.

    Raises `RunError` where the ranks do not play the same game, or the run's folder is not seen from here.
    """
    check_alike(ranks, recipe)
    device = prepare_compute(own_device(recipe.compute, ranks.local, ranks.local_count))
    data = in_turn(ranks, lambda: prepare_training(recipe, cache or cache_home()))
    check_same(ranks, {"data": data.fingerprint})
    game = Game(recipe, data.arrays, data.fields, device, ranks=ranks)
    load_programs(game, trust=trust)
    path, name = ranks.tell()
    follower = Follower(game, Gallery(game), seen(Path(path), ranks))
    follower.restore(name)
    ranks.spread(tensor for _, tensor in game.named_tensors())
    return follower


def lead(folder: RunFolder, game: Game, *, restored: bool) -> None:
    """Bring all other ranks to where the first one's game stands: at its beginning, or at a checkpoint."""
    game.ranks.tell([str(folder.path.resolve()), saved.name_of(game) if restored else None])
    game.ranks.spread(tensor for _, tensor in game.named_tensors())


def in_turn(ranks: Ranks, prepare: Callable[[], T]) -> T:
    """What is prepared by one rank of each machine, while the others wait, and then found by them."""
    if ranks.local == 0:
        prepared = prepare()
        ranks.wait()
        return prepared
    ranks.wait()
    return prepare()


def check_alike(ranks: Ranks, recipe: Recipe) -> None:
    """Raise `RunError` where the ranks do not have one recipe and one software."""
    tree = json.dumps(lasting(recipe.document.tree), sort_keys=True, default=str)
    digest = hashlib.sha256(tree.encode()).hexdigest()
    check_same(ranks, {"agekit": __version__, "torch": torch.__version__, "recipe": digest})


def check_same(ranks: Ranks, own: Mapping[str, str]) -> None:
    """Raise `RunError` where some rank says another thing than the first."""
    first, *others = ranks.gather(own)
    for rank, other in enumerate(others, 1):
        for name in own:
            if other[name] != first[name]:
                raise RunError(
                    f"{name}: rank 0 has {first[name][:12]}, rank {rank} has {other[name][:12]}; one fits all"
                )


def seen(path: Path, ranks: Ranks) -> RunFolder:
    """The folder of the run. Raises `RunError` where it is not seen from here."""
    folder, end = RunFolder(path), time.monotonic() + SEEN_SECONDS
    while not folder.mark.is_file():
        if time.monotonic() > end:
            raise RunError(f"rank {ranks.rank} does not see {path}: --out names a folder that all machines share")
        time.sleep(0.1)
    return folder
