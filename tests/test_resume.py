"""Runs that were interrupted, killed or damaged, and go on."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

import agekit
from agekit import plugins
from agekit.cli import main
from agekit.files import remove_folder, sealed_text
from agekit.train.folder import open_run
from agekit.train.play import play
from agekit.train.run import resume, start

from .runs import Killed, Quiet, agekit_run, begin, damage, events_of, go_on, killed, left_behind
from .tiny import TINY, recipe_of

pytestmark = pytest.mark.usefixtures("elsewhere")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, cache):
    """What the staged run leaves behind where nothing happens to it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("whole"))
        patch.setenv("AGEKIT_CACHE", str(cache))
        begin("whole")
        return left_behind("whole")


def test_an_uninterrupted_run_has_what_was_asked_for(uninterrupted):
    name, tensors, _, stage_step, lines = uninterrupted
    assert (name, stage_step) == ("step-000000012", 7)
    steps = [json.loads(line)["step"] for line in lines]
    assert steps == [3, 4, 5, 6, 8, 9, 10, 12]  # every third, with every checkpoint, and where metrics are taken
    assert [json.loads(line)["stage"] for line in lines] == ["first"] * 3 + ["second"] * 5
    judged = {json.loads(line)["step"]: json.loads(line).get("metrics", {}).keys() for line in lines}
    second = {"far", "spread"}
    assert {step: names for step, names in judged.items() if names} == {5: {"far", "codes"}, 10: second, 12: second}
    assert all(tensors.values())


@pytest.mark.parametrize("step", [3, 6, *(pytest.param(step, marks=pytest.mark.slow) for step in (1, 4, 5, 7, 11))])
def test_asked_to_stop_after_any_step_a_run_goes_on_as_if_nothing_had_happened(step, uninterrupted):
    ask = signal.SIGTERM if step % 2 else signal.SIGINT
    run = begin("cut", listener=Quiet(step, lambda: signal.raise_signal(ask)))
    assert (run.finished, run.game.steps_done) == (False, step)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert go_on("cut").finished
    assert left_behind("cut") == uninterrupted


@pytest.mark.parametrize("step", [4, 5, *(pytest.param(step, marks=pytest.mark.slow) for step in (2, 6, 9))])
def test_killed_after_any_step_a_run_goes_on_from_its_last_checkpoint(step, uninterrupted):
    with pytest.raises(Killed):
        begin("killed", listener=Quiet(step, killed))
    assert go_on("killed").finished
    assert left_behind("killed") == uninterrupted


def test_interrupted_again_and_again(uninterrupted):
    begin("often", listener=Quiet(2, lambda: signal.raise_signal(signal.SIGINT)))
    for step in (5, 6, 10):
        go_on("often", listener=Quiet(step, lambda: signal.raise_signal(signal.SIGINT)))
    go_on("often")
    assert left_behind("often") == uninterrupted


def test_a_second_ctrl_c_stops_at_once_and_what_was_written_stands(uninterrupted):
    def twice():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        begin("at_once", listener=Quiet(6, twice))
    go_on("at_once")
    assert left_behind("at_once") == uninterrupted


