"""Runs as their folders tell them: what each is, how far, and how it does."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agekit.cli import main
from agekit.compare.numbers import common, numbers_of
from agekit.compare.reading import runs_in, told
from agekit.evaluate import Wanted, evaluate
from agekit.plugins import load
from agekit.train.folder import open_run
from agekit.train.run import start

from .runs import Killed, Quiet, agekit_run, begin, killed
from .tiny import TINY, recipe_of

pytestmark = pytest.mark.usefixtures("elsewhere")

JUDGED = (
    TINY
    + '\n[metrics]\nfar = { reciprocity = "l1", of = "g(e(x))", to = "x" }\nway = { metric = "spread", of = "e(x)" }\n'
)
HEAVY = {"torch", "numpy", "PIL", "safetensors"}


def table(capsys, *arguments):
    assert main(["runs", *arguments]) == 0
    return capsys.readouterr().out.splitlines()


def test_runs_are_listed_with_what_they_are_and_how_they_do(capsys):
    begin("first", JUDGED)
    begin("second", JUDGED, settings=["run.seed=3", "run.steps=6"])
    with pytest.raises(Killed):
        begin("third", JUDGED, Quiet(7, killed))
    Path("runs/no_run").mkdir()
    lines = table(capsys)
    assert lines[0].split() == ["run", "recipe", "seed", "age", "steps", "state", "far.value", "way.mean_norm"]
    rows = [line.split() for line in lines[1:]]
    assert [[row[i] for i in (0, 1, 2)] for row in rows] == [
        ["first", "tiny", "0"],
        ["second", "tiny", "3"],
        ["third", "tiny", "0"],
    ]
    assert [line.split("  ")[-1].strip() == "-" for line in lines[1:]] == [False, False, True]
    assert [("of 12" in line, row[-3]) for line, row in zip(lines[1:], rows, strict=True)] == [
        (False, "finished"),
        (False, "finished"),
        (True, "stopped"),
    ]
    values = numbers_of(told(Path("runs/first")))
    assert f"{values['far', 'value'][0].value:.4g}" in lines[1]


@pytest.mark.slow
def test_a_run_that_is_being_trained_is_running_and_nobody_else_takes_it_up(capsys):
    seen: list[object] = []

    def look():
        seen.append(told(Path("runs/mine")).state)
        code = "import sys; from agekit.cli import main; sys.exit(main(['resume', 'runs/mine']))"
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=100)
        seen.extend((other.returncode, other.stderr))

    begin("mine", TINY, Quiet(5, look))
    assert seen[:2] == ["running", 1]
    assert str(seen[2]).startswith(f"error: runs/mine is being trained by process {os.getpid()} on ")
    assert told(Path("runs/mine")).state == "finished"


@pytest.mark.slow
def test_a_killed_process_leaves_a_run_that_is_stopped():
    Path("tiny.toml").write_text(TINY)
    code = "import os, signal; from tests.runs import *; begin('mine', TINY, Quiet(9, lambda: os.kill(os.getpid(), 9)))"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    done = subprocess.run([sys.executable, "-c", code], check=False, timeout=100, env=environment)
    assert done.returncode == -signal.SIGKILL
    run = told(Path("runs/mine"))
    assert (run.state, run.step, run.steps) == ("stopped", 8, 12)


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("run.json", "{", "run.json cannot be read"),
        ("run.json", None, "it has no run.json"),
        ("recipe.toml", "= 3", "recipe.toml is not as the run wrote it"),
        ("metrics.jsonl", "[]\n", "is no line of metrics"),
        ("metrics.jsonl", "{]\n", "metrics.jsonl cannot be read"),
        ("evaluations/step-000000012-last-0.json", "{}", "cannot be read"),
    ],
)
def test_a_damaged_run_is_broken_and_says_why(file, text, said, capsys):
    agekit_run("--name", "mine")
    agekit_run("--name", "other", "--steps", "1")
    capsys.readouterr()
    path = Path("runs/mine") / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(text) if text else path.unlink()
    lines = table(capsys)
    assert next(line for line in lines if line.startswith("mine ")).split()[-1] == "broken"
    assert "finished" in next(line for line in lines if line.startswith("other "))
    assert any(line.startswith("mine  ") and said in line for line in lines[4:])
    (broken,) = [one for one in map(json.loads, table(capsys, "--json")) if one["state"] == "broken"]
    assert said in broken["broken"]


def test_a_run_that_is_not_begun_is_stopped_at_0():
    started = start(recipe_of(), load(), Path("runs"), "mine", Quiet())
    started.close()
    run = told(Path("runs/mine"))
    assert (run.state, run.step, run.steps) == ("stopped", 0, 12)


def test_epochs_stages_and_an_early_end_count():
    stages = "[[stages]]\nepochs = 2\n[[stages]]\nsteps = 10\ndata.batch = 10\n"
    begin("staged", f"{TINY}\n{stages}", settings=["run.stop_after=13"])
    begin("whole", f"{TINY}\n{stages}")
    assert [(run.name, run.steps, run.state) for run in runs_in(Path("runs"))] == [
        ("staged", 13, "finished"),
        ("whole", 20, "finished"),
    ]


def test_numbers_of_different_protocols_in_a_column_are_marked(capsys):
    begin("one", JUDGED, settings=["run.steps=1"])
    begin("two", JUDGED, settings=["run.steps=1", "run.seed=1"])
    assert len(table(capsys)) == 3
    begin("zwei", JUDGED, settings=["run.steps=1", "metrics.far.count=9"])
    lines = table(capsys)
    assert [line.split()[-2] for line in lines[1:4]] == ["a", "a", "b"]
    kept = "reciprocity l1(of = g(e(x)), to = x), in training: {} samples of training, recalibrated statistics"
    assert lines[5:] == [f"a  {kept.format(40)}", f"b  {kept.format(9)}"]


def test_the_protocol_that_all_have_is_taken():
    for name, settings in (("one", []), ("two", ["metrics.far.count=9"])):
        run = begin(name, JUDGED, settings=["run.steps=1", *settings])
        list(evaluate(open_run(run.folder.path), Wanted(metrics=("far",), seeds=2, count=20), load()))
    both = [numbers_of(told(Path("runs") / name))["far", "value"] for name in ("one", "two")]
    assert [len(own) for own in both] == [2, 2]
    assert len({own[0].protocol for own in both}) == 2
    assert len({number.protocol for number in common(both)}) == 1
    assert "20 samples of training" in common(both)[0].said
    assert len({number.protocol for number in common([own[:1] for own in both])}) == 2


def test_the_same_count_of_other_samples_is_another_protocol(capsys):
    begin("one", JUDGED, settings=["run.steps=1"])
    begin("two", JUDGED, settings=["run.steps=1", "data.size=32"])
    lines = table(capsys)
    assert [line.split()[-1] for line in lines[1:3]] == ["c", "d"]
    assert all(", data " in line for line in lines[4:])
    assert len(set(lines[4:])) == 4


def test_a_folder_without_runs_and_one_that_is_none_are_told(capsys):
    Path("empty").mkdir()
    assert table(capsys, "empty") == ["there are no runs in empty"]
    assert main(["runs", "nowhere"]) == 1
    assert capsys.readouterr().err == "error: nowhere is no folder of runs\n"


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_nothing_heavy_is_loaded(more):
    begin("first", JUDGED, settings=["run.steps=1"])
    code = (
        "import sys\nfrom agekit.__main__ import main\nstatus = main(sys.argv[1:])\n"
        f"print(status, sorted({HEAVY} & sys.modules.keys()), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, "runs", *more], capture_output=True, text=True, check=True)
    assert done.stderr == "0 []\n"
    assert "first" in done.stdout
