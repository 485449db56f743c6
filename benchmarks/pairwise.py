"""Measure MMD, forward and backward, in tiles and with all n × m pairs at once: time, and memory above the inputs.

python -m benchmarks.pairwise [--n 16384] [--dim 64] [--kernel rbf] [--scales 1] [--repeats 3] [--out FILE]

A round measures every contender once, in turn, each in a process of its own, so that none inherits another's memory and
all meet the same noise; ratios are taken within a round. The time is that of the second call in a process; that on the
CPU is worth more where the machine is shared. What runs out of its memory or its time is reported as that, and left out
of further rounds. All compute the same number. Where
geomloss is installed, its Gaussian kernel takes part: with matrices, and through KeOps, which compiles before it runs.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from agekit.builtin.divergences import MMD
from agekit.files import write_text

Way = Callable[[Tensor, Tensor], Tensor]
Result = dict[str, float] | str
"""Seconds, as they pass and on the CPU, megabytes, and the value; or why there are none."""

OURS, PLAIN = "tiles", "all pairs"
BACKENDS = {"tensorized": ("geomloss",), "online": ("geomloss", "pykeops")}
"""Of geomloss, and what each needs; without pykeops, online would silently be the other."""
SCALES = (1.0, 0.1, 10.0, 0.2, 5.0, 0.5, 2.0)
MB = 2**20
TITLE = """\
# All pairs of codes

Written by `make pairwise`. The matrix of all pairs is what the definition of MMD asks for; agekit sums it up tile by
tile, forward and backward, so that memory grows as n. At n = m = 16,384 it is to stay below 400 MB above its inputs,
and to be no slower than the matrix. Where the machine did other things too, the time on the CPU is the one to compare.
"""
COLUMNS = {
    "seconds": "seconds",
    "ratio": f"of {PLAIN}",
    "cpu_seconds": "CPU seconds",
    "cpu_ratio": f"of {PLAIN}",
    "megabytes": "MB",
    "value": "value",
}
RATIOS = {"ratio": "seconds", "cpu_ratio": "cpu_seconds"}


def plain(p: Tensor, q: Tensor, kernel: str, scales: tuple[float, ...]) -> Tensor:
    """Biased MMD² with σ = 1, as the definition reads."""

    def mean(a: Tensor, b: Tensor) -> Tensor:
        squared = (a.square().sum(dim=1, keepdim=True) + b.square().sum(dim=1) - 2 * a @ b.T).clamp_min(0)
        bandwidths = [scale * 2 * a.shape[1] for scale in scales]
        values = [(-squared / c).exp() if kernel == "rbf" else c / (c + squared) for c in bandwidths]
        return torch.stack([value.mean() for value in values]).mean()

    return mean(p, p) + mean(q, q) - 2 * mean(p, q)


def ways(kernel: str, scales: tuple[float, ...], dim: int) -> dict[str, Way]:
    """What is compared, by name."""
    found: dict[str, Way] = {
        OURS: MMD(kernel=kernel, variance=1.0, scales=scales, estimator="biased"),
        PLAIN: lambda p, q: plain(p, q, kernel, scales),
    }
    if (kernel, len(scales)) != ("rbf", 1):
        return found
    return found | {
        f"geomloss {backend}": _of_geomloss(dim, backend)
        for backend, needs in BACKENDS.items()
        if all(map(importlib.util.find_spec, needs))
    }


def _of_geomloss(dim: int, backend: str) -> Way:
    def way(p: Tensor, q: Tensor) -> Tensor:
        from geomloss import SamplesLoss

        half: Tensor = SamplesLoss("gaussian", blur=dim**0.5, backend=backend)(p, q)
        return 2 * half

    return way


def measure(way: Way, n: int, dim: int) -> dict[str, float]:
    """The time of a second call, and the memory that both calls needed above the inputs, in MB."""
    draws = torch.Generator().manual_seed(0)
    p = (torch.randn(n, dim, generator=draws) + 0.1).requires_grad_()
    q = torch.randn(n, dim, generator=draws)
    way(p[:256], q[:256]).backward()  # type: ignore[no-untyped-call]
    before = resident()
    for _ in range(2):
        start, cpu_start = time.perf_counter(), time.process_time()
        value = way(p, q)
        value.backward()  # type: ignore[no-untyped-call]
        took = {"seconds": time.perf_counter() - start, "cpu_seconds": time.process_time() - cpu_start}
    return took | {"megabytes": peak() - before, "value": value.item()}


def resident() -> float:
    """The memory that this process has now, in MB; where the system does not tell, the most that it has had."""
    pages = Path("/proc/self/statm")
    return int(pages.read_text().split()[1]) * resource.getpagesize() / MB if pages.exists() else peak()


def peak() -> float:
    """The most memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1024 if sys.platform == "linux" else 1) / MB


def alone(name: str, given: argparse.Namespace) -> Result:
    """One measurement in this process, whose memory is limited from here on."""
    resource.setrlimit(resource.RLIMIT_DATA, (given.memory * MB, given.memory * MB))
    try:
        return measure(ways(given.kernel, SCALES[: given.scales], given.dim)[name], given.n, given.dim)
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, MemoryError) or "allocate memory" in str(error):
            return f"out of memory: {given.memory} MB"
        raise


