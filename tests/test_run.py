"""Runs: interrupted, resumed, repeated, damaged; and what lies in their folders."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # type: ignore[import-untyped]

import agekit
from agekit import plugins
from agekit.cli import main
from agekit.train.folder import RunFolder, open_run
from agekit.train.run import play, resume, start

from .tiny import TINY, recipe_of

PARTS = ("weights", "optimizers", "statistics")
STAGED = (
    TINY.replace("batch   = 8", "batch   = 8\nflip    = true").replace("steps            = 12", "")
    + """
[networks.t]
average_of = "g"
decay      = 0.9

[[stages]]
name  = "first"
steps = 5

[[stages]]
name       = "second"
steps      = 7
data.batch = 20
players.encoder.terms.reconstruct.weight = 7.5
"""
)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch, cache, tmp_path):
    """Work in an empty folder, and leave torch as it was."""
    monkeypatch.setenv("AGEKIT_CACHE", str(cache))
    monkeypatch.chdir(tmp_path)
    deterministic = torch.are_deterministic_algorithms_enabled()
    yield
    torch.use_deterministic_algorithms(deterministic)


class Quiet:
    """A listener that says nothing, and does something after a step."""

    def __init__(self, after=0, action=None):
        self.after, self.action = after, action

    def preparing(self, done, total): ...

    def begins(self, run): ...

    def logged(self, run, line): ...

    def ends(self, run, interrupted): ...

    def stepped(self, run):
        if self.action and run.game.steps_done == self.after:
            self.action()


class Killed(Exception):
    pass


def killed():
    raise Killed


def begin(name, text=STAGED, listener=None, settings=()):
    """Start a run and play it, to its end or until its listener has it otherwise."""
    listener = listener or Quiet()
    run = start(recipe_of(*settings, text=text), plugins.load(), Path("runs"), name, listener)
    play(run, listener)
    return run


def go_on(name, text=STAGED, listener=None):
    listener = listener or Quiet()
    run = resume(recipe_of(text=text), open_run(Path("runs") / name), listener)
    play(run, listener)
    return run


def left_behind(name):
    """What must be the same, byte for byte: tensors as files, counters, metrics without the clock."""
    folder = RunFolder(Path("runs") / name)
    last = sorted(folder.checkpoints.iterdir())[-1]
    state = json.loads((last / "state.json").read_text())
    lines = [json.loads(line) for line in folder.metrics.read_text().splitlines()]
    assert all(line.pop("clock")["images_per_second"] > 0 for line in lines)
    tensors = {part: (last / f"{part}.safetensors").read_bytes() for part in PARTS}
    return last.name, tensors, state["optimizers"], state["stage_step"], [json.dumps(line) for line in lines]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, cache):
    """What the staged run leaves behind where nothing happens to it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("whole"))
        patch.setenv("AGEKIT_CACHE", str(cache))
        begin("whole")
        return left_behind("whole")


# ---- interruption


def test_an_uninterrupted_run_has_what_was_asked_for(uninterrupted):
    name, tensors, _, stage_step, lines = uninterrupted
    assert (name, stage_step) == ("step-000000012", 7)
    steps = [json.loads(line)["step"] for line in lines]
    assert steps == [3, 4, 6, 8, 9, 12]  # every third, and with every checkpoint
    assert [json.loads(line)["stage"] for line in lines] == ["first"] * 2 + ["second"] * 4
    assert all(tensors.values())


@pytest.mark.parametrize("step", [1, 3, 4, 5, 6, 7, 11])
def test_asked_to_stop_after_any_step_a_run_goes_on_as_if_nothing_had_happened(step, uninterrupted):
    ask = signal.SIGTERM if step % 2 else signal.SIGINT
    run = begin("cut", listener=Quiet(step, lambda: signal.raise_signal(ask)))
    assert (run.finished, run.game.steps_done) == (False, step)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert go_on("cut").finished
    assert left_behind("cut") == uninterrupted


