"""Numbers that are on their way while the next step is played: lines are late then, and are the same."""

import json
import signal
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from agekit import PluginError, RunError
from agekit.game.game import Game
from agekit.game.step import Coming, Finite, Step
from agekit.game.vitals import Monitor
from agekit.report.board import Board
from agekit.train import sentinel
from agekit.train.watch import Watch

from .runs import Quiet, begin, go_on, left_behind
from .test_sentinel import POINT
from .tiny import TINY

pytestmark = pytest.mark.usefixtures("elsewhere")

CPU = torch.device("cpu")
RARELY = ("run.checkpoint_every=200", "run.pictures_every=200")
OFTEN = ("run.log_every=1", "run.checkpoint_every=3", "run.pictures_every=4")
BLOWN = ("players.generator.optimizer.lr=1e30", "sentinel.factor=1e-33", "sentinel.action=roll back")


class Diary(Quiet):
    """What is told, in its order."""

    def __init__(self):
        super().__init__()
        self.told = []

    def stepped(self, run):
        self.told.append(("played", run.game.steps_done))

    def logged(self, run, line):
        self.told.append(("line", line["step"], run.game.steps_done))


def lines_of(name):
    lines = [json.loads(line) for line in Path(f"runs/{name}/metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "clock"} for line in lines]


@pytest.fixture
def ahead(monkeypatch):
    """A function after which the CPU is taken for a device whose numbers are on their way when they are asked for."""
    return lambda: monkeypatch.setattr(sentinel, "computes_ahead", lambda device: True)


def test_a_line_is_written_when_the_next_step_is_under_way(ahead):
    begin("at-once", settings=OFTEN)
    ahead()
    diary = Diary()
    begin("late", listener=diary, settings=OFTEN)
    assert left_behind("late") == left_behind("at-once")
    lines = [(step, stood) for what, step, *rest in diary.told if what == "line" for stood in rest]
    assert [step for step, _ in lines] == list(range(1, 13))
    # at once: checkpoints (3, 6, 9, 12), pictures (4, 8), metrics (5, 10), and the end of a stage (5)
    assert [stood - step for step, stood in lines] == [1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0]
    assert diary.told[:4] == [("played", 1), ("line", 1, 2), ("played", 2), ("line", 2, 3)]


def test_lines_are_late_at_the_intervals_of_a_recipe_that_names_none(ahead):
    """Every line falls together with a look at the vital signs there."""
    ahead()
    diary = Diary()
    text = TINY.replace("log_every        = 3\n", "")
    run = begin("default", text, diary, ("run.steps=120", *RARELY))
    lines = [(step, stood) for what, step, *rest in diary.told if what == "line" for stood in rest]
    assert lines == [(50, 51), (100, 101), (120, 120)]
    assert run.recipe.stages[0].sentinel.every == 50


def test_a_run_without_a_line_before_its_last_step_ends_well_and_once(ahead, monkeypatch):
    told = []
    monkeypatch.setattr(Board, "hparams", lambda self, *given: told.append(given))
    ahead()
    run = begin("rare", TINY, settings=("run.log_every=50", *RARELY))
    assert run.finished
    assert len(told) == 1


@pytest.mark.parametrize("after", [7, *(pytest.param(step, marks=pytest.mark.slow) for step in (1, 2))])
def test_who_is_stopped_with_a_line_to_come_writes_it(ahead, after):
    begin("whole", settings=OFTEN)
    ahead()
    begin("halves", listener=Quiet(after, lambda: signal.raise_signal(signal.SIGINT)), settings=OFTEN)
    go_on("halves", settings=OFTEN)
    assert left_behind("halves") == left_behind("whole")


def test_a_death_that_shows_late_takes_the_game_back_as_one_that_shows_at_once(ahead):
    settings = (*OFTEN[:2], *BLOWN)
    run = begin("at-once", settings=settings)
    assert run.sentinel.state.rollbacks
    ahead()
    begin("late", settings=settings)
    assert left_behind("late") == left_behind("at-once")


@pytest.mark.parametrize("action", ["warn", "stop", pytest.param("roll back", marks=pytest.mark.slow)])
def test_vital_signs_that_are_read_late_are_answered_as_at_once(ahead, action):
    """`log_every` is that of looks, so that a death is told in the line of its step."""
    settings = (*POINT, "run.steps=45", "run.log_every=10", f"sentinel.action={action}", "sentinel.rollbacks=1")
    for name in ("at-once", "late"):
        with nullcontext() if action == "warn" else pytest.raises(RunError, match=r"step \d0: codes are at a point"):
            begin(name, TINY, settings=settings)
        ahead()
    at_once, late = (lines_of(name) for name in ("at-once", "late"))
    assert at_once == late
    assert action in [event["action"] for line in late for event in line.get("sentinel", ())]


def failing(step):
    """A listener after whose step every network refuses to play on."""

    def refuse(*_):
        raise RuntimeError("no more")

    class Failing(Quiet):
        def stepped(self, run):
            if run.game.steps_done == step:
                run.game.networks["e"].register_forward_pre_hook(refuse)

    return Failing()


def test_a_line_that_is_owed_is_written_though_the_next_step_fails(ahead):
    ahead()
    with pytest.raises(PluginError, match="no more"):
        begin("fails", TINY, failing(4), ("run.log_every=4", *RARELY))
    assert [line["step"] for line in lines_of("fails")] == [4]


@pytest.mark.parametrize("step", [4, 6])
def test_a_death_whose_step_is_over_is_answered_though_the_next_step_fails(ahead, step):
    """What is no number may be refused by whoever meets it next; also where nothing was due."""

    class Brittle(Quiet):
        def begins(self, run):
            self.run = run

        def stepped(self, run):
            if run.game.steps_done == step - (step == 6) and not run.sentinel.state.rollbacks:
                run.game.networks["g"].register_forward_pre_hook(self.refuse)
                for weight in run.game.networks["g"].parameters():
                    weight.data.fill_(float("nan"))

        def refuse(self, network, inputs):
            if self.run.game.steps_done >= step and not next(network.parameters()).isfinite().all():
                raise ValueError("nothing is made of this")

    ahead()
    settings = ("run.log_every=4", *RARELY, "sentinel.action=roll back", "sentinel.every=100")
    run = begin("goes-back", TINY, Brittle(), settings)
    assert run.finished
    assert run.sentinel.state.rollbacks == 1


def test_the_line_of_a_stage_s_last_step_is_of_that_stage(ahead):
    stages = """
[[stages]]
name  = "first"
steps = 5
[[stages]]
name  = "second"
steps = 4
"""
    text = TINY.replace("steps            = 12\n", "") + stages
    ahead()
    begin("staged", text, settings=("run.log_every=1", *RARELY))
    assert [line["stage"] for line in lines_of("staged")] == ["first"] * 5 + ["second"] * 4


def test_numbers_are_asked_for_before_the_next_step_and_once(ahead, monkeypatch):
    order, ask, step = [], Step.ask, Game.step

    def asking(self, device):
        order.append(("asked", self.number + 1))
        return ask(self, device)

    def stepping(self):
        order.append(("played", self.steps_done + 1))
        return step(self)

    monkeypatch.setattr(Step, "ask", asking)
    monkeypatch.setattr(Game, "step", stepping)
    ahead()
    begin("ordered", TINY, settings=("run.log_every=1", "run.steps=4", *RARELY))
    assert order == [(what, number) for number in (1, 2, 3, 4) for what in ("played", "asked")]


@pytest.mark.parametrize("late", [True, False])
def test_a_look_that_fails_ends_the_run_unless_numbers_are_none(ahead, monkeypatch, late):
    def refuse(*_):
        raise ValueError("nothing is seen")

    monkeypatch.setattr(Monitor, "ask", refuse)
    if late:
        ahead()
    with pytest.raises(ValueError, match="nothing is seen"):
        begin("blind", TINY, settings=("sentinel.every=5", *RARELY))
    with pytest.raises(RunError, match=r"step 1: .* is nan"):
        begin("none", TINY, settings=("sentinel.every=1", BLOWN[0], *RARELY))


@pytest.mark.parametrize(
    ("device", "ranks", "step", "waits"),
    [("cuda", 1, 4, True), ("cpu", 1, 4, False), ("cuda", 2, 4, False), ("cuda", 1, 5, False)],
)
def test_numbers_wait_where_one_rank_plays_on_a_device_that_computes_ahead_and_the_stage_goes_on(
    device, ranks, step, waits
):
    game: Any = SimpleNamespace(
        device=torch.device(device), ranks=SimpleNamespace(count=ranks), stage_step=step, stage_steps=5
    )
    assert sentinel.may_wait(game) is waits


def test_numbers_are_those_of_when_they_were_asked_for():
    one, many = torch.tensor(1.0), torch.tensor([[1.0, 2.0], [3.0, float("inf")]])
    coming, finite = Coming([one, one.double()], CPU), Finite([one, many], CPU)
    one.fill_(float("nan"))
    assert coming.read() == [1.0, 1.0]
    assert finite.failures() == [1]
    assert Coming([], CPU).read() == []
    huge = torch.full((4,), torch.finfo(torch.float32).max)
    assert Finite([huge, huge.log()], CPU).failures() == []


def test_a_run_whose_lines_were_taken_away_says_so(monkeypatch):
    """Somebody else empties its file before the last step is summed up."""
    log = Watch.log

    def emptied(self, *given):
        line = log(self, *given)
        self.folder.metrics.write_text("")
        return line

    monkeypatch.setattr(Watch, "log", emptied)
    with pytest.raises(RunError, match=r"runs/robbed/metrics.jsonl has lost its lines while the run went on"):
        begin("robbed", TINY, settings=("run.steps=2",))
