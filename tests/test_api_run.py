"""Training from Python: in a folder, gone on with there, heard, ended."""

import json
import signal
from pathlib import Path

import pytest

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


def test_the_folder_of_another_recipe_is_refused(recipe):
    agekit.run(agekit.load("tiny.toml", "run.steps=1"), "runs/mine")
    with pytest.raises(RunError, match=r"^runs/mine is of another recipe$"):
        agekit.run(recipe, "runs/mine")
