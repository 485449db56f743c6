"""Memory: no more is taken than what is free, and what does not fit is refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import ComputeError
from ..memory import PROCESS, free_bytes, lacking

SHARE = 0.9
"""Of what is free: the rest is left to whatever else runs."""


class OutOfMemory(ComputeError, ValueError):
    """Codes, or what is computed of them, do not fit: a refusal of these codes, as every `ValueError` is."""


@contextmanager
def limited() -> Iterator[None]:
    """Hold this process to the memory that is free now, so that it is not ended for taking all; only Linux can.

    Raises `OutOfMemory` where that does not suffice.
    """
    if not PROCESS.exists():
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    used = int(PROCESS.read_text().split()[5]) * resource.getpagesize()
    limits = [
        used + int(SHARE * (free_bytes() or 0)),
        *(limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY),
    ]
    resource.setrlimit(resource.RLIMIT_DATA, (min(limits), hard))
    try:
        with refusing("what is asked for"):
            yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


@contextmanager
def refusing(what: str) -> Iterator[None]:
    """Raise `OutOfMemory`, which says what does not fit, where torch or numpy is not given what it asks for."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if lacking(error) is None:
            raise
    else:
        return
    raise OutOfMemory(f"{what} needs more memory than the {(free_bytes() or 0) / 1e9:.1f} GB that are free")
