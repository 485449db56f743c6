"""What lies in a run's folder, and what happens where it cannot be written."""

import json
import os
import resource
import shutil
import signal
from pathlib import Path
from typing import get_args

import pytest
import torch
from safetensors.torch import load_file

from agekit.cli import main
from agekit.files import sealed, write_json
from agekit.recipe.tables import Compute
from agekit.train.checkpoint import Checkpoint
from agekit.train.folder import RunFolder

from .runs import Quiet, agekit_run, begin, events_of, go_on, left_behind
from .tiny import TINY

pytestmark = pytest.mark.usefixtures("elsewhere")


@pytest.mark.parametrize("precision", get_args(Compute.model_fields["precision"].annotation))
def test_a_run_comes_to_its_end_in_every_precision(precision):
    assert agekit_run("--steps", "2", "--set", f"compute.precision={precision}", "--set", "run.gradients_every=1") == 0
    state = Checkpoint(Path("runs/tiny-0001/checkpoints/step-000000002")).state()
    weights = load_file("runs/tiny-0001/checkpoints/step-000000002/weights.safetensors")
    kinds = {one.dtype for one in weights.values() if one.is_floating_point()}
    assert kinds == {torch.float64 if precision == "fp64" else torch.float32}
    assert state["step"] == 2


def test_a_runs_folder_holds_all_that_was_asked_for(capsys):
    assert agekit_run("--json", "--seed", "3", "--device", "cpu") == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == {"run": "runs/tiny-0001", "step": 12, "finished": True}
    assert "runs/tiny-0001/pictures/samples.png" in err
    folder = Path("runs/tiny-0001")
    assert {path.name for path in folder.iterdir()} == {
        "checkpoints",
        "events",
        "lock",
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
    assert mark["origins"]["run.seed"] == "--seed"


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
    shutil.rmtree("runs/tiny-0003")
    assert agekit_run(*short) == 0
    assert agekit_run(*short, "--name", "mine", "--out", "others") == 0
    assert sorted(path.name for path in Path("runs").iterdir() if path.is_dir()) == ["tiny-0002", "tiny-0004"]
    assert agekit_run(*short, "--name", "mine", "--out", "others") == 1
    assert "error: others/mine is there already" in capsys.readouterr().err
    for name in ("../up", "", ".hidden", "a/b", "é" * 101):
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
    codes = "codes (recalibrated statistics, held-out data)"
    assert [event.step for event in events.Scalars(f"{codes}/effective_rank")] == [6, 12]
    assert 1 < events.Scalars(f"{codes}/effective_rank")[0].value < 6
    tags = events.Tags()
    reconstructions = "reconstructions (recalibrated statistics, held-out data)"
    assert set(tags["images"]) == {"samples (recalibrated statistics)", reconstructions, f"{codes}/spectrum"}
    image = events.Images("samples (recalibrated statistics)")[-1]
    assert (image.step, image.width) == (12, 4 * (8 * 18 + 2))
    assert tags["distributions"] == [codes]
    for name in ("recipe", "plan"):
        text = events.Tensors(f"{name}/text_summary")[0].tensor_proto.string_val[0].decode()
        first = next(Path("runs/seen").glob(f"{name}.*")).read_text().splitlines()[0]
        assert first in text
    assert {"_hparams_/experiment", "_hparams_/session_start_info"} <= set(events.summary_metadata)


# ---- disks


@pytest.mark.parametrize("limit", [100, 1000, 3000, 6000, 12000, 40000])
def test_a_full_disk_is_one_clear_message(limit, capsys):
    """No file may grow beyond a limit: the recipe, the events, the pictures and the tensors fail in turn."""
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
    def refuse(path, png):
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
    Path("bare").mkdir()
    write_json(Path("bare/run.json"), sealed({"format": 1}))
    Path("shapeless").mkdir()
    data = {"fingerprint": "f", "fields": {"x": {"values": "image"}}}
    write_json(Path("shapeless/run.json"), sealed({"format": 1, "recipe": "tiny", "data": data}))
    Path("numbered").mkdir()
    write_json(Path("numbered/run.json"), sealed({"format": 1, "recipe": 3, "data": {**data, "fields": {}}}))
    Path("flipped").mkdir()
    Path("flipped/run.json").write_text(Path("bare/run.json").read_text().replace(": 1,", ":  1,").replace("f", "g", 1))
    Path("unsealed").mkdir()
    Path("unsealed/run.json").write_text('{"format": 1, "recipe": "tiny"}')
    more = ["picture.png"] if command == "reconstruct" else []
    for name, said in (
        ("absent", "does not exist"),
        ("folder", "is not a run's folder: it has no run.json"),
        ("torn", "cannot be read"),
        ("later", "has format 2"),
        ("list", "has format None"),
        ("bare", "bare/run.json lacks recipe"),
        ("shapeless", "shapeless/run.json lacks data.fields.x.shape"),
        ("flipped", "flipped/run.json has format None"),
        ("unsealed", "unsealed/run.json is damaged: its hash is not what it says"),
        ("numbered", "numbered/run.json has no sensible recipe"),
    ):
        assert main([command, name, *more]) == 1
        err = capsys.readouterr().err
        assert err.startswith("error: ")
        assert said in err
        assert err.count("\n") == 1


def test_intervals_in_epochs_are_those_of_the_stage():
    stages = "[[stages]]\nsteps = 3\n[[stages]]\nsteps = 10\ndata.batch = 10\n"
    settings = 'run.log_every="1 epoch"', "run.checkpoint_every=100", 'run.gradients_every="never"'
    begin("staged", f"{TINY}\n{stages}", settings=settings)
    lines = [json.loads(line) for line in Path("runs/staged/metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if line["stage"] == "stage 2" and "clock" in line][-3:] == [7, 11, 13]


def test_what_is_to_be_typed_next_can_be_typed(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", [".venv/bin/agekit"])
    for found, typed in (("/usr/bin/agekit", "agekit"), (None, ".venv/bin/agekit")):
        monkeypatch.setattr("shutil.which", lambda _, found=found: found)
        assert agekit_run("--steps", "1") == 0
        assert f"curves    {typed} board runs\n" in capsys.readouterr().out
