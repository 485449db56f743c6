"""Batch-norm of which the statistics are those of all ranks' samples together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from .ranks import Ranks, added


class Synchronised(TorchFunctionMode):
    """Meanwhile, batch-norm in training goes by the samples of all ranks, whichever layer applies it.

    `SyncBatchNorm` would replace layers, and takes no tensor on a CPU.
    """

    def __init__(self, ranks: Ranks) -> None:
        super().__init__()
        self.ranks = ranks

    def __torch_function__(
        self,
        call: Callable[..., Any],
        types: Sequence[type],
        given: Sequence[Any] = (),
        named: Mapping[str, Any] | None = None,
    ) -> Any:
        if call is functional.batch_norm:
            return synchronised(self.ranks, *given, **(named or {}))
        return call(*given, **(named or {}))


def synchronised(
    ranks: Ranks,
    values: Tensor,
    running_mean: Tensor | None,
    running_variance: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """`torch.nn.functional.batch_norm`, in training on the samples of all ranks: [n, c, …] -> [n, c, …].

    There two sums pass between the ranks: that of the values, and that of their squared distances from the mean.
    """
    if not training:
        return functional.batch_norm(
            values, running_mean, running_variance, weight, bias, training=False, momentum=momentum, eps=eps
        )
    wide = values if values.dtype == torch.float64 else values.float()
    axes = [axis for axis in range(wide.ndim) if axis != 1]
    shape = [1, -1, *[1] * (wide.ndim - 2)]
    here = wide.new_full((1,), wide.numel() / wide.shape[1])
    sums = added(torch.cat([wide.sum(axes), here]), ranks)
    mean, count = sums[:-1] / sums[-1], sums[-1]
    centred = wide - mean.view(shape)
    variance = added(centred.square().sum(axes), ranks) / count
    with torch.no_grad():
        for kept, now in ((running_mean, mean), (running_variance, variance * count / (count - 1))):
            if kept is not None:
                kept.lerp_(now.to(kept.dtype), momentum)
    scale = (variance + eps).rsqrt() * (1 if weight is None else weight)
    made: Tensor = centred * scale.view(shape) + (0 if bias is None else bias.view(shape))
    return made.to(values.dtype)
