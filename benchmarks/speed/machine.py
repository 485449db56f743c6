"""Where something was measured, in words."""

from __future__ import annotations

import os
import platform
import re
from datetime import UTC, datetime
from pathlib import Path

import torch

from agekit import __version__

FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "bf16")
"""Of a processor's abilities, those that its speed in float32 and bfloat16 depends on."""


def cpu_info() -> str:
    """What the system tells of its processors; nothing where it does not."""
    file = Path("/proc/cpuinfo")
    return file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""


def flags() -> list[str]:
    """The abilities of the processor that count here."""
    found = re.search(r"^(?:flags|Features)\s*:\s*(.*)$", cpu_info(), re.MULTILINE)
    return [flag for flag in FLAGS if found and flag in found[1].split()]


def cores() -> int:
    """The processors that this process may use, which in a container may be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine(device: torch.device, threads: int) -> dict[str, str]:
    """The machine and the versions, by name."""
    model = re.search(r"^model name\s*:\s*(.*)$", cpu_info(), re.MULTILINE)
    name = model[1] if model else platform.processor() or platform.machine()
    told = {
        "processor": f"{name}, {cores()} cores ({', '.join(flags()) or 'no flags told'})",
        "threads": str(threads),
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "versions": f"agekit {__version__}, torch {torch.__version__}",
        "date": datetime.now(UTC).date().isoformat(),
    }
    if device.type == "cuda":
        memory = torch.cuda.get_device_properties(device).total_memory / 2**30
        cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
        cuda = f"CUDA {torch.version.cuda}, cuDNN {cudnn}"
        told = {"device": f"{torch.cuda.get_device_name(device)}, {memory:.0f} GiB ({cuda})", **told}
    return told


def slug(device: torch.device) -> str:
    """A device's name, as a file can have it.

    >>> slug(torch.device("cpu"))
    'cpu'
    """
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
