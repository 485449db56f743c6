"""Tensors that lie elsewhere, or otherwise: on another device, strided, channels last."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .subject import Broken, NotApplicable


def laid_out(tensor: Tensor) -> Tensor:
    """An equal tensor that is not contiguous: images channels last, as the engine lays them out; others by columns."""
    if tensor.ndim == 4:
        return tensor.to(memory_format=torch.channels_last)
    return tensor.mT.contiguous().mT if tensor.ndim > 1 else tensor


def on_meta(what: object, call: Callable[..., Tensor], tensors: tuple[Tensor, ...]) -> None:
    """Raise `Broken` where a call mixes the meta device, which has shapes alone, with the CPU.

    Raises `NotApplicable` where the call looks at values, which are not there.
    """
    try:
        made = call(*(tensor.to("meta") for tensor in tensors))
    except (RuntimeError, NotImplementedError) as error:
        if "expected device" in str(error) or "same device" in str(error):
            raise Broken(f"{what}: it makes tensors on the CPU whatever the device of its operands: {error}") from error
        raise NotApplicable(
            f"it looks at values, and the meta device has none: {str(error).splitlines()[0]}"
        ) from error
    if made.device.type != "meta":
        raise Broken(f"{what}: it returns a tensor on {made.device}, where its operands are on another device")
