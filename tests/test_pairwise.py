"""The benchmark of pairwise measures: contenders that compute one number, and a table that leaves none of them out."""

import re

import pytest
import torch

from benchmarks.pairwise import OURS, PLAIN, apart, main, rounds, table, ways


@pytest.mark.parametrize(("kernel", "scales"), [("rbf", (1.0,)), ("rbf", (1.0, 0.1)), ("imq", (1.0, 0.1, 10.0))])
def test_all_contenders_compute_the_same_number(kernel, scales):
    draws = torch.Generator().manual_seed(0)
    p, q = torch.randn(30, 4, generator=draws) + 0.5, torch.randn(20, 4, generator=draws)
    values = {name: way(p, q).item() for name, way in ways(kernel, scales, 4).items()}
    assert {OURS, PLAIN} <= values.keys()
    assert list(values.values()) == pytest.approx([values[PLAIN]] * len(values), rel=1e-4)


def test_contenders_take_turns_and_one_that_fails_is_asked_no_more():
    asked = []

    def run(name):
        asked.append(name)
        return "out of memory: 5 MB" if name == "b" else {"seconds": 1.0, "megabytes": 2.0, "value": 3.0}

    results = rounds(["a", "b", "c"], 2, run)
    assert asked == ["a", "b", "c", "a", "c"]
    assert results["b"] == ["out of memory: 5 MB"]


def runs(*seconds):
    return [{"seconds": value, "cpu_seconds": 1.0, "megabytes": 10.0, "value": 0.25} for value in seconds]


def test_ratios_are_taken_within_a_round():
    lines = table({OURS: runs(1.0, 8.0, 2.0), PLAIN: runs(2.0, 10.0, 4.0)}).splitlines()
    cells = [re.split(" {2,}", line) for line in lines]
    assert cells[1:] == [
        [OURS, "2 (1 to 8)", "0.5 (0.5 to 0.8)", "1", "1", "10", "0.25"],
        [PLAIN, "4 (2 to 10)", "1", "1", "1", "10", "0.25"],
    ]
    assert len({line.index(start) for line, start in zip(lines, ("MB", "10  ", "10  "), strict=True)}) == 1


def test_what_failed_is_said_in_its_row():
    lines = table({OURS: runs(1.0), PLAIN: ["out of time: 5 s"], "other": [*runs(1.0), "failed"]}).splitlines()
    assert lines[2] == f"{PLAIN}  out of time: 5 s"
    assert lines[3] == f"{'other':{len(PLAIN)}}  failed"
    assert re.split(" {2,}", lines[1]) == [OURS, "1", "-", "1", "-", "10", "0.25"]


@pytest.mark.slow
def test_a_process_that_runs_out_says_of_what():
    assert apart(PLAIN, ["--n", "8000", "--memory", "400"], 600) == "out of memory: 400 MB"
    assert apart(OURS, [], 0.01) == "out of time: 0.01 s"
    assert str(apart("nobody", [], 600)).startswith("failed with status 1: KeyError")


@pytest.mark.slow
def test_the_command_says_what_it_did_and_writes_a_page(capsys, tmp_path):
    path = tmp_path / "benchmarks" / "pairwise.md"
    assert main(["--n", "300", "--dim", "3", "--repeats", "1", "--scales", "2", "--out", str(path)]) == 0
    said = capsys.readouterr().out
    assert said in path.read_text().replace("\n```text\n", "\n").replace("```\n", "")
    assert "n = m = 300, d = 3, float32, CPU" in said
    assert "1 rounds; a process each, of at most 14000 MB" in said
    assert "geomloss online takes no part" in said
