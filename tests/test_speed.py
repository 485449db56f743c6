"""What speed is measured against: the reference loop and the step by hand compute what the engine computes."""

import json

import numpy as np
import pytest
import torch

import agekit
from agekit.game.game import Game
from benchmarks.speed import cpu
from benchmarks.speed.by_hand import ByHand, Convolutions
from benchmarks.speed.data_path import made_up
from benchmarks.speed.page import text
from benchmarks.speed.reference import Files, Reference
from benchmarks.speed.rounds import alternate, ratios, workers
from benchmarks.speed.rows import Goal, Row
from benchmarks.speed.worker import Setup

from .tiny import gradients_of, recorded

CPU = torch.device("cpu")
WIDTH = 2


@pytest.fixture
def game():
    recipe = agekit.load("age_celeba", *(f"networks.{n}.width={WIDTH}" for n in "eg"), "compute.threads=1")
    fields = recipe.dataset.fields()
    pictures = np.random.default_rng(0).integers(0, 256, (256, 3, 64, 64), dtype=np.uint8)
    return Game(recipe, {"x": pictures, "attributes": np.zeros((256, 40), np.float32)}, fields, CPU)


@pytest.mark.parametrize("kind", [Reference, ByHand])
@pytest.mark.parametrize(("player", "network"), [("encoder", "e"), ("generator", "g")])
def test_the_reference_and_the_step_by_hand_are_what_the_engine_does(game, kind, player, network, monkeypatch):
    draws, taken = recorded(monkeypatch)
    wanted, terms = gradients_of(game, player)
    seen = game.data().take(np.array(taken[0]), ["x"])["x"] if taken else None
    other = kind(WIDTH, CPU, lambda: seen, lambda: draws[0][1])
    for name in "eg":
        theirs = getattr(other, name).state_dict().values()
        for theirs_, ours in zip(theirs, game.networks[name].state_dict().values(), strict=True):
            theirs_.copy_(ours)
    got = getattr(other, f"{player}_update")()
    assert got == pytest.approx({name: value.item() for name, value in terms.items()}, rel=1e-4)
    found = [p.grad for p in getattr(other, network).parameters()]
    ours = [value for name, value in wanted.items() if name.startswith(f"{network}.")]
    for one, two in zip(found, ours, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-3, atol=1e-6)
    wasted = [p.grad for p in getattr(other, "eg".replace(network, "")).parameters()]
    assert [grad is not None for grad in wasted] == [kind is Reference] * len(wasted)


def test_the_convolutions_alone_are_those_of_the_networks():
    alone = Convolutions(4, 2, CPU)
    assert (len(alone.e), len(alone.g)) == (5, 5)
    alone.step()


def test_a_goal_is_met_from_its_bound_on():
    assert [Goal(1.3, at_least=True).met_by(value) for value in (1.29, 1.3)] == [False, True]
    assert [Goal(0.8, at_least=False).met_by(value) for value in (0.8, 0.81)] == [True, False]


def test_a_figure_that_was_not_taken_says_so_and_meets_no_goal():
    taken = Row("a step", Goal(1.3, at_least=True), (1.5, 1.2, 1.4), "2 s", "3 s")
    missing = Row("a recipe", Goal(60, at_least=False, unit="s"), note="needs CUDA")
    assert taken.cells()[3:] == ["1.4 ×", "1.2 to 1.5", "≥ 1.3 ×", "yes"]
    assert missing.cells()[3:] == ["not taken", "", "≤ 60 s", ""]
    assert (missing.met, missing.as_json()["value"]) == (None, None)
    page = text("Title", "make it", {"threads": "1"}, [taken, missing])
    assert "| a recipe |  |  | not taken |  | ≤ 60 s |  |" in page
    assert "- a recipe: needs CUDA\n" in page


def test_ratios_are_of_the_same_round():
    assert ratios([2.0, 9.0], [1.0, 3.0]) == [2.0, 3.0]


@pytest.mark.slow
def test_a_contender_in_a_process_of_its_own_takes_steps_and_tells_its_memory():
    setups = {name: Setup(name, width=1, batch=2, images=256) for name in ("convolutions",)}
    with workers(setups) as found:
        series = alternate(found, steps=2, budget_seconds=0, warm_up=1)
        assert {name: len(one.seconds) for name, one in series.items()} == dict.fromkeys(setups, 5)
        assert all(seconds > 0 for one in series.values() for seconds in (*one.seconds, *one.cpu_seconds))
        assert all(0 <= memory["above"] < memory["whole"] for memory in (one.memory() for one in found.values()))


def test_the_reference_decodes_as_celeba_is_prepared(tmp_path):
    folder = made_up(tmp_path / "celeba", 3)
    source = agekit.load("age_celeba", f"data.root={folder}").dataset.open()
    files = Files(sorted((folder / "img_align_celeba").iterdir()))
    assert len(source) == len(files) == 3
    ours = torch.from_numpy(np.array(source.read(1)["x"])).float().div(127.5).sub(1)
    assert torch.equal(files[1], ours)


@pytest.mark.slow
@pytest.mark.parametrize("bf16", [True, False])
def test_the_whole_bench_runs_and_leaves_a_page_with_every_row(bf16, tmp_path, monkeypatch):
    monkeypatch.setattr(cpu, "has_bf16", lambda: bf16)
    monkeypatch.setattr("benchmarks.speed.start.OURS", ["true"])
    monkeypatch.setattr("benchmarks.speed.start.THEIRS", ["true"])
    small = ["--width", "1", "--batch", "4", "--images", "256", "--rounds", "1", "--seconds", "0", "--together"]
    assert cpu.main([*small, "--threads", "1", "--clock", "cpu", "--out", str(tmp_path)]) == 0
    numbers = json.loads((tmp_path / "cpu.json").read_text())["rows"]
    assert len(numbers) == (9 if bf16 else 7)
    not_taken = [row["measure"] for row in numbers if row["value"] is None]
    assert not_taken == ([] if bf16 else ["age_celeba step, batch 4, bfloat16"])
    goals = {row["goal"] for row in numbers} - {""}
    assert goals == {str(goal) for goal in cpu.GOALS.values()}
    page = (tmp_path / "cpu.md").read_text()
    assert all(f"| {row['measure']} |" in page for row in numbers)
