"""Numbers that are none: caught at the step, the term and the update, answered as the recipe says, played again."""

import json
import signal
from pathlib import Path

import pytest
import torch

from agekit import Reciprocity, RunError, option
from agekit.cli import main
from agekit.train import sentinel
from agekit.train.checkpoint import checkpoints
from agekit.train.folder import open_run
from agekit.train.play import play
from agekit.train.replay import Listener, replay
from agekit.train.run import resume, start

from .runs import Quiet, agekit_run, left_behind
from .tiny import TINY, equal, game_of, loaded_with, recipe_of, weights_of

pytestmark = pytest.mark.usefixtures("elsewhere")

BRIGHT = 18
"""The one sample of the tiny recipe's data whose mean is above 0.56."""


class Spoiled(Reciprocity):
    """Mean absolute difference; a sample of a bright target has a value, or a gradient, that is no number."""

    gradient: bool = option(False, help="the value is fine, its gradient is not")

    def __call__(self, of, to):
        gap = (of - to).abs().flatten(1).mean(1)
        bright = to.flatten(1).mean(1) > 0.56
        if self.gradient:
            return gap + torch.where(bright, gap - gap.detach(), 1).sqrt()  # the root of 0: a slope without end
        return gap / (~bright).to(gap.dtype).detach() * (~bright)


SPOILED = {"spoiled": ("reciprocities", Spoiled)}
TERM = 'players.encoder.terms.spoiled={reciprocity="spoiled",of="g(e(x))",to="x"}'
SLOPE = 'players.encoder.terms.spoiled={reciprocity="spoiled",of="g(e(x))",to="x",gradient=true}'
RARELY = ("run.log_every=100", "run.pictures_every=100", "run.checkpoint_every=100")


def made(name, *settings, listener=None):
    listener = listener or Quiet()
    run = start(recipe_of(*settings, text=TINY, components=SPOILED), loaded_with(SPOILED), Path("runs"), name, listener)
    play(run, listener)
    return run


def gone_on(name, *settings, listener=None):
    listener = listener or Quiet()
    run = resume(recipe_of(*settings, text=TINY, components=SPOILED), open_run(Path("runs") / name), listener)
    play(run, listener)
    return run


def events(name):
    lines = [json.loads(line) for line in Path(f"runs/{name}/metrics.jsonl").read_text().splitlines()]
    return [event for line in lines for event in line.get("sentinel", [])]


def bright_step(game):
    """The step, counted from 1, at which the encoder first meets the bright sample."""
    return 1 + next(step for step in range(5) if BRIGHT in game.batch_of("encoder", 0, 0, step))


@pytest.mark.parametrize(
    ("setting", "named"),
    [(TERM, "players.encoder.terms.spoiled is nan"), (SLOPE, "the gradient of players.encoder is ")],
)
def test_a_number_that_is_none_is_caught_at_its_step_and_named(setting, named):
    """Nothing is due there: on a CPU it is seen all the same, before the next step is played."""
    listener = Quiet()
    with pytest.raises(
        RunError, match=rf"step (\d+): {named}.* in update 1; .*agekit replay runs/none --step \1 shows"
    ):
        made("none", setting, *RARELY, listener=listener)
    step = bright_step(game_of())
    (event,) = events("none")
    assert (event["step"], event["name"], event["action"]) == (step, "not finite", "stop")
    fault = json.loads(Path(f"runs/none/faults/step-{step:09d}.json").read_text())
    assert fault["step"] == step
    assert BRIGHT in fault["batches"]["encoder"][0]
    assert [len(batches) for batches in fault["batches"].values()] == [1, 2]
    assert fault["found"][0]["player"] == "encoder"


def test_a_device_that_computes_ahead_is_asked_when_something_is_due(monkeypatch):
    """There the same step is named, and not the one after which it was asked."""
    monkeypatch.setattr(sentinel, "computes_ahead", lambda device: True)
    step = bright_step(game_of())
    assert step < 4
    with pytest.raises(RunError, match=rf"step {step}: players.encoder.terms.spoiled is nan"):
        made("ahead", TERM, "run.log_every=4")
    (event,) = events("ahead")
    assert event["step"] == step
    assert json.loads(Path("runs/ahead/metrics.jsonl").read_text().splitlines()[-1])["step"] == 4


