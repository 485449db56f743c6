"""Memory: no more is taken than what is free, and what does not fit is refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import ComputeError

SHARE = 0.9
"""Of what is free: the rest is left to whatever else runs."""

PROCESS, MACHINE, GROUP = Path("/proc/self/statm"), Path("/proc/meminfo"), Path("/sys/fs/cgroup")
"""What Linux tells of this process, of the machine, and of the group of processes that a container is."""


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
    limits = [used + int(SHARE * free_bytes()), *(limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY)]
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
        if not isinstance(error, MemoryError) and "allocate memory" not in str(error):
            raise
    else:
        return
    raise OutOfMemory(f"{what} needs more memory than the {free_bytes() / 1e9:.1f} GB that are free")


def free_bytes() -> int:
    """The memory that this process may still take, as Linux tells: of the machine, and of its group."""
    fields = dict(line.split(":") for line in MACHINE.read_text().splitlines())
    free = int(fields["MemAvailable"].split()[0]) * 1024
    most = GROUP / "memory.max"
    if most.exists() and most.read_text().strip().isdigit():
        kept = dict(line.split() for line in (GROUP / "memory.stat").read_text().splitlines())
        used = int((GROUP / "memory.current").read_text()) - int(
            kept["inactive_file"]
        )  # that is given back if asked for
        free = min(free, int(most.read_text()) - used)
    return max(0, free)
