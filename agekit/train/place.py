"""Where this process stands among those that a launcher started together."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ..errors import ComputeError

RANK = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
LOCAL = ("LOCAL_RANK", "LOCAL_WORLD_SIZE")


@dataclass(frozen=True)
class Place:
    """A process's number among all, and among those of its machine; `host` and `port` are where they meet."""

    rank: int
    count: int
    local: int
    local_count: int
    host: str
    port: int

    @property
    def restarts(self) -> bool:
        """Whether the launcher would start the processes again where one ends."""
        done, most = (int(os.environ.get(f"TORCHELASTIC_{name}", 0)) for name in ("RESTART_COUNT", "MAX_RESTARTS"))
        return done < most


def launched() -> Place | None:
    """What `torchrun`, or whatever launches as it does, says in the environment; None where nothing launched this.

    Raises `ComputeError` where it is said in part.
    """
    said = {name: os.environ.get(name) for name in (*RANK, *LOCAL)}
    if not all(said[name] for name in RANK):
        return None
    for name in LOCAL:
        if not said[name]:
            raise ComputeError(f"{', '.join(RANK)} are set, and {name} is not: torchrun sets them all")
    try:
        rank, count, local, local_count, port = (
            int(said[name] or "") for name in ("RANK", "WORLD_SIZE", *LOCAL, "MASTER_PORT")
        )
    except ValueError as error:
        raise ComputeError(f"the ranks in the environment are no numbers: {error}") from None
    return Place(rank, count, local, local_count, said["MASTER_ADDR"] or "", port)