def test_a_spoiled_checkpoint_is_never_written(monkeypatch):
    monkeypatch.setattr(sentinel, "computes_ahead", lambda device: True)
    with pytest.raises(RunError, match="is nan"):
        made("kept", SLOPE, *RARELY[:2], "run.checkpoint_every=1")
    there = checkpoints(Path("runs/kept/checkpoints"))
    assert len(there) == bright_step(game_of()) - 1
    for checkpoint in there:
        state = checkpoint.state()
        assert all(value.isfinite().all() for value in checkpoint.part("weights", state["sha256"]).values())


# ---- skipping


@pytest.mark.parametrize("setting", [TERM, SLOPE])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_an_update_that_is_skipped_leaves_all_as_it_was(setting, optimizer):
    chosen = f'players.encoder.optimizer={{optimizer="{optimizer}",lr=0.01}}'
    game = game_of(setting, "sentinel.skips=1", chosen, components=SPOILED)
    seat = game.seats[0]
    for name, array in game.data()._arrays.items():  # noise is dark: one sample is made bright
        if name == "x":
            array[BRIGHT] = 255
    for _ in range(bright_step(game) - 1):
        assert not game.step().made["encoder"][0].skipped
    before, state = weights_of(game), str(seat.optimizer.state_dict())
    update = game.update(seat, 0, game.controllers.weights(seat.player, game.progress))
    assert update.skipped
    assert equal(before, weights_of(game))
    assert str(seat.optimizer.state_dict()) == state
    report = game.step()
    assert [one.skipped for one in report.made["encoder"]] == [True]
    assert [one.skipped for one in report.made["generator"]] == [False, False]
    assert not game.step().made["encoder"][0].skipped
    assert all(tensor.isfinite().all() for tensor in weights_of(game).values())


def test_skipping_goes_on_and_says_so(capsys):
    run = made("skips", TERM, "sentinel.skips=1")
    assert run.finished
    found = events("skips")
    step = bright_step(game_of())
    assert (found[0]["action"], found[0]["step"]) == ("skip", step)
    assert len(found) in (2, 3)
    assert run.sentinel.state.skipped == {"encoder": 0, "generator": 0}
    assert len(list(Path("runs/skips/faults").iterdir())) == len(found)


def test_too_many_skipped_in_a_row_end_a_run_or_take_it_back():
    blown = ("players.generator.optimizer.lr=1e30", "sentinel.skips=4")
    with pytest.raises(RunError, match=r"step 3: players\.generator\.terms\.fake is nan in update 2; .*stopped"):
        made("many", *blown)
    assert [event["action"] for event in events("many")] == ["skip"] * 6 + ["stop"]
    run = made("back", *blown, "sentinel.action=roll back", "sentinel.factor=1e-33")
    assert run.finished
    assert run.sentinel.state.rollbacks == 1


def test_controllers_stand_still_where_an_update_was_skipped():
    weight = 'weight={controller="gradient_balance",term="reconstruct",like="real"}'
    game = game_of(TERM, "sentinel.skips=1", f"players.encoder.terms.reconstruct.{weight}", components=SPOILED)
    game.data()._arrays["x"][BRIGHT] = 255
    for _ in range(bright_step(game) - 1):
        game.step()
    before = {name: value.clone() for name, value in game.controllers.named_tensors()}
    game.step()
    assert equal(before, dict(game.controllers.named_tensors()))
    game.step()
    assert not equal(before, dict(game.controllers.named_tensors()))


@pytest.mark.slow
@pytest.mark.parametrize("policy", [("sentinel.skips=1",), ("sentinel.action=roll back", "sentinel.rollbacks=9")])
def test_resuming_is_exact_whatever_is_done(policy):
    """Interrupted before, at and after what was skipped or taken back; the last checkpoint is of the same bytes."""
    settings = (TERM, *policy, "run.checkpoint_every=2", "run.log_every=2", "run.steps=7")
    if policy[0] != "sentinel.skips=1":
        settings = ("players.generator.optimizer.lr=1e30", "sentinel.factor=1e-33", *policy, *settings[-3:])
    assert made("whole", *settings).finished
    assert events("whole")
    for after in (1, 3, 4):
        name = f"broken-{after}"
        made(name, *settings, listener=Quiet(after, lambda: signal.raise_signal(signal.SIGINT)))
        gone_on(name, *settings)
        assert left_behind(name) == left_behind("whole")


