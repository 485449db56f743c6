"""What came of attacks: so many tried, detected, recovered, lost; kept in a file for docs/reliability.md.

tally = Tally("make faults")
with tally.attack("killed, at each file-system operation") as attack:
    for case in cases:
        attack.count(recovered=survives(case), about=f"{case}")
sys.exit(tally.finish(RELIABILITY / "reliability_faults.json"))
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from agekit.files import write_json
from benchmarks.speed.machine import machine

RELIABILITY = Path(__file__).parents[2] / "docs"
"""Where results lie: reliability_NAME.json, one a command, each a part of reliability.md."""


@dataclass
class Attack:
    """Cases of one kind. A case that is neither detected nor recovered is lost, and so is one that raises."""

    name: str
    tried: int = 0
    detected: int = 0
    """Noticed, and told in a message that says what is wrong and where."""
    recovered: int = 0
    """What was attacked did its work all the same, to the last byte where it promises that; detected or not."""
    seconds: float = 0.0
    lost: list[str] = field(default_factory=list)
    """What the lost cases were."""

    def count(self, *, detected: bool = False, recovered: bool = False, about: str) -> None:
        """Count a case; where it is lost, say so, and go on."""
        self.tried += 1
        self.detected += detected
        self.recovered += recovered
        if not (detected or recovered):
            self.lose(about)

    def lose(self, about: str) -> None:
        """Something was lost, whatever else was counted of its case."""
        self.lost.append(about)
        print(f"LOST: {self.name}: {about}", file=sys.stderr, flush=True)

    def as_json(self) -> dict[str, Any]:
        """The numbers, as they are kept."""
        return asdict(self) | {"seconds": round(self.seconds, 1), "lost": len(self.lost)}


@dataclass
class Tally:
    """The attacks of one command, such as `make faults`."""

    command: str
    attacks: list[Attack] = field(default_factory=list)

    @contextmanager
    def attack(self, name: str) -> Iterator[Attack]:
        """An attack, timed, and told in a line at its end; attacks of one name are one, tried again."""
        attack = next((one for one in self.attacks if one.name == name), None) or Attack(name)
        if attack not in self.attacks:
            self.attacks.append(attack)
        began = time.monotonic()
        try:
            yield attack
        finally:
            attack.seconds += time.monotonic() - began
            found = f"{attack.detected} detected, {attack.recovered} recovered, {len(attack.lost)} lost"
            print(f"{attack.name}: {attack.tried} tried, {found}, {attack.seconds:.1f} s", flush=True)

    def finish(self, file: Path | None = None) -> int:
        """Write the results, where a `file` is named and something was tried; 1 where anything was lost."""
        if file and self.attacks:
            told = machine(torch.device("cpu"), torch.get_num_threads())
            attacks = [attack.as_json() for attack in self.attacks]
            write_json(file, {"command": self.command, "machine": told, "attacks": attacks})
        return 1 if any(attack.lost for attack in self.attacks) else 0