def apart(name: str, arguments: Sequence[str], seconds: float) -> Result:
    """One measurement in a process of its own."""
    command = [sys.executable, str(Path(__file__)), *arguments, "--only", name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds)  # noqa: S603 - this
    except subprocess.TimeoutExpired:
        return f"out of time: {seconds:g} s"
    if done.returncode == 0:
        result: Result = json.loads(done.stdout.splitlines()[-1])  # KeOps prints as it compiles
        return result
    return f"failed with status {done.returncode}: {(done.stderr.strip().splitlines() or ['nothing said'])[-1]}"


def rounds(names: Sequence[str], repeats: int, run: Callable[[str], Result]) -> dict[str, list[Result]]:
    """The results of each contender, round by round; one that fails takes no part in the next."""
    results: dict[str, list[Result]] = {name: [] for name in names}
    for _ in range(repeats):
        for name, runs in results.items():
            if not (runs and isinstance(runs[-1], str)):
                runs.append(run(name))
    return results


def table(results: dict[str, list[Result]]) -> str:
    """Medians with their ranges, or what happened instead."""
    rows = [["", *COLUMNS.values()], *([name, *_cells(runs, results[PLAIN])] for name, runs in results.items())]
    widths = [max(len(row[place]) for row in rows if len(row) > 2) for place in range(len(rows[0]))]
    widths[0] = max(len(row[0]) for row in rows)
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def _cells(runs: list[Result], base: list[Result]) -> list[str]:
    if isinstance(runs[-1], str):
        return [runs[-1]]
    pairs = [(a, b) for a, b in zip(runs, base, strict=False) if isinstance(a, dict) and isinstance(b, dict)]
    numbers = {key: [run[key] for run in runs if isinstance(run, dict)] for key in COLUMNS.keys() - RATIOS.keys()}
    numbers |= {ratio: [a[key] / b[key] for a, b in pairs] for ratio, key in RATIOS.items()}
    return [_spread(numbers[key]) for key in COLUMNS]


def _spread(numbers: list[float]) -> str:
    """The median and the range, where there is one."""
    if len(set(numbers)) < 2:
        return f"{numbers[0]:.4g}" if numbers else "-"
    return f"{statistics.median(numbers):.4g} ({min(numbers):.4g} to {max(numbers):.4g})"


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--n", type=int, default=16384, help="codes in each cloud")
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--kernel", choices=("rbf", "imq"), default="rbf")
    parser.add_argument("--scales", type=int, default=1, choices=range(1, len(SCALES) + 1), help="how many bandwidths")
    parser.add_argument("--repeats", type=int, default=3, help="rounds")
    parser.add_argument("--memory", type=int, default=14000, help="what a process may have, in MB")
    parser.add_argument("--seconds", type=float, default=600, help="how long a process may run")
    parser.add_argument("--out", type=Path, help="a page that is written, too, such as docs/benchmarks/pairwise.md")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Measure in turn, and print what was done and what came out."""
    given = parse(arguments)
    if given.only:
        print(json.dumps(alone(given.only, given)))
        return 0
    names = [*ways(given.kernel, SCALES[: given.scales], given.dim)]
    head = (
        f"MMD² ({given.kernel}, {given.scales} of its bandwidths), forward and backward: n = m = {given.n},"
        f" d = {given.dim}, float32, CPU, {torch.get_num_threads()} threads, torch {torch.__version__}.\n"
        f"{given.repeats} rounds; a process each, of at most {given.memory} MB and {given.seconds:g} s."
        " Median (least to most); MB above the inputs.\n"
    )
    print(head)

    def run(name: str) -> Result:
        result = apart(name, arguments, given.seconds)
        said = result if isinstance(result, str) else f"{result['seconds']:.4g} s, {result['megabytes']:.4g} MB"
        print(f"{name}: {said}", file=sys.stderr, flush=True)
        return result

    lines = [table(rounds(names, given.repeats, run))]
    lines += [
        f"geomloss {backend} takes no part: it needs {' and '.join(needs)}, and --kernel rbf --scales 1"
        for backend, needs in BACKENDS.items()
        if f"geomloss {backend}" not in names
    ]
    print(*lines, sep="\n")
    if given.out:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        write_text(given.out, page(head, lines))
    return 0


def page(head: str, lines: Sequence[str]) -> str:
    """What was measured, where, and what it is held to."""
    from .speed.machine import machine  # not needed, nor to be found, where this file measures by itself

    facts = "".join(
        f"| {name} | {value} |\n" for name, value in machine(torch.device("cpu"), torch.get_num_threads()).items()
    )
    busy = f"| load | {os.getloadavg()[0]:.1f} processes wanting to run, as it ended |\n"
    shown = "\n".join(lines)
    return f"{TITLE}\n| | |\n|---|---|\n{facts}{busy}\n{head}\n```text\n{shown}\n```\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
