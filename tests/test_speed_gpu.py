"""`make gpu-check` and `make gpu-recipes`, on the CPU: their own code, small."""

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from agekit.game.game import Game
from agekit.game.recording import CudaGraphs
from benchmarks import gpu, needs
from benchmarks.speed import correct, whole
from benchmarks.speed.correct import Check, far
from benchmarks.speed.games import Maker
from benchmarks.speed.rounds import HOUSE
from benchmarks.speed.rows import NOT_TAKEN
from benchmarks.speed.worker import ENDLESS, Meter, Setup

SMALL = ("--device", "cpu", "--width", "1", "--batch", "4", "--images", "16", "--threads", "1")
BRIEF = ("--seconds", "0", "--repeats", "1", "--rounds", "1", "--steps", "2", "--scale", "0.007", "--together")


def test_the_whole_check_runs_and_leaves_a_page(elsewhere, monkeypatch, capsys):
    monkeypatch.setattr("benchmarks.speed.correct.STEPS", 4)
    monkeypatch.setattr("benchmarks.speed.correct.COUNTED", (4, 8))
    monkeypatch.setattr("benchmarks.speed.rounds.LEAST_ROUNDS", 1)
    assert gpu.main(["check", *SMALL, *BRIEF, "--no-compile", "--out", "out"]) == 0
    found = json.loads(Path("out/cpu.json").read_text())
    checks = {what: holds for what, _, holds in found["checks"]}
    assert len(checks) == 10
    assert [what for what, holds in checks.items() if holds == "NO"] == []
    here = {what for what, holds in checks.items() if holds == NOT_TAKEN}
    assert here == {"a step, and asking for its numbers, without waiting for the device"}
    assert re.search(r"\b1[3-9] of them", next(said for what, said, _ in found["checks"] if "divergences" in what))
    rows = {row["measure"]: row["value"] for row in found["rows"]}
    assert len(rows) == 10
    assert [measure for measure, value in rows.items() if value is None] == [m for m in rows if "published" in m]
    page = Path("out/cpu.md").read_text()
    assert all(f"| {one} |" in page for one in (*rows, *checks))


@pytest.mark.slow
def test_the_check_needs_no_package_that_it_does_not_name(tmp_path):
    """Those that only runs need are out of reach here, also of the processes that the contenders sit in."""
    for module in ("tensorboard", "rich", "tomli_w"):
        (tmp_path / f"{module}.py").write_text("raise ModuleNotFoundError(__name__)\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    apart = [word for word in (*SMALL, *BRIEF) if word != "--together"]
    command = [sys.executable, "-m", "benchmarks.gpu", "check", *apart, "--no-compile", "--out", str(tmp_path / "out")]
    done = subprocess.run(command, check=False, cwd=HOUSE, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "out/cpu.json").read_text())["rows"]
    assert [row["measure"] for row in rows if row["value"] is None and "published" not in row["measure"]] == []
    assert len(rows) == 10


def test_what_is_wrong_ends_the_check_before_speed_is_measured(elsewhere, monkeypatch, capsys):
    monkeypatch.setattr("benchmarks.speed.gpu.checks", lambda *_, **__: [Check("sums", "2 + 2 = 5", holds=False)])
    assert gpu.main(["check", *SMALL, "--out", "out"]) == 1
    assert "WRONG: sums: 2 + 2 = 5" in capsys.readouterr().err
    assert json.loads(Path("out/cpu.json").read_text())["rows"] == []


def test_a_wrong_gradient_is_far_and_a_rounded_one_near():
    truth = torch.tensor([3.0, 4.0])
    assert far(truth + torch.tensor([0.0, 0.05]), truth) == pytest.approx(0.01, rel=1e-4)
    assert far(2 * truth, truth) == pytest.approx(1)
    assert far(truth * float("nan"), truth) == math.inf


@pytest.mark.parametrize("wrong", [None, torch.tensor([float("nan")] * 289, dtype=torch.float64)])
def test_a_divergence_that_fails_on_a_device_alone_or_is_no_number_there_is_wrong(wrong, monkeypatch):
    """Each is taken to two codes, or references, thrice here and thrice there: these are the last of the last one."""
    taken, asked = correct._value_and_slope, []

    def value_and_slope(divergence, codes, to):
        asked.append(type(divergence).__name__)
        return wrong if asked[-1] == "SphereKL" and asked.count("SphereKL") == 6 else taken(divergence, codes, to)

    monkeypatch.setattr(correct, "_value_and_slope", value_and_slope)
    found = correct.divergences(torch.device("cpu"))
    assert asked.count("SphereKL") == 6
    assert not found.holds
    assert "inf at most (kl_sphere)" in found.found


def test_memory_that_grows_is_seen(monkeypatch):
    kept, step = [], Game.step

    def leaking(game):
        kept.append(torch.zeros(10))
        return step(game)

    monkeypatch.setattr(correct, "COUNTED", (2, 4))
    monkeypatch.setattr(Game, "step", leaking)
    assert not correct.grown(Maker(torch.device("cpu"), 1, 4)).holds


def test_the_engine_that_is_measured_does_not_come_to_its_second_stage(monkeypatch):
    made = []
    monkeypatch.setattr("benchmarks.speed.worker.Game", lambda *given: made.append(Game(*given)) or made[-1])  # type: ignore[func-returns-value]
    Meter(Setup("engine", width=1, images=256))
    assert made[0].stage_steps == 4 * ENDLESS


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_device_the_check_says_so(capsys):
    assert gpu.main(["check"]) == 2
    assert "no CUDA device here" in capsys.readouterr().err


def test_what_is_missing_is_told_with_the_way_to_get_it(monkeypatch, capsys):
    monkeypatch.setitem(needs.NEEDED, "no_such_module", "no-such-package")
    with pytest.raises(
        SystemExit, match=rf"{re.escape(sys.executable)} has no no-such-package\.\n.*pip install no-such"
    ):
        needs.demand()
    needs.demand(without=frozenset({"no-such-package"}))
    assert gpu.main([]) == 2


@pytest.mark.slow
def test_a_published_recipe_is_trained_whole_from_its_data(elsewhere, monkeypatch, capfd):
    monkeypatch.setattr(whole, "PUBLISHED", whole.PUBLISHED[1:])
    short = ["run.stop_after=2", "data.batch=8", "compute.threads=1", *(f"networks.{name}.width=1" for name in "eg")]
    settings = [word for setting in short for word in ("--set", setting)]
    assert gpu.main(["recipes", "--device", "cpu", "--images", "40", *settings, "--out", "out"]) == 0
    (row,) = json.loads(Path("out/cpu-recipes.json").read_text())["rows"]
    assert row["value"] > 0
    assert row["note"].startswith("2 steps")
    assert "made up, in the official layouts" in Path("out/cpu-recipes.md").read_text()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device: make gpu-check measures there")
def test_updates_are_graphs_on_cuda():
    game = Maker(torch.device("cuda"), 2, 8).game()
    for _ in range(6):
        game.step()
    assert isinstance(game.recorder, CudaGraphs)
    assert game.unrecorded() == {}
