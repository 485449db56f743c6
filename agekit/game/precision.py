"""Full precision where it is due: losses and operators are computed in float32 or better, whatever networks are in."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import torch

PRECISIONS = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.float32, "fp64": torch.float64}
"""The type of weights and data; bf16 is entered inside the networks, by autocast."""


def exactly(device: torch.device) -> AbstractContextManager[object]:
    """Meanwhile, nothing is rounded to less than float32: no autocast, and no convolution in TF32."""
    without = torch.autocast(device.type, enabled=False)
    return _in_float32(without) if device.type == "cuda" else without


@contextmanager
def _in_float32(without: torch.autocast) -> Iterator[None]:
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        with without:
            yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def set_tf32(convolutions: bool) -> None:
    """Let convolutions on CUDA round to TF32, or not. Matrix products never do: divergences are made of them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Please use the new API", UserWarning)  # torch 2.7 has no other
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = convolutions
