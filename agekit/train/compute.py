"""Where a game is played: the device, its precision, its threads."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from ..errors import ComputeError, PluginError
from ..game.precision import set_tf32
from ..game.settle import settle
from ..memory import keep_memory, lacking
from ..recipe.tables import Compute

CPU_INFO = Path("/proc/cpuinfo")


def prepare_compute(compute: Compute) -> torch.device:
    """Set torch up as the recipe says, for the whole process, and return the device.

    Raises `ComputeError` where the device is not there.
    """
    device = choose_device(compute.device)
    if compute.threads is not None:
        torch.set_num_threads(compute.threads)
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        set_tf32(settle(compute, device).precision == "tf32")
        torch.backends.cudnn.benchmark = not compute.deterministic
        if device.index is not None:
            torch.cuda.set_device(device)  # torch keeps the states of generators that are recorded on the current one
    else:
        keep_memory()
    torch.use_deterministic_algorithms(compute.deterministic)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # an eighth of a small step
    return device


def choose_device(wanted: str) -> torch.device:
    """The device that a recipe names. Raises `ComputeError`, saying which there are, where it is not there."""
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    devices = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    if wanted not in ["cpu", *devices, *(["cuda"] if devices else [])]:
        raise ComputeError(f"device {wanted!r} is not there; here are {', '.join(['cpu', *devices])}")
    return torch.device(wanted)


def own_device(compute: Compute, local: int, local_count: int) -> Compute:
    """The table of one rank: on CUDA each rank of a machine has a device of its own.

    Raises `ComputeError` where the machine has fewer devices than ranks.
    """
    device = choose_device(compute.device)
    if device.type == "cpu" or local_count == 1:
        return compute
    if device.index is not None:
        raise ComputeError(
            f"device {compute.device!r} is one, and {local_count} ranks play on this machine: cuda gives each its own"
        )
    if local_count > torch.cuda.device_count():
        there = f"{torch.cuda.device_count()} CUDA devices for {local_count} ranks"
        raise ComputeError(f"this machine has {there}: fewer ranks fit, or --device cpu")
    return compute.model_copy(update={"device": f"cuda:{local}"})


def describe(device: torch.device, compute: Compute, chosen: Compute | None = None) -> str:
    """The device, and all that was `chosen` for it, in words; and what was asked for and is not."""
    cuda, chosen = device.type == "cuda", chosen or settle(compute, device)
    count = torch.get_num_threads()
    threads = f"{count} thread{'' if count == 1 else 's'}"
    here = torch.cuda.get_device_name(device) if cuda else f"CPU ({platform.machine()}, {threads})"
    said = [
        here,
        "fp32 (tf32 is for CUDA)" if chosen.precision == "tf32" and not cuda else chosen.precision,
        *(["slowly, for want of instructions"] if chosen.precision == "bf16" and not cuda and not has_bf16() else []),
        *(["channels last"] if chosen.channels_last else []),
        *(["compiled"] if chosen.compile else ["not compiled (several ranks are not)"] if compute.compile else []),
        *(["CUDA graphs"] if chosen.graphs else ["no CUDA graphs"] if cuda or compute.graphs is True else []),
        *([f"portions of {compute.micro_batch}"] if compute.micro_batch else []),
        *([] if chosen.deterministic else ["not repeatable"]),
    ]
    return ", ".join(said)


def has_bf16() -> bool:
    """Whether this processor has instructions for bfloat16; it is taken to, where the system does not tell."""
    text = CPU_INFO.read_text(encoding="utf-8", errors="replace") if CPU_INFO.exists() else ""
    found = re.search(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE)
    return found is None or "bf16" in found[1]


@contextmanager
def explained(compute: Compute, left: Callable[[], str] = str) -> Iterator[None]:
    """Meanwhile, a lack of memory, or of a repeatable operation, is a `ComputeError` that names what helps.

    Where memory lacks it says, too, what is `left` of the work.
    """
    try:
        yield
    except (MemoryError, OSError, RuntimeError, PluginError) as error:
        if said := lacking(error):
            raise ComputeError(f"{said}; {'; '.join(filter(None, (_smaller(compute), left())))}") from error
        if compute.deterministic and "deterministic" in str(error):
            said = str(error).partition(". ")[0]
            raise ComputeError(
                f"{said}; compute.deterministic=false allows it, and gives up repeatable bytes"
            ) from error
        if type(error.__cause__ or error).__module__.startswith(("torch._dynamo", "torch._inductor")):
            raise ComputeError(f"a network cannot be compiled: {error}; compute.compile=false does without") from error
        raise


def _smaller(compute: Compute) -> str:
    """What needs less memory, the least harmful first: a batch in portions has the same gradients."""
    portions = (
        f"a smaller compute.micro_batch than {compute.micro_batch}" if compute.micro_batch else "a compute.micro_batch"
    )
    half = [] if compute.precision == "bf16" else ["compute.precision=bf16"]
    return f"{', '.join([portions, *half, 'a smaller data.batch'])} or narrower networks need less"
