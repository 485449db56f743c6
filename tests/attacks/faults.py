"""Attack runs: kill them, damage what they wrote and what they read, take their disk away; `make faults`.

python -m tests.attacks.faults [--short] [--only NAME …] [--out docs/reliability_faults.json]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from . import damaged, disk, growth, handed, killed, others, trained
from .killed import Ground
from .tally import Tally

Attacks = dict[str, Callable[[Tally, Ground], None]]

WHOLE: Attacks = {
    "operations": lambda tally, ground: killed.at_file_operations(tally, ground),
    "lines": lambda tally, ground: killed.at_lines(tally, ground, kills=200),
    "moments": lambda tally, ground: killed.at_moments(tally, ground, cases=20),
    "others": lambda tally, ground: others.killed(tally, ground, cases=40),
    "checkpoints": lambda tally, ground: damaged.checkpoints(tally, ground, cases=1000),
    "records": lambda tally, ground: damaged.records(tally, ground, cases=300),
    "resumed": lambda tally, ground: damaged.resumed(tally, ground, cases=10),
    "disk": lambda tally, ground: disk.refusing(tally, ground, every=5),
    "limited": lambda tally, ground: disk.limited(tally, ground, (600, 1000, 3000, 5000, 8000, 12000, 20000)),
    "small": lambda tally, ground: disk.small(tally, ground, (60, 100, 150, 200, 250, 300, 400)),
    "gone": lambda tally, ground: disk.gone(tally, ground),
    "unmounted": lambda tally, ground: disk.unmounted(tally, ground),
    "slow": lambda tally, ground: disk.slow(tally, ground, (0.01, 0.1), stalls=5, stalled=5),
    "descriptors": lambda tally, ground: disk.descriptors(tally, ground, (4, 6, 8, 10, 12, 16, 24)),
    "handed": lambda tally, _: handed.files(tally, each=50),
    "growth": lambda tally, _: growth.attack(tally),
}
SHORT: Attacks = {
    "operations": lambda tally, ground: killed.at_file_operations(tally, ground, every=40),
    "lines": lambda tally, ground: killed.at_lines(tally, ground, kills=8, chain=4),
    "checkpoints": lambda tally, ground: damaged.checkpoints(tally, ground, cases=100),
    "records": lambda tally, ground: damaged.records(tally, ground, cases=30),
    "disk": lambda tally, ground: disk.refusing(tally, ground, every=60),
    "descriptors": lambda tally, ground: disk.descriptors(tally, ground, (8,)),
}


def main() -> int:
    """Attack; 1 where anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="a few cases of each, as the tests try")
    parser.add_argument("--only", nargs="+", choices=WHOLE, help="these attacks alone")
    parser.add_argument("--out", type=Path, help="where to write the results")
    given = parser.parse_args()
    tally, attacks = Tally("make faults"), SHORT if given.short else WHOLE
    out = given.out and given.out.resolve()
    with tempfile.TemporaryDirectory(dir=_memory()) as scratch:
        trained.warm(Path(scratch))
        ground = Ground.prepared(Path(scratch))
        for name, attack in attacks.items():
            if not given.only or name in given.only:
                attack(tally, ground)
        os.chdir("/")
    return tally.finish(out)


def _memory() -> str | None:
    """A file system in memory, where there is one: syncing it takes no time, and comes to the same for a kill."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


if __name__ == "__main__":
    sys.exit(main())