@pytest.mark.parametrize("step", [2, 4, 5, 6, 9])
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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
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


# ---- the folder


def agekit_run(*arguments):
    """Run the tiny recipe from the command line; the status."""
    Path("tiny.toml").write_text(TINY)
    return main(["run", "tiny.toml", *arguments])


def test_a_runs_folder_holds_all_that_was_asked_for(capsys):
    assert agekit_run("--json", "--seed", "3", "--device", "cpu") == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == {"run": "runs/tiny-0001", "step": 12, "finished": True}
    assert "runs/tiny-0001/pictures/samples.png" in err
    folder = Path("runs/tiny-0001")
    assert {path.name for path in folder.iterdir()} == {
        "checkpoints",
        "events",
        "metrics.jsonl",
        "pictures",
        "plan.txt",
        "recipe.toml",
        "run.json",
    }
    numbers = ("-000000006", "-000000012", "")
    names = {f"{view}{number}.png" for view in ("samples", "reconstructions") for number in numbers}
    assert {path.name for path in (folder / "pictures").iterdir()} == names
    mark = json.loads((folder / "run.json").read_text())
    assert (mark["recipe"], mark["seed"], mark["device"]) == ("tiny", 3, "cpu")
    assert mark["data"]["count"] == 40
    assert mark["packages"]["torch"] == torch.__version__.partition("+")[0] or torch.__version__
    assert mark["origins"]["run.seed"].startswith("--set")


def test_the_recipe_in_a_runs_folder_repeats_it():
    agekit_run("--seed", "5", "--set", "latent.dim=4", "--steps", "5")
    assert main(["run", "runs/tiny-0001/recipe.toml"]) == 0
    assert left_behind("tiny-0001") == left_behind("recipe-0001")


def test_names_are_chosen_numbered_and_never_taken_twice(capsys):
    short = ("--steps", "1")
    assert agekit_run(*short) == 0
    assert agekit_run(*short) == 0
    shutil.rmtree("runs/tiny-0001")
    assert agekit_run(*short) == 0
    assert agekit_run(*short, "--name", "mine", "--out", "others") == 0
    assert sorted(path.name for path in Path("runs").iterdir()) == ["tiny-0002", "tiny-0003"]
    assert agekit_run(*short, "--name", "mine", "--out", "others") == 1
    assert "error: others/mine is there already" in capsys.readouterr().err
    for name in ("../up", "", ".hidden", "a/b"):
        assert agekit_run(*short, "--name", name) == 1
        assert "a name is letters, digits" in capsys.readouterr().err
    assert not Path("up").exists()


def test_intervals_count_steps_or_epochs_and_the_last_checkpoints_are_kept():
    settings = (
        'run.log_every="1 epoch"',
        'run.pictures_every="2 epochs"',
        'run.checkpoint_every="2 steps"',
        "run.keep=2",
    )
    begin("counted", TINY, settings=settings)
    folder = RunFolder(Path("runs/counted"))
    lines = [json.loads(line) for line in folder.metrics.read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 4, 5, 6, 8, 10, 12]
    assert [line["epoch"] for line in lines] == [0, 0, 1, 1, 1, 2, 2]
    assert sorted(path.name for path in folder.pictures.glob("samples-*")) == [
        "samples-000000010.png",
        "samples-000000012.png",
    ]
    assert sorted(path.name for path in folder.checkpoints.iterdir()) == ["step-000000010", "step-000000012"]


def events_of(folder):
    accumulator = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0, "tensors": 0})
    accumulator.Reload()
    return accumulator


