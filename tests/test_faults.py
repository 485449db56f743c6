"""Runs killed, damaged, and with no disk to write to: a few cases of what `make faults` tries whole."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HOUSE = Path(__file__).parent.parent


@pytest.mark.slow
def test_a_few_of_all_attacks_lose_nothing(tmp_path):
    """In a process of its own, which forks: no other threads are to be in it."""
    command = [sys.executable, "-m", "tests.attacks.faults", "--short", "--out", str(tmp_path / "found.json")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=HOUSE, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = {attack["name"]: attack for attack in json.loads((tmp_path / "found.json").read_text())["attacks"]}
    assert len(found) >= 9
    assert sum(attack["tried"] for attack in found.values()) >= 130
    assert all(attack["detected"] + attack["recovered"] >= attack["tried"] for attack in found.values())
    damaged = [attack for name, attack in found.items() if name.startswith("checkpoints with")]
    assert len(damaged) == 5
    assert all(attack["detected"] == attack["recovered"] == attack["tried"] for attack in damaged)