# ---- again


def again(name, step, *settings):
    silent = Listener(lambda *_: None, lambda *_: None)
    recipe = recipe_of(*settings, text=TINY, components=SPOILED)
    return replay(recipe, open_run(Path("runs") / name), step, silent)


@pytest.mark.parametrize(
    ("setting", "first"), [(TERM, "reciprocity spoiled, of numbers"), (SLOPE, "the gradient at g(e(x))")]
)
def test_a_step_played_again_names_the_term_the_node_and_the_sample(setting, first):
    settings = (setting, *RARELY[:2], "run.checkpoint_every=1")
    with pytest.raises(RunError, match="is nan"):
        made("seen", *settings)
    step = bright_step(game_of())
    found = again("seen", step, *settings)
    assert found.begun == (f"step-{step - 1:09d}" if step > 1 else "the beginning")
    spoiled = [one for one in found.findings if one.first]
    assert (spoiled[0].player, spoiled[0].update, spoiled[0].term) == ("encoder", 0, "spoiled")
    assert spoiled[0].first == first
    if setting == SLOPE:
        assert spoiled[0].samples == (BRIGHT,)
    assert BRIGHT in found.batches["encoder"][0]
    assert found.fault is not None
    earlier = again("seen", step - 1, *settings) if step > 1 else None
    assert earlier is None or (earlier.after is None and not any(one.first for one in earlier.findings))


def test_a_step_played_again_from_anywhere_is_the_step_that_was():
    """Looking moves nothing: played from its beginning and from the middle, and as it was played."""
    settings = ("run.checkpoint_every=4", "run.steps=8")
    run = made("same", *settings)
    first = again("same", 8, *settings)
    assert first.begun == "step-000000004"
    assert equal(weights_of(run.game), weights_of(first.game))
    for folder in Path("runs/same/checkpoints").iterdir():
        (folder / "state.json").unlink()
    second = again("same", 8, *settings)
    assert second.begun == "the beginning"
    assert second.findings == first.findings


def test_layers_are_named_and_the_factors_of_the_time_are_used(capsys):
    assert agekit_run("--set", "players.generator.optimizer.lr=1e30", "--set", "sentinel.action=roll back",
                      "--set", "sentinel.factor=1e-33") == 0  # fmt: skip
    capsys.readouterr()
    assert main(["replay", "runs/tiny-0001", "--step", "1", "-o", "out"]) == 0
    out = capsys.readouterr().out
    assert "the run  had generator fake nan in update 2" in out
    assert "g(z), in g.layers.4 (ConvTranspose2d)" in out
    assert sorted(path.name for path in Path("out").iterdir()) == [
        "batches.json", "encoder-1.png", "generator-1.png", "generator-2.png",
    ]  # fmt: skip
    assert main(["replay", "runs/tiny-0001", "--step", "3", "--json"]) == 0
    line = json.loads(capsys.readouterr().out)
    assert (line["step"], line["after"]) == (3, None)
    assert all(finding["first"] == "" for finding in line["findings"])


def test_what_cannot_be_played_again_is_said(capsys):
    assert agekit_run() == 0
    for step in ("0", "13"):
        assert main(["replay", "runs/tiny-0001", "--step", step]) == 1
        assert f"--step {step}: runs/tiny-0001 has the steps 1 to 12" in capsys.readouterr().err
    assert main(["replay", "runs/tiny-0001", "--step", "2", "--set", "run.seed=3"]) == 1
    assert "--set run.seed: a step is played as it was" in capsys.readouterr().err
    folder = open_run(Path("runs/tiny-0001"))
    folder.faults.mkdir()
    (folder.faults / "step-000000002.json").write_text("{")
    assert main(["replay", "runs/tiny-0001", "--step", "2"]) == 1
    assert "step-000000002.json cannot be read" in capsys.readouterr().err
    assert torch.is_grad_enabled()
