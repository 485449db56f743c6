"""`--nproc N`: the processes of one machine, started, watched and started again by PyTorch's own elastic launcher."""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
import uuid
from collections.abc import Sequence

from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from ..errors import LostRank
from ..game.bound import Recipe
from ..game.fit import check_ranks
from ..game.ranks import Ranks
from ..game.scope import scope_of
from .compute import own_device
from .together import INTERRUPTED

STOPPING_SECONDS = 600
"""So long a step, and a checkpoint, may take after the ranks were asked to stop."""


def check_launch(recipe: Recipe, count: int) -> None:
    """Raise `AgekitError` where so many ranks cannot play a recipe on this machine."""
    own_device(recipe.compute, 0, count)
    check_ranks(recipe, scope_of(recipe), Ranks(0, count))


def launch(words: Sequence[str], count: int, restarts: int) -> int:
    """Run `agekit` with these words in so many processes; the status of all.

    Raises `LostRank` where they are gone without a word.
    """
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, len(os.sched_getaffinity(0)) // count)))
    os.environ.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", str(STOPPING_SECONDS))
    logging.disable(logging.CRITICAL)  # the ranks say themselves what is to be said
    with tempfile.TemporaryDirectory(prefix="agekit-ranks-") as logs:
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=count,
            run_id=f"agekit-{uuid.uuid4().hex}",
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",
            max_restarts=restarts,
            logs_specs=DefaultLogsSpecs(log_dir=logs),
        )
        try:
            elastic_launch(config, sys.executable)("-m", "agekit", *words)
        except SignalException:
            return INTERRUPTED
        except ChildFailedError as error:
            return _failed(error, count)
    return 0


def _failed(error: ChildFailedError, count: int) -> int:
    """The status where some rank ended badly; what is left to say is said where all were killed."""
    rank, first = error.get_first_failure()
    if first.exitcode == INTERRUPTED:
        return INTERRUPTED
    if any(one.exitcode > 0 for one in error.failures.values()):
        return 1
    by = signal.Signals(-first.exitcode).name
    raise LostRank(f"rank {rank} of {count}, process {first.pid}: ended by {by}; agekit resume goes on with its run")