@pytest.mark.slow
def test_all_optimizers_resume_with_their_state_laid_out_as_before():
    for optimizer in ("adam", "adamw", "sgd"):
        extra = "momentum = 0.9" if optimizer == "sgd" else "weight_decay = 0.01"
        setting = f'players.encoder.optimizer={{ optimizer = "{optimizer}", lr = 1e-2, {extra} }}'
        text, settings = TINY, [setting, "networks.e.width=6"]
        begin(f"{optimizer}_whole", text, settings=settings)
        begin(f"{optimizer}_cut", text, Quiet(5, lambda: signal.raise_signal(signal.SIGINT)), settings)
        run = resume(recipe_of(*settings, text=text), open_run(Path("runs") / f"{optimizer}_cut"), Quiet())
        play(run, Quiet())
        assert left_behind(f"{optimizer}_whole") == left_behind(f"{optimizer}_cut")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_process_that_is_signalled_writes_a_checkpoint_and_says_how_to_go_on(number):
    Path("tiny.toml").write_text(TINY)
    command = [sys.executable, "-m", "agekit", "run", "tiny.toml", "--name", "long", "--json"]
    command += ["--set", "run.steps=1000000", "--set", "run.checkpoint_every=1000000"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    metrics = Path("runs/long/metrics.jsonl")
    while process.poll() is None and not (metrics.exists() and metrics.read_bytes()):
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "agekit resume runs/long" in err
    said = json.loads(out.splitlines()[-1])
    (checkpoint,) = Path("runs/long/checkpoints").iterdir()
    assert said == {"run": "runs/long", "step": int(checkpoint.name[5:]), "finished": False}


# ---- damage


def test_a_damaged_checkpoint_is_passed_over_and_named(capsys, uninterrupted):
    begin("hurt", listener=Quiet(9, lambda: signal.raise_signal(signal.SIGINT)))
    newest = Path("runs/hurt/checkpoints/step-000000009")
    damage(newest / "weights.safetensors")
    run = go_on("hurt")
    assert "weights.safetensors is damaged" in run.damaged[0]
    assert left_behind("hurt") == uninterrupted
    assert [path.name for path in sorted(newest.parent.iterdir())] == [
        "damaged-step-000000009",
        "step-000000004",
        "step-000000008",
        "step-000000012",
    ]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: damage(folder / "optimizers.safetensors"), "optimizers.safetensors is damaged"),
        (lambda folder: (folder / "statistics.safetensors").unlink(), "statistics.safetensors cannot be read"),
        (lambda folder: (folder / "state.json").write_text("{"), "state.json cannot be read"),
        (lambda folder: (folder / "state.json").write_text("[]"), "has format None"),
        (lambda folder: (folder / "state.json").write_text('{"format": 1}'), "state.json is damaged"),
        (lambda folder: rewrite(folder / "state.json", '"stage": 0', '"stage": 1'), "state.json is damaged"),
    ],
)
def test_where_every_checkpoint_is_damaged_nothing_is_resumed(spoil, said, capsys):
    agekit_run("--steps", "8")
    for folder in Path("runs/tiny-0001/checkpoints").iterdir():
        spoil(folder)
    for command in (["resume", "runs/tiny-0001"], ["sample", "runs/tiny-0001"]):
        capsys.readouterr()
        assert main(command) == 1
        err = capsys.readouterr().err
        assert err.startswith("error: no checkpoint can be used:")
        assert said in err
        assert err.count("\n") == 3


def rewrite(path, was, becomes):
    text = path.read_text()
    assert was in text
    path.write_text(text.replace(was, becomes))


def test_a_step_whose_checkpoint_is_damaged_twice_is_set_aside_twice():
    agekit_run("--steps", "9")
    newest = Path("runs/tiny-0001/checkpoints/step-000000009")
    for names in ({"damaged-step-000000009"}, {"damaged-step-000000009", "damaged-step-000000009-1"}):
        damage(newest / "weights.safetensors")
        assert main(["resume", "runs/tiny-0001", "--steps", "9"]) == 0
        assert {path.name for path in newest.parent.glob("damaged-*")} == names


def test_the_console_names_a_damaged_checkpoint(capsys):
    agekit_run("--steps", "9")
    damage(Path("runs/tiny-0001/checkpoints/step-000000009/weights.safetensors"))
    capsys.readouterr()
    assert main(["resume", "runs/tiny-0001", "--steps", "12"]) == 0
    out = capsys.readouterr().out
    assert "step-000000009/weights.safetensors is damaged" in out
    assert "from step 8" in out


def test_a_run_that_was_cut_short_goes_on_to_a_later_step():
    agekit_run("--steps", "5")
    assert main(["resume", "runs/tiny-0001", "--steps", "12"]) == 0
    agekit_run("--name", "whole")
    assert left_behind("tiny-0001")[1:4] == left_behind("whole")[1:4]


def test_a_run_goes_on_as_it_began_wherever_it_is_computed(capsys):
    agekit_run("--steps", "5")
    capsys.readouterr()
    resumed = ["resume", "runs/tiny-0001", "--steps", "6", "--set"]
    assert main([*resumed, " run . seed = 3"]) == 1
    assert "error: --set run.seed: a run goes on as it began; only data.root, " in capsys.readouterr().err
    assert main([*resumed, "data.root"]) == 1
    assert "found 'data.root', where KEY=VALUE fits" in capsys.readouterr().err
    assert main([*resumed, " compute . device = cpu"]) == 0


def test_a_run_that_came_to_its_end_is_not_resumed_and_stays_as_it_is(capsys):
    agekit_run("--steps", "6")
    before = left_behind("tiny-0001")
    assert main(["resume", "runs/tiny-0001"]) == 1
    said = "stands at step 6, and step 6, where it is to end, is reached: --steps N names a later one"
    assert said in capsys.readouterr().err
    assert left_behind("tiny-0001") == before
    assert [event.step for event in events_of("runs/tiny-0001/events").Scalars("encoder/real")] == [3, 4, 6]


def test_beyond_the_end_of_its_stages_no_later_step_can_be_named(capsys):
    agekit_run("--steps", "500")
    assert "an epoch; its stages have no more, and 500 were asked for" in capsys.readouterr().out
    assert main(["resume", "runs/tiny-0001", "--steps", "1000"]) == 1
    assert "where it is to end, is reached: its stages have no more" in capsys.readouterr().err