def test_tensorboard_reads_every_curve_picture_and_text_and_no_step_twice():
    begin("seen", listener=Quiet(10, lambda: signal.raise_signal(signal.SIGINT)))
    shutil.rmtree("runs/seen/checkpoints/step-000000010")
    go_on("seen")
    events = events_of("runs/seen/events")
    lines = [json.loads(line) for line in Path("runs/seen/metrics.jsonl").read_text().splitlines()]
    for tag in ("encoder/real", "generator/recover", "weights/encoder/reconstruct", "learning_rate/encoder"):
        assert [event.step for event in events.Scalars(tag)] == [line["step"] for line in lines]
    recorded = [event.value for event in events.Scalars("encoder/real")]
    assert recorded == pytest.approx([line["terms"]["encoder"]["real"] for line in lines], rel=1e-6)
    assert [event.step for event in events.Scalars("codes/effective_rank")] == [6, 12]
    assert 1 < events.Scalars("codes/effective_rank")[0].value < 6
    tags = events.Tags()
    assert set(tags["images"]) == {f"{name} (recalibrated statistics)" for name in ("samples", "reconstructions")}
    image = events.Images("samples (recalibrated statistics)")[-1]
    assert (image.step, image.width) == (12, 4 * (8 * 18 + 2))
    assert tags["distributions"] == ["codes"]
    for name in ("recipe", "plan"):
        text = events.Tensors(f"{name}/text_summary")[0].tensor_proto.string_val[0].decode()
        first = next(Path("runs/seen").glob(f"{name}.*")).read_text().splitlines()[0]
        assert first in text
    assert {"_hparams_/experiment", "_hparams_/session_start_info"} <= set(events.summary_metadata)


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


def damage(file):
    blob = bytearray(file.read_bytes())
    blob[-1] ^= 1
    file.write_bytes(blob)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: damage(folder / "optimizers.safetensors"), "optimizers.safetensors is damaged"),
        (lambda folder: (folder / "statistics.safetensors").unlink(), "statistics.safetensors cannot be read"),
        (lambda folder: (folder / "state.json").write_text("{"), "state.json cannot be read"),
        (lambda folder: (folder / "state.json").write_text("[]"), "has format None"),
        (lambda folder: (folder / "state.json").write_text('{"format": 1}'), "state.json is damaged"),
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


def test_a_run_that_came_to_its_end_is_not_resumed_and_stays_as_it_is(capsys):
    agekit_run("--steps", "6")
    before = left_behind("tiny-0001")
    assert main(["resume", "runs/tiny-0001"]) == 1
    assert "came to its end, at step 6" in capsys.readouterr().err
    assert left_behind("tiny-0001") == before
    assert [event.step for event in events_of("runs/tiny-0001/events").Scalars("encoder/real")] == [3, 4, 6]


def test_other_data_than_the_run_began_with_is_refused(capsys):
    agekit_run("--steps", "6")
    recipe = Path("runs/tiny-0001/recipe.toml")
    recipe.write_text(recipe.read_text().replace("count = 40", "count = 41"))
    assert main(["resume", "runs/tiny-0001", "--steps", "12"]) == 1
    assert "the data has changed since the run began" in capsys.readouterr().err


def test_numbers_that_are_none_end_a_run_with_their_names(capsys):
    hot = ("players.generator.updates=1", "players.generator.optimizer.lr=1e30", "run.log_every=1")
    assert agekit_run(*(word for setting in hot for word in ("--set", setting))) == 1
    err = capsys.readouterr().err
    assert "step 2: players.encoder.terms.fake is nan" in err
    assert "a smaller learning rate" in err
    lines = Path("runs/tiny-0001/metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1]
    assert not list(Path("runs/tiny-0001/checkpoints").iterdir())


def test_weights_that_are_none_are_not_written_to_a_checkpoint(capsys):
    run = start(recipe_of(), plugins.load(), Path("runs"), "spoilt", Quiet())

    def spoil():
        with torch.no_grad():
            dict(run.game.named_tensors())["g.layers.1.weight"].fill_(float("inf"))

    with pytest.raises(agekit.RunError, match=r"step 4: the tensor g\.layers\.1\.weight is not finite"):
        play(run, Quiet(4, spoil))
    assert not list(run.folder.checkpoints.iterdir())


# ---- disks


@pytest.mark.parametrize("limit", [100, 1000, 3000, 6000, 12000, 40000])
def test_a_full_disk_is_one_clear_message(limit, capsys):
    """No file may grow beyond a limit: the recipe, the events, the pictures and the tensors fail in turn."""
    import resource

    agekit_run("--name", "first", "--steps", "1")
    capsys.readouterr()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        assert main(["run", "tiny.toml"]) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert "cannot be written" in err
    assert "File too large" in err
    assert err.count("\n") == 1


def test_a_place_that_cannot_be_written_is_one_clear_message(capsys):
    Path("file").write_text("")
    assert agekit_run("--out", "file/runs") == 1
    assert agekit_run("--out", "/proc/agekit") == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("error: ") and "cannot be written" in line for line in lines)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
