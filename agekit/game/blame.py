"""Who is named where a component raises in the middle of something."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import torch
from torch import Tensor

from ..contracts import Reference
from ..errors import AgekitError, PluginError, told


@contextmanager
def blamed(where: str, component: object = None) -> Iterator[None]:
    """Meanwhile, what a component raises is a `PluginError` that names the place, the class, and the package it is of.

    Errors that are agekit's own, a lack of memory, and a `ValueError` of a component, by which it refuses what it is
    given, are left as they are; without a component, a `ValueError` is nobody's refusal.
    """
    try:
        yield
    except (AgekitError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        refuses = isinstance(error, ValueError) and component is not None
        if refuses or (isinstance(error, RuntimeError) and "alloc" in str(error)):
            raise
        made = f"{type(component).__name__} of {type(component).__module__.partition('.')[0]} " if component else ""
        raise PluginError(f"{where}: {made}raised {told(error)}") from error


def accused(reference: Reference) -> AbstractContextManager[None]:
    """Meanwhile, whatever a reference raises names it, a `ValueError` too: there is nothing that it may refuse."""
    return blamed(f"reference: {type(reference).__name__} of {type(reference).__module__.partition('.')[0]}")


def sampled(reference: Reference, count: int, generator: torch.Generator) -> Tensor:
    """Draws of a reference, [count, dim]."""
    with accused(reference):
        return reference.sample(count, generator=generator)
