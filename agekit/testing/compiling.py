"""torch.compile, as the checks use it: afresh, in a graph that is run as it is, and in silence."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from .subject import NotApplicable


@contextmanager
def compiled(call: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """A call, or a module, compiled; what the compiler has to say about itself is no matter of the component.

    Raises `NotApplicable` where the compiler itself breaks down.
    """
    from torch._dynamo.exc import InternalTorchDynamoError  # the compiler takes a second to import

    torch.compiler.reset()
    log = logging.getLogger("torch._dynamo")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield torch.compile(call, backend="eager", dynamic=False)
    except InternalTorchDynamoError as error:
        raise NotApplicable(f"torch.compile itself breaks down on it: {str(error).splitlines()[0]}") from error
    finally:
        log.setLevel(level)