def test_a_read_only_folder_is_one_clear_message(capsys):
    agekit_run("--steps", "4")
    folder = Path("runs/tiny-0001")
    for path in (folder / "events", folder / "metrics.jsonl", Path("runs")):
        path.chmod(0o500 if path.is_dir() else 0o400)
    assert agekit_run() == 1
    assert main(["resume", str(folder), "--steps", "6"]) == 1
    Path("runs").chmod(0o700)
    (folder / "events").chmod(0o700)
    assert capsys.readouterr().err.count("cannot be written: Permission denied") == 2


def test_a_write_that_fails_on_the_way_keeps_the_last_checkpoint(monkeypatch, capsys):
    def refuse(path, picture):
        raise OSError(30, "Read-only file system", str(path))

    monkeypatch.setattr("agekit.train.watch.save_png", refuse)
    assert agekit_run() == 1
    err = capsys.readouterr().err
    assert "samples-000000006.png cannot be written: Read-only file system" in err
    assert err.count("\n") == 1
    assert [path.name for path in Path("runs/tiny-0001/checkpoints").iterdir()] == ["step-000000004"]
    monkeypatch.undo()


@pytest.mark.parametrize("command", ["resume", "sample", "reconstruct"])
def test_a_folder_that_is_no_run_is_refused(command, capsys):
    Path("folder").mkdir()
    Path("torn").mkdir()
    Path("torn/run.json").write_text("{")
    Path("later").mkdir()
    Path("later/run.json").write_text('{"format": 2}')
    Path("list").mkdir()
    Path("list/run.json").write_text("[]")
    more = ["picture.png"] if command == "reconstruct" else []
    for name, said in (
        ("absent", "does not exist"),
        ("folder", "is not a run's folder: it has no run.json"),
        ("torn", "cannot be read"),
        ("later", "has format 2"),
        ("list", "has format None"),
    ):
        assert main([command, name, *more]) == 1
        err = capsys.readouterr().err
        assert err.startswith("error: ")
        assert said in err
        assert err.count("\n") == 1


# ---- looking


