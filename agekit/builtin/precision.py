"""Full precision for mathematics, whatever the networks computed in, and loops that no compiler unrolls."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar, cast

import torch
from torch import Tensor
from torch._compile import _disable_dynamo

Call = TypeVar("Call", bound=Callable[..., Tensor])
Function = TypeVar("Function", bound=Callable[..., Any])


def full_precision(call: Call) -> Call:
    """Run a method outside autocast, with its tensor arguments in float32, or in float64 where they come so.

    Means and variances over a batch lose their digits in bfloat16, and a divergence is little more than these.
    """

    @functools.wraps(call)
    def precise(*operands: Any, **others: Any) -> Tensor:
        device = next(operand.device.type for operand in operands if isinstance(operand, Tensor))
        with _no_autocast(device):
            return call(*(_widened(operand) for operand in operands), **others)

    return cast(Call, precise)


def uncompiled(call: Function) -> Function:
    """Keep a function out of compiled graphs, into which its loop would be unrolled, or its table computed anew."""
    # torch.compiler.disable would import the compiler here and now: a second, in every command that loads the built-ins
    return cast(Function, _disable_dynamo(call))


def _no_autocast(device: str) -> AbstractContextManager[Any]:
    # The meta device, on which shapes are worked out, knows no autocast and refuses even to turn it off; to ask torch
    # which devices know it is what its compiler cannot trace before 2.13.
    return nullcontext() if device == "meta" else torch.autocast(device, enabled=False)


def _widened(operand: Any) -> Any:
    if not isinstance(operand, Tensor) or operand.dtype in (torch.float32, torch.float64):
        return operand
    return operand.float()
