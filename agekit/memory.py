"""Memory: what is free, and what was asked for where it did not suffice. No torch in here."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import resource
from contextlib import suppress
from functools import cache
from pathlib import Path

PROCESS, MACHINE, GROUP = Path("/proc/self/statm"), Path("/proc/meminfo"), Path("/sys/fs/cgroup")
"""What Linux tells of this process, of the machine, and of the group of processes that a container is."""

LIMITS = (resource.RLIMIT_AS, 0), (resource.RLIMIT_DATA, 5)
"""The limits of a process, and where `statm` says how far it is: all addresses, and data."""

SHORT = re.compile(
    r"allocate memory|not enough memory|out of memory|ALLOC_FAILED|bad_alloc|unable to mmap|Unable to allocate", re.I
)
ASKED = re.compile(r"(?:tried to allocate|Unable to allocate|unable to mmap) ([\d.]+) ([KMGTP]?i?B|bytes)", re.I)
FREE = re.compile(r"of which ([\d.]+) ([KMGTP]?i?B|bytes) is free", re.I)
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""The parameters of mallopt(3)."""

TRIMMED_BYTES, MAPPED_BYTES = 128 << 20, (2 << 20) + (16 << 10)
"""So much has to be free at the end of the heap to be handed back. What is larger than the latter, as tensors over
2 MiB are, is no part of the heap and leaves no hole in it."""

UNITS = {letter: 1024**power for power, letter in enumerate("bkmgtp")}


def free_bytes() -> int | None:
    """The memory that this process may still take, of the machine, its group, its limits; None where none tells."""
    free = [] if not MACHINE.exists() else [_of_machine()]
    most = GROUP / "memory.max"
    if most.exists() and most.read_text().strip().isdigit():
        kept = dict(line.split() for line in (GROUP / "memory.stat").read_text().splitlines())
        used = int((GROUP / "memory.current").read_text()) - int(kept["inactive_file"])  # that is given back if asked
        free.append(int(most.read_text()) - used)
    if PROCESS.exists():
        pages = PROCESS.read_text().split()
        limits = [(resource.getrlimit(kind)[0], int(pages[place]) * resource.getpagesize()) for kind, place in LIMITS]
        free += [limit - used for limit, used in limits if limit != resource.RLIM_INFINITY]
    return max(0, min(free)) if free else None


def _of_machine() -> int:
    fields = dict(line.split(":") for line in MACHINE.read_text().splitlines())
    return int(fields["MemAvailable"].split()[0]) * 1024


def lacking(error: BaseException) -> str | None:
    """What was asked for and what was there, where an error is of memory that does not suffice; None for others.

    >>> lacking(RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has 4 of which 1.50 GiB is free."))
    'the device has too little memory: 2.15 GB more were asked for, and 1.61 GB are free'
    """
    said = str(error)
    known = isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
    if not known and not (isinstance(error, RuntimeError) and SHORT.search(said)):
        return None
    device = any(word in said for word in ("CUDA", "CUBLAS", "CUDNN", "GPU"))
    asked, told = ASKED.search(said), FREE.search(said)
    free = _bytes(told) if told else None if device else free_bytes()
    parts = [f"{_bytes(asked) / 1e9:.3g} GB more were asked for"] if asked else []
    parts += [f"{free / 1e9:.3g} GB are free"] if free is not None else []
    place = "the device" if device else "this machine"
    return f"{place} has too little memory{': ' if parts else ''}{', and '.join(parts)}"


def _bytes(found: re.Match[str]) -> float:
    return float(found[1]) * float(UNITS[found[2][0].lower()])


@cache
def keep_memory() -> None:
    """Let what is freed stay with this process, where the C library is glibc and the user has not said otherwise.

    By default its allocator hands the end of its heap back to the system again and again, and has the pages zeroed anew
    for the next tensors: a fifth of a step on a CPU. It also learns to keep large tensors in the heap, whose holes then
    are a fourth of what a game takes. See mallopt(3).
    """
    said = os.environ.get("GLIBC_TUNABLES", "").partition("glibc.malloc.")[1]
    if said or os.environ.keys() & {"MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"}:
        return
    with suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        if mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES):
            mallopt(M_TRIM_THRESHOLD, TRIMMED_BYTES)