@pytest.fixture(scope="module")
def trained(tmp_path_factory, cache):
    """The folder of a run of the tiny recipe; its data is gone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("trained"))
        patch.setenv("AGEKIT_CACHE", str(tmp_path_factory.mktemp("gone")))
        begin("seen", TINY)
        return Path("runs/seen").resolve()


@pytest.fixture
def no_data(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("data was asked for")

    monkeypatch.setattr("agekit.data.prepare.prepare", refuse)
    monkeypatch.setattr("agekit.train.run.prepare", refuse)


def shape(path):
    with Image.open(path) as image:
        return image.size


@pytest.mark.usefixtures("no_data")
def test_samples_are_those_of_the_run_unless_another_seed_is_named(trained, capsys):
    assert main(["sample", str(trained), "--n", "8", "--out", "own.png"]) == 0
    assert "own.png  samples: g(z), recalibrated statistics" in capsys.readouterr().out
    assert Path("own.png").read_bytes() == (trained / "pictures" / "samples.png").read_bytes()
    assert main(["sample", str(trained), "--n", "8", "--seed", "4", "--out", "other.png"]) == 0
    assert shape("other.png") == shape("own.png")
    assert Path("own.png").read_bytes() != Path("other.png").read_bytes()


@pytest.mark.usefixtures("no_data")
def test_a_persons_pictures_are_reconstructed(trained, capsys):
    Path("mine").mkdir()
    for index in range(3):
        pixels = np.full((30 + index, 50, 3), 60 * index, np.uint8)
        Image.fromarray(pixels).save(f"mine/{index}.png")
    assert main(["reconstruct", str(trained), "mine", "mine/1.png", "--out", "pairs.png"]) == 0
    assert "pairs.png  reconstructions: g(e(x))" in capsys.readouterr().out
    assert shape("pairs.png") == (4 * (4 * (2 * 16 + 4) + 4), 4 * (16 + 2 + 2))
    left = np.asarray(Image.open("pairs.png").convert("RGB"))[4 * 2 + 8, 4 * 4 + 8]
    assert left.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sample", "RUN", "--view", "sampels"], "no view is called 'sampels'; did you mean samples?"),
        (["sample", "RUN", "--view", "codes"], "this needs the run's data"),
        (["sample", "RUN", "--n", "0"], "--n 0"),
        (["sample", "RUN", "--out", "absent/a.png"], "absent/a.png cannot be written"),
        (["sample", "RUN", "--out", "."], "cannot be written"),
        (["sample", "RUN", "--device", "cuda:9"], "device 'cuda:9'"),
        (["reconstruct", "RUN", "text.png"], "text.png cannot be read"),
        (["reconstruct", "RUN", "absent.png"], "absent.png cannot be read: No such file"),
        (["reconstruct", "RUN", "empty"], "empty holds no picture"),
        (["reconstruct", "RUN", "good.png", "--view", "codes"], "view codes shows z [6], which is no picture"),
    ],
)
def test_what_cannot_be_shown_is_one_clear_message(arguments, said, trained, capsys):
    Path("text.png").write_text("no picture")
    Path("empty").mkdir()
    Image.new("RGB", (20, 20)).save("good.png")
    assert main([str(trained) if word == "RUN" else word for word in arguments]) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert said in err
    assert err.count("\n") == 1


def test_a_run_without_a_checkpoint_has_nothing_to_show(trained, capsys):
    shutil.copytree(trained, "bare")
    shutil.rmtree("bare/checkpoints")
    assert main(["sample", "bare"]) == 1
    assert "bare has no checkpoint yet" in capsys.readouterr().err


def test_a_network_is_taken_from_a_run(trained, capsys):
    settings = ["--set", f'networks.e.from="{trained}"', "--set", "players.encoder=false"]
    assert agekit_run(*settings, "--steps", "1", "--name", "after") == 0
    weights = [
        load_file(sorted(folder.glob("checkpoints/*"))[-1] / "weights.safetensors")
        for folder in (trained, Path("runs/after"))
    ]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0] if name.startswith("e."))
    assert agekit_run("--set", f'networks.g.from="{trained}"', "--set", "networks.g.width=3") == 1
    assert "of another network" in capsys.readouterr().err
    assert agekit_run("--set", f'networks.e2={{ encoder = "dcgan", from = "{trained}" }}') == 1
    assert "has no network 'e2'; it has e, g" in capsys.readouterr().err


# ---- from Python


def test_python_loads_builds_plays_and_shows(capsys):
    Path("tiny.toml").write_text(TINY)
    recipe = agekit.load("tiny.toml", "latent.dim=5", "run.seed=2")
    game = agekit.build(recipe)
    step = game.step()
    assert step.terms["encoder"]["real"].isfinite()
    assert agekit.show(game, "codes", count=7).of.shape == (7, 5)
    images = agekit.show(game, "samples", 3, seed=1).of
    assert images.shape == (3, 3, 16, 16)
    assert images.abs().max() <= 1
    assert capsys.readouterr() == ("", "")
