"""Numbers that are on their way while the next step is played: lines are late then, and are the same."""

import signal

import pytest
import torch

from agekit.game.step import Coming, Finite
from agekit.train import sentinel

from .runs import Quiet, begin, go_on, left_behind

pytestmark = pytest.mark.usefixtures("elsewhere")

CPU = torch.device("cpu")
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


@pytest.mark.parametrize("after", [1, 2, 7])
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


def test_numbers_are_those_of_when_they_were_asked_for():
    one, many = torch.tensor(1.0), torch.tensor([[1.0, 2.0], [3.0, float("inf")]])
    coming, finite = Coming([one, one.double()], CPU), Finite([one, many], CPU)
    one.fill_(float("nan"))
    assert coming.read() == [1.0, 1.0]
    assert finite.none() == [1]
    assert Coming([], CPU).read() == []
    huge = torch.full((4,), torch.finfo(torch.float32).max)
    assert Finite([huge, huge.log()], CPU).none() == []
