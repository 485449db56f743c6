"""`agekit board`."""

from __future__ import annotations

import argparse
import os
import sys

from ..errors import AgekitError


def board(given: argparse.Namespace) -> int:
    """Open TensorBoard on a folder of runs; it listens on this machine's loopback address only."""
    if not given.runs.is_dir():
        raise AgekitError(f"{given.runs} is no folder of runs")
    if not 0 < given.port < 65536:
        raise AgekitError(f"--port {given.port}: a port is a number from 1 to 65535")
    print(
        f"TensorBoard on http://127.0.0.1:{given.port}/#custom_scalars (this machine only; Ctrl-C ends it)", flush=True
    )
    # -P: `-m` would put the folder we are in before all others, and a tensorboard.py that lies there would be run
    command = [sys.executable, "-P", "-m", "tensorboard.main", f"--logdir={given.runs}", "--host=127.0.0.1"]
    os.execv(sys.executable, [*command, f"--port={given.port}"])  # noqa: S606 - our own interpreter