def test_other_data_than_the_run_began_with_is_refused(capsys):
    agekit_run("--steps", "6")
    recipe = Path("runs/tiny-0001/recipe.toml")
    recipe.write_text(sealed_text(recipe.read_text().replace("count = 40", "count = 41")))
    assert main(["resume", "runs/tiny-0001", "--steps", "12"]) == 1
    assert "the data has changed since the run began" in capsys.readouterr().err
    assert main(["resume", "runs/tiny-0001", "--steps", "8", "--despite", "data"]) == 0
    (change,) = open_run(recipe.parent).read_mark()["changes"]
    assert (change["step"], change["what"]) == (6, "data")
    assert change["to"] == open_run(recipe.parent).marked_data().fingerprint != change["from"]
    assert main(["resume", "runs/tiny-0001", "--steps", "12"]) == 0  # what was accepted is what the run has now


@pytest.mark.parametrize("file", ["recipe.toml", "run.json"])
def test_what_a_run_wrote_about_itself_is_not_taken_as_another_says_it(file, capsys):
    agekit_run("--steps", "6")
    rewrite(Path("runs/tiny-0001") / file, "40", "41")
    for command in ("resume", "sample"):
        assert main([command, "runs/tiny-0001"]) == 1
        assert f"runs/tiny-0001/{file}" in (said := capsys.readouterr().err)
        assert "damaged" in said


def test_lines_of_metrics_that_were_lost_are_made_again(uninterrupted, capsys):
    begin("short", listener=Quiet(10, lambda: signal.raise_signal(signal.SIGINT)))
    metrics = Path("runs/short/metrics.jsonl")
    lines = metrics.read_bytes().splitlines(keepends=True)
    metrics.write_bytes(b"".join(lines[:4]))
    run = go_on("short")
    assert ["step-000000010" in said for said in run.damaged] == [True, False]
    assert left_behind("short") == uninterrupted


def test_metrics_that_are_damaged_before_every_checkpoint_stop_no_run_that_is_to_go_on_despite_that(capsys):
    agekit_run("--steps", "8")
    rewrite(Path("runs/tiny-0001/metrics.jsonl"), '{"step": 3', '{"step": 2')
    assert main(["resume", "runs/tiny-0001", "--steps", "12"]) == 1
    assert "resume --despite metrics goes on with what is there" in capsys.readouterr().err
    assert main(["resume", "runs/tiny-0001", "--steps", "12", "--despite", "metrics"]) == 0
    lines = [json.loads(line) for line in Path("runs/tiny-0001/metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 4, 6, 8, 9, 12]


def test_numbers_that_are_none_end_a_run_with_their_names(capsys):
    hot = ("players.generator.updates=1", "players.generator.optimizer.lr=1e30", "run.log_every=1")
    assert agekit_run(*(word for setting in hot for word in ("--set", setting))) == 1
    err = capsys.readouterr().err
    assert "step 2: players.encoder.terms.fake is nan" in err
    assert "players.generator.optimizer.lr: smaller" in err
    lines = Path("runs/tiny-0001/metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2]
    assert not list(Path("runs/tiny-0001/checkpoints").iterdir())


def test_the_first_step_and_term_that_are_none_are_named_however_late_they_are_looked_at(capsys):
    hot = (
        "players.generator.updates=1",
        "players.generator.optimizer.lr=1e30",
        "run.log_every=8",
        "run.pictures_every=8",
    )
    assert agekit_run(*(word for setting in hot for word in ("--set", setting)), "--set", "run.checkpoint_every=8") == 1
    assert "step 2: players.encoder.terms.fake is nan" in capsys.readouterr().err


def test_weights_that_are_none_are_not_written_to_a_checkpoint(capsys):
    run = start(recipe_of(), plugins.load(), Path("runs"), "spoilt", Quiet())

    def spoil():
        with torch.no_grad():
            dict(run.game.named_tensors())["g.layers.1.weight"].fill_(float("inf"))

    with pytest.raises(agekit.RunError, match=r"step 4: the tensor g\.layers\.1\.weight is not finite"):
        play(run, Quiet(4, spoil))
    assert not list(run.folder.checkpoints.iterdir())


def test_a_run_without_a_checkpoint_begins_anew_and_says_so(capsys):
    assert agekit_run("--name", "young", "--steps", "2") == 0
    for checkpoint in Path("runs/young/checkpoints").iterdir():
        remove_folder(checkpoint)
    assert main(["verify", "runs/young"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "checkpoints not here none was written yet" in [" ".join(line.split()) for line in lines]
    assert main(["resume", "runs/young", "--steps", "2"]) == 0
    assert "resumed   from its beginning, for there is no checkpoint of a later step" in capsys.readouterr().out
