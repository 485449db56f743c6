"""Runs on ranks: what they leave behind is what one process does, and nothing makes them part."""

import json
from pathlib import Path

import pytest

from agekit.train.folder import open_run
from agekit.train.play import play
from agekit.train.run import resume

from .ranks_pool import pool
from .ranks_runs import alike, ran
from .runs import STAGED, Quiet, begin, left_behind
from .tiny import TINY, recipe_of

FP64 = ('compute.precision="fp64"',)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a whole run of one process in it, and one of two ranks."""
    folder = tmp_path_factory.mktemp("ranks")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("AGEKIT_CACHE", str(folder / "cache"))
        begin("one", settings=FP64)
        assert together(2, "two") == (True, 12)
        yield folder


def together(count, name, text=STAGED, settings=FP64, stop=(0, 0)):
    """Play on so many ranks, which end alike."""
    first, *others = pool().ask(count, ran, str(Path.cwd()), name, text, settings, stop)
    assert all(other == first for other in others)
    return first


def close(found, wanted):
    """Whether two runs left the same lines behind, rounding apart, and pulls, which are of the samples of one rank."""
    for one, other in zip(found, wanted, strict=True):
        lines = json.loads(one), json.loads(other)
        for line in lines:
            line.pop("gradients", None), line.pop("cosines", None)
        same(*lines)


def same(found, wanted):
    if isinstance(wanted, dict):
        assert found.keys() == wanted.keys()
        for key in wanted:
            same(found[key], wanted[key])
    elif isinstance(wanted, float):
        assert found == pytest.approx(wanted, rel=1e-6, abs=1e-9)
    else:
        assert found == wanted


def files(name):
    return {
        str(one.relative_to(f"runs/{name}")) for one in Path(f"runs/{name}").rglob("*") if "tfevents" not in one.name
    }


@pytest.mark.usefixtures("place")
def test_two_ranks_leave_behind_what_one_process_does():
    found, wanted = left_behind("two"), left_behind("one")
    assert found[0] == wanted[0]
    close(found[4], wanted[4])
    assert json.loads(Path("runs/two/run.json").read_text())["ranks"] == 2
    assert "ranks     2, batch-norm together" in Path("runs/two/plan.txt").read_text()
    assert files("two") == files("one")
    assert len(list(Path("runs/two/events").glob("*tfevents*"))) == 1  # the first rank's, and nobody else's


@pytest.mark.slow
@pytest.mark.usefixtures("place")
def test_a_signal_to_any_rank_stops_all_after_one_step_and_they_go_on_as_if_nothing_had_happened():
    assert together(2, "cut", stop=(1, 7)) == (False, 7)
    assert together(2, "cut") == (True, 12)
    assert left_behind("cut") == left_behind("two")


@pytest.mark.usefixtures("place")
def test_a_checkpoint_of_two_ranks_goes_on_on_any_number():
    assert together(2, "spread", stop=(1, 5)) == (False, 5)
    assert together(3, "spread", stop=(2, 8)) == (False, 8)
    run = resume(recipe_of(*FP64, text=STAGED), open_run(Path("runs/spread")), Quiet())
    assert play(run, Quiet())
    close(left_behind("spread")[4], left_behind("one")[4])


@pytest.mark.usefixtures("place")
@pytest.mark.slow
def test_where_the_first_rank_takes_the_game_back_the_others_go_with_it():
    dying = (*FP64, "players.generator.optimizer.lr=1e300", "sentinel.factor=1e-303", "sentinel.action=roll back")
    begin("alone", TINY, settings=dying)
    assert together(2, "back", TINY, dying) == (True, 12)
    found = [json.loads(line) for line in left_behind("back")[4]]
    assert [one["action"] for line in found for one in line.get("sentinel", ())] == ["roll back"]
    close(left_behind("back")[4], left_behind("alone")[4])


def test_ranks_of_another_recipe_are_refused_by_all():
    assert pool().ask(3, alike, "one", "one", "one") == ["", "", ""]
    assert set(pool().ask(3, alike, "one", "one", "two")) == {
        "RunError: recipe: rank 0 has one, rank 2 has two; one fits all"
    }
