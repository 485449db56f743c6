"""Tallies of attacks: what counts as lost, what is kept, and that the page says what is kept."""

import json
import subprocess
import sys

from .attacks.tally import RELIABILITY, Attack, Tally


def test_a_case_that_is_neither_detected_nor_recovered_is_lost(capsys):
    attack = Attack("bits flipped")
    attack.count(detected=True, about="first")
    attack.count(recovered=True, about="second")
    attack.count(detected=True, recovered=True, about="third")
    assert not attack.lost
    attack.count(about="fourth")
    assert (attack.tried, attack.detected, attack.recovered, attack.lost) == (4, 2, 2, ["fourth"])
    assert capsys.readouterr().err == "LOST: bits flipped: fourth\n"


def test_a_tally_is_kept_with_its_machine_and_fails_where_anything_is_lost(tmp_path, capsys):
    tally, file = Tally("make faults"), tmp_path / "reliability_faults.json"
    assert tally.finish(file) == 0
    assert not file.exists()
    for _ in range(2):
        with tally.attack("killed") as attack:
            attack.count(recovered=True, about="one")
    assert tally.finish(file) == 0
    kept = json.loads(file.read_text())
    (only,) = kept["attacks"]
    assert only.pop("seconds") >= 0
    assert only == {"name": "killed", "tried": 2, "detected": 0, "recovered": 2, "lost": 0}
    assert {"date", "processor", "versions", "system"} <= kept["machine"].keys()
    with tally.attack("full") as attack:
        attack.lose("half a file")
    assert tally.finish(file) == 1
    assert json.loads(file.read_text())["attacks"][1]["lost"] == 1
    assert "killed: 2 tried, 0 detected, 2 recovered, 0 lost" in capsys.readouterr().out


def test_the_page_holds_what_was_found_and_nothing_was_lost():
    said = (RELIABILITY / "reliability.md").read_text()
    for file in RELIABILITY.glob("reliability_*.json"):
        kept = json.loads(file.read_text())
        assert f"| `{kept['command']}` | tried |" in said
        for attack in kept["attacks"]:
            assert f"| {attack['name']} | {attack['tried']:,} |" in said
            assert attack["lost"] == 0


def test_a_table_is_written_from_results_and_written_again_alike(tmp_path):
    page, results = tmp_path / "reliability.md", tmp_path / "reliability_odd.json"
    page.write_text((RELIABILITY / "reliability.md").read_text())
    attack = {"name": "killed", "tried": 1200, "detected": 0, "recovered": 1200, "lost": 0, "seconds": 7.5}
    machine = {"date": "2030-01-02", "processor": "P", "system": "S", "versions": "V"}
    results.write_text(json.dumps({"command": "make odd", "machine": machine, "attacks": [attack]}))
    program = "import sys, pathlib, reliability; print(reliability.page(pathlib.Path(sys.argv[1])), end='')"
    for _ in range(2):
        command = [sys.executable, "-c", program, str(tmp_path)]
        page.write_text(subprocess.run(command, cwd=RELIABILITY, check=True, capture_output=True, text=True).stdout)
    said = page.read_text()
    assert said.count("| killed | 1,200 | 0 | 1,200 | 0 | 7.5 |\n") == 1
    assert "2030-01-02, P, S, V." in said
    assert "## Defects found on the way" in said
