"""Measure MMD, forward and backward, in tiles and with all n × m pairs at once: time, and memory above the inputs.

python benchmarks/pairwise.py [--n 16384] [--dim 64] [--scales 1] [--repeats 3]

Each measurement is a process of its own, the ways alternating, so that neither inherits the other's memory; the time
is that of the second call in it. Backends of geomloss take part where it is installed, with one rbf bandwidth.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from agekit.builtin.divergences import MMD

Way = Callable[[Tensor, Tensor], Tensor]
SCALES = (1.0, 0.1, 10.0, 0.2, 5.0, 0.5, 2.0)


def plain(p: Tensor, q: Tensor, scales: tuple[float, ...]) -> Tensor:
    """Unbiased MMD² with the imq kernel and σ = 1, as the definition reads."""

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        squared = (a.square().sum(dim=1, keepdim=True) + b.square().sum(dim=1) - 2 * a @ b.T).clamp_min(0)
        total = torch.zeros(())
        for scale in scales:
            c = scale * 2 * a.shape[1]
            total = total + c / (c + squared)
        return total / len(scales)

    def within(a: Tensor) -> Tensor:
        values = kernel(a, a)
        return (values.sum() - values.diagonal().sum()) / (len(a) * (len(a) - 1))

    return within(p) + within(q) - 2 * kernel(p, q).mean()


def ways(scales: tuple[float, ...], dim: int) -> dict[str, Way]:
    """What is compared, by name."""
    found: dict[str, Way] = {
        "tiles": MMD(variance=1.0, scales=scales),
        "all pairs": lambda p, q: plain(p, q, scales),
    }
    if importlib.util.find_spec("geomloss"):
        from geomloss import SamplesLoss

        for backend in ["tensorized", *(["online"] if importlib.util.find_spec("pykeops") else [])]:
            found[f"geomloss {backend}"] = SamplesLoss("gaussian", blur=dim**0.5, backend=backend)
    return found


def measure(way: Way, n: int, dim: int) -> dict[str, float]:
    """Seconds of a second call, and the memory that both calls needed above the inputs, in MB."""
    draws = torch.Generator().manual_seed(0)
    p = torch.randn(n, dim, generator=draws).requires_grad_()
    q = torch.randn(n, dim, generator=draws)
    way(p[:256], q[:256]).backward()
    before, seconds = peak(), 0.0
    for _ in range(2):
        start = time.perf_counter()
        value = way(p, q)
        value.backward()
        seconds = time.perf_counter() - start
    return {"seconds": seconds, "megabytes": peak() - before, "value": value.item()}


def peak() -> float:
    """The most memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)


def main() -> int:
    """Measure in turn, and print medians with their ranges."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--n", type=int, default=16384)
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--scales", type=int, default=1, choices=range(1, 8), help="how many bandwidths")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", help=argparse.SUPPRESS)
    given = parser.parse_args()
    known = ways(SCALES[: given.scales], given.dim)
    if given.only:
        print(json.dumps(measure(known[given.only], given.n, given.dim)))
        return 0
    results: dict[str, list[dict[str, float]]] = {name: [] for name in known}
    for _ in range(given.repeats):
        for name in known:
            results[name].append(apart(name))
    for name, runs in results.items():
        print(f"{name:20}", *(spread([run[key] for run in runs], key) for key in ("seconds", "megabytes", "value")))
    return 0


def apart(name: str) -> dict[str, float]:
    """One measurement in a process of its own; nan where it dies, as for want of memory."""
    command = [sys.executable, str(Path(__file__)), *sys.argv[1:], "--only", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - this very script
    result: dict[str, float] = json.loads(done.stdout) if done.returncode == 0 else {}
    return {key: result.get(key, float("nan")) for key in ("seconds", "megabytes", "value")}


def spread(numbers: list[float], unit: str) -> str:
    """The median and the range."""
    return f"  {unit} {statistics.median(numbers):.4g} ({min(numbers):.4g} to {max(numbers):.4g})"


if __name__ == "__main__":
    sys.exit(main())
