"""A game that several processes play: how they come together, and how they part where one of them fails."""

from __future__ import annotations

import atexit
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial

import torch
import torch.distributed as dist

from ..errors import AgekitError, ComputeError, LostRank
from ..game.ranks import Ranks, lost
from ..recipe.tables import Compute
from .compute import choose_device, own_device
from .meeting import Meeting, meet
from .place import Place

WITHOUT_END = timedelta(days=365)
INTERRUPTED = 130


def play_together(place: Place, again: str, play: Callable[[Meeting], int]) -> int:
    """The status that `play` comes to on the ranks of this launch, which it calls to `join`.

    Where one fails, one of them raises an `AgekitError` that says so, and the others leave the word to it. `again` is
    the command that goes on with a run, with {} where its folder belongs.
    """
    leave = _Leave()
    meeting = meet(place)
    if meeting.ended is not None:
        return meeting.ended
    try:
        status = play(meeting)
        if meeting.ranks:
            meeting.ranks.any(said=False)  # whoever were done and gone would be missed by the others
    except LostRank as error:
        leave.soon(1)
        if said := meeting.answered(partial(_last_word, meeting, error, again)):
            raise LostRank(said) from error
        return 1
    except AgekitError as error:
        leave.soon(1)

        def ends() -> bool:
            meeting.ends(1)
            return meeting.speaks()

        if meeting.answered(ends):
            raise error if place.rank == 0 else AgekitError(f"{meeting.name(place.rank)}: {error}") from error
        return 1
    except KeyboardInterrupt:
        leave.soon(INTERRUPTED)
        if place.rank == 0:
            raise
        return INTERRUPTED
    if dist.is_initialized():
        dist.destroy_process_group()
    leave.status = status
    return status


class _Leave:
    """An end of the process that waits for nobody, after whatever else was asked for as it ends.

    For the threads of the groups would be waited for where something is still under way between them, in vain; and
    where nothing is, they abort the process now and then as they are taken down.
    """

    def __init__(self) -> None:
        self.status: int | None = None
        atexit.register(self)

    def __call__(self) -> None:
        if self.status is not None:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            os._exit(self.status)

    def soon(self, status: int) -> None:
        """Have time for a last word, though the launcher ends all where one has ended."""
        self.status = status
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)


def join(meeting: Meeting, compute: Compute) -> Ranks:
    """The ranks of a meeting, connected. Raises `ComputeError` where they have no devices, or of several kinds."""
    place, patience = meeting.place, timedelta(seconds=compute.patience)
    device = choose_device(own_device(compute, place.local, place.local_count).device)
    with lost():
        dist.init_process_group("gloo", store=meeting.store, rank=place.rank, world_size=place.count, timeout=patience)
        votes, words = dist.group.WORLD, dist.new_group(backend="gloo", timeout=WITHOUT_END)
    ranks = Ranks(place.rank, place.count, votes, votes, words, patience, place.local, place.local_count)
    kinds = ranks.gather(device.type)
    if other := [rank for rank, kind in enumerate(kinds) if kind != kinds[0]]:
        said = f"{meeting.name(other[0])}, is on {kinds[other[0]]}, and {meeting.name(0)}, on {kinds[0]}"
        raise ComputeError(f"{said}: --device names one kind for all")
    if device.type == "cuda":
        torch.cuda.set_device(device)
        with lost():
            ranks = replace(ranks, tensors=dist.new_group(backend="nccl", timeout=patience))
    meeting.ranks = ranks
    return ranks


def _last_word(meeting: Meeting, error: LostRank, again: str) -> str | None:
    """What this rank has to say of ranks that are lost, if it is the one to speak."""
    absent = meeting.absent()
    return _said(meeting, absent, error, again) if meeting.speaks() else None


def _said(meeting: Meeting, absent: list[int], error: LostRank, again: str) -> str:
    """Who is gone, and what to do."""
    patience = meeting.ranks.patience.total_seconds() if meeting.ranks else 0
    how = f"no answer for {patience:.0f} s (compute.patience)" if "imed out" in str(error) else "it has ended"
    said = f"{'; '.join(map(meeting.name, absent))}: {how}" if absent else f"the ranks have lost one another: {error}"
    run = meeting.begun
    if meeting.place.restarts:
        return f"{said}; the launcher starts all ranks again"
    return f"{said}; to go on from the last checkpoint: {again.format(run)}" if run else said
