"""What `[compute]` comes to on a device: everything that a recipe leaves open, chosen."""

from __future__ import annotations

import torch

from ..recipe.tables import Compute

AMPERE = (8, 0)
"""From this capability on, CUDA devices multiply in TF32."""


def settle(compute: Compute, device: torch.device, ranks: int = 1) -> Compute:
    """The same with its choices made; what a device does not have is not chosen for it.

    >>> settled = settle(Compute(), torch.device("cpu"))
    >>> settled.precision, settled.graphs
    ('fp32', False)
    """
    cuda = device.type == "cuda"
    precision = compute.precision
    if precision == "auto":
        precision = "tf32" if cuda and torch.cuda.get_device_capability(device) >= AMPERE else "fp32"
    graphs = cuda and ranks == 1 and compute.graphs is not False
    compiled = compute.compile and ranks == 1  # several synchronise batch-norm in a way that is not compiled
    return compute.model_copy(update={"precision": precision, "graphs": graphs, "compile": compiled})
