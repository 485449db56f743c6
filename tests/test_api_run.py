"""Training from Python: in a folder, gone on with there, heard, ended."""

import io
import json
import signal
from pathlib import Path

import pytest
from rich.console import Console

import agekit
from agekit.errors import RunError

from .tiny import TINY

pytestmark = pytest.mark.usefixtures("elsewhere")

JUDGED = (
    TINY.replace("[run]", "[run]\nmetrics_every = 5")
    + '\n[metrics]\nfar = { reciprocity = "l1", of = "g(e(x))", to = "x" }\n'
)


@pytest.fixture
def recipe(elsewhere):
    Path("tiny.toml").write_text(JUDGED)
    return agekit.load("tiny.toml")


def test_a_run_is_that_of_the_command_line_and_is_heard(recipe):
    heard = []
    metrics = agekit.run(recipe, "runs/mine", lambda step, metrics: heard.append((step, metrics["far"]["value"])))
    lines = [json.loads(line) for line in Path("runs/mine/metrics.jsonl").read_text().splitlines()]
    assert heard == [(line["step"], line["metrics"]["far"]["value"]) for line in lines if "metrics" in line]
    assert [step for step, _ in heard] == [5, 10, 12]
    assert metrics == {"far": {"value": heard[-1][1]}}
    assert agekit.run(recipe, "runs/mine", lambda *_: heard.clear()) == metrics
    assert len(heard) == 3


def test_what_hears_may_end_it_and_it_goes_on_later(recipe):
    whole = agekit.run(recipe, "runs/whole")

    def ends(step, metrics):
        raise StopIteration

    with pytest.raises(StopIteration):
        agekit.run(recipe, "runs/mine", ends)
    with pytest.raises(KeyboardInterrupt):
        agekit.run(recipe, "runs/mine", lambda step, _: signal.raise_signal(signal.SIGINT))
    assert agekit.run(recipe, "runs/mine") == whole


def test_a_console_is_told_what_the_command_tells(recipe):
    told = io.StringIO()
    agekit.run(recipe, "runs/mine", console=Console(file=told, width=100))
    for line in ("recipe    tiny, seed 0\n", "12/12  ", "done      step 12 after ", "folder    runs/mine\n"):
        assert line in told.getvalue()


def test_it_goes_on_where_only_the_place_differs(recipe):
    def ends(step, metrics):
        raise StopIteration

    with pytest.raises(StopIteration):
        agekit.run(recipe, "runs/mine", ends)
    assert recipe.lasting == agekit.load("tiny.toml", "compute.device=cpu", "compute.threads=1").lasting
    assert recipe.lasting != agekit.load("tiny.toml", "compute.deterministic=false").lasting
    assert agekit.run(agekit.load("tiny.toml", "compute.device=cpu"), "runs/mine")
    assert recipe.document.tree == agekit.load("tiny.toml").document.tree


def test_the_folder_of_another_recipe_is_refused(recipe):
    agekit.run(agekit.load("tiny.toml", "run.steps=1"), "runs/mine")
    with pytest.raises(RunError, match=r"^runs/mine is of another recipe$"):
        agekit.run(recipe, "runs/mine")


def test_what_is_cut_short_in_its_making_leaves_no_folder_and_no_other_folder_is_touched(recipe, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("agekit.train.folder.write_json", lambda *_: signal.raise_signal(signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            agekit.run(recipe, "runs/mine")
    assert not Path("runs/mine").exists()
    agekit.run(recipe, "runs/mine")
    for file in ("thesis.txt", "pictures/cat.png"):
        Path("runs/full", file).parent.mkdir(parents=True)
        Path("runs/full", file).write_text("mine")
        with pytest.raises(RunError, match="is there already"):
            agekit.run(recipe, "runs/full")
        Path("runs/full").rename(f"runs/{Path(file).stem}")
