"""Exporting: what comes back from a file is what the run makes, and what cannot be is told."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch

import agekit
from agekit.cli import main
from agekit.export.formats import FORMATS as WRITTEN
from agekit.game.networks import call_with
from agekit.look.opening import open_alone
from agekit.plugins import load
from agekit.train.folder import open_run
from agekit.train.sources import load_sources

from .runs import agekit_run
from .tiny import TINY, game_of

AVERAGED = '[networks.t]\naverage_of = "g"\ndecay = 0.5\n\n[players.encoder]'
JUDGED = '\n[metrics]\nfar = { reciprocity = "l1", of = "g(e(x))", to = "x" }\n'
FORMATS = {"safetensors": "safetensors", "torch-export": "pt2", "onnx": "onnx"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of a few steps, with a running average, metrics, and a best checkpoint that is not its last."""
    folder = tmp_path_factory.mktemp("exported")
    text = TINY.replace("[players.encoder]", AVERAGED, 1) + JUDGED
    text = text.replace("steps            = 12", "steps = 8").replace("[views]", '[views]\naverages = "t(z)"')
    (folder / "tiny.toml").write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("AGEKIT_CACHE", str(folder / "cache"))
        settings = ("run.best=lowest far.value", "run.metrics_every=4")
        assert main(["run", "tiny.toml", *(word for one in settings for word in ("--set", one))]) == 0
    return folder / "runs" / "tiny-0001"


def run_of(trained):
    """The run as it stands, by the ordinary way of looking at it."""
    return open_alone(open_run(trained), load(), "cpu", trust=False).gallery


def of_the_run(gallery, network, call, inputs):
    """What the run makes of inputs, with the statistics that its views have of a call."""
    module = gallery.game.networks[network].eval()
    with torch.no_grad():
        return call_with(module, gallery.statistics[call], inputs)


@pytest.mark.parametrize("form", ["safetensors", "torch-export", pytest.param("onnx", marks=pytest.mark.slow)])
def test_what_is_exported_is_what_the_views_show(form, trained, tmp_path, capsys, monkeypatch):
    if form == "onnx":
        pytest.importorskip("onnxscript")
        pytest.importorskip("onnxruntime")
    assert main(["export", str(trained), "--format", form, "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.{FORMATS[form]}" for name in ("g", "e")}
    assert "raw weights, batch-norm statistics recalibrated on g(z); differs from the run by" in out
    gallery = run_of(trained)
    applied = WRITTEN[form].read(tmp_path / f"g.{FORMATS[form]}", load())
    for count in (1, 3, 8):
        z = gallery.game.draw(count, "test")
        assert torch.allclose(applied(z), of_the_run(gallery, "g", "g(z)", (z,)), atol=1e-5)
    monkeypatch.chdir(tmp_path)
    for name, code, shape in zip("ge", out.split("\n\nimport ")[1:], ((8, 3, 16, 16), (8, 6)), strict=True):
        Path(f"{name}.py").write_text(f"import {code}")
        assert tuple(runpy.run_path(f"{name}.py")["made"].shape) == shape


def test_averages_running_statistics_and_the_best_checkpoint_are_others(trained, tmp_path, capsys):
    z = torch.nn.functional.normalize(torch.randn(4, 6, generator=torch.Generator().manual_seed(0)))
    made = {}
    for name, said in {
        "plain": (),
        "ema": ("--weights", "ema"),
        "running": ("--statistics", "running"),
        "best": ("--checkpoint", "best"),
    }.items():
        assert main(["export", str(trained), "--networks", "g", "--out", str(tmp_path / name), *said]) == 0
        made[name] = agekit.load_network(tmp_path / name / "g.safetensors")(z)
    out = capsys.readouterr().out
    assert "ema (t) weights, batch-norm statistics recalibrated on t(z)" in out
    assert "batch-norm statistics running" in out
    assert "best, step-000000004" in out
    different = [(a, b) for a in made for b in made if a < b and torch.allclose(made[a], made[b], atol=1e-3)]
    assert different == []
    assert all(value.requires_grad is False for value in made.values())


def test_an_exported_program_serves_in_another_recipe(trained, tmp_path):
    """The round trip: g of the run, as `from` of a recipe whose encoder learns to read its pictures."""
    assert main(["export", str(trained), "--format", "torch-export", "--networks", "g", "--out", str(tmp_path)]) == 0
    text = TINY.replace(
        'g = { generator = "dcgan", width = 2 }', f'g = {{ from = "{tmp_path}/g.pt2", sees = ["z"], makes = "x" }}'
    )
    start, rest = text.split("[players.generator]")
    text = start + "[views]" + rest.split("[views]")[1]
    (tmp_path / "reader.toml").write_text(text)
    assert main(["run", str(tmp_path / "reader.toml"), "--out", str(tmp_path / "runs"), "--steps", "1"]) == 1
    assert main(["run", str(tmp_path / "reader.toml"), "--out", str(tmp_path / "runs"), "--steps", "1", "--trust"]) == 0
    gallery = run_of(trained)
    recipe = agekit.load(tmp_path / "reader.toml")
    game = agekit.build(recipe, trust=True)
    z = game.draw(5, "test")
    assert torch.allclose(game.networks["g"](z), of_the_run(gallery, "g", "g(z)", (z,)), atol=1e-5)


def test_exported_weights_serve_as_from_of_a_recipe(trained, tmp_path):
    assert main(["export", str(trained), "--networks", "g", "--out", str(tmp_path)]) == 0
    game = game_of(f'networks.g.from="{tmp_path}/g.safetensors"')
    load_sources(game)
    gallery = run_of(trained)
    z = game.draw(5, "test")
    with torch.no_grad():
        assert torch.equal(game.networks["g"].eval()(z), of_the_run(gallery, "g", "g(z)", (z,)))


# ---- the hub's folder


def test_a_hubs_folder_has_a_card_weights_recipe_provenance_and_pictures(trained, tmp_path, capsys):
    hub = tmp_path / "hub"
    assert main(["export", str(trained), "--hub", str(hub)]) == 0
    files = {str(path.relative_to(hub)) for path in hub.rglob("*") if path.is_file()}
    assert files == {
        "README.md",
        "recipe.toml",
        "provenance.json",
        "g.safetensors",
        "e.safetensors",
        *(f"pictures/{name}.png" for name in ("samples", "averages", "reconstructions")),
    }
    _, front, card = (hub / "README.md").read_text().split("---\n", 2)
    values = {key: json.loads(value) for key, value in (line.split(": ", 1) for line in front.splitlines())}
    assert values["library_name"] == "agekit"
    assert values["pipeline_tag"] == "unconditional-image-generation"
    assert "agekit" in values["tags"]
    (result,) = values["model-index"][0]["results"]
    assert result["metrics"][0]["type"] == "far"
    assert "on 40 training" in result["metrics"][0]["name"]
    assert "`g.safetensors` | z [6] → x [3×16×16] | raw | recalibrated on g(z)" in card
    assert 'g = agekit.load_network("g.safetensors")' in card
    assert "![samples](pictures/samples.png)" in card
    assert str(trained.parent) not in "".join((hub / name).read_text() for name in ("README.md", "recipe.toml"))
    assert set(json.loads((hub / "provenance.json").read_text())) >= {"agekit", "packages", "data", "seed"}
    assert main(["validate", str(hub / "recipe.toml")]) == 0
    assert main(["export", str(trained), "--hub", str(hub)]) == 1
    assert "it is there already; a new or an empty folder fits" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [hub]


# ---- what cannot be


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (("--networks", "f"), "--networks f: no network is called so"),
        (("--checkpoint", "best", "--networks", "G"), "no network is called so; did you mean"),
        (("--out", "/proc/agekit"), "cannot be written"),
    ],
)
def test_what_does_not_fit_is_one_clear_message(said, message, trained, capsys):
    assert main(["export", str(trained), *said]) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert message in err or "known:" in err
    assert err.count("\n") == 1


@pytest.mark.usefixtures("elsewhere")
def test_what_a_run_does_not_have_is_told(capsys):
    unseen = [word for view in ("samples", "reconstructions", "codes") for word in ("--set", f"views.{view}=false")]
    assert agekit_run("--steps", "1", *unseen) == 0
    for said, message in (
        (("--weights", "ema"), "--weights ema: the run keeps no running average of a network (average_of)"),
        (("--checkpoint", "best"), "has no best checkpoint"),
        (("--statistics", "recalibrated"), "--statistics recalibrated: no view shows"),
    ):
        assert main(["export", "runs/tiny-0001", *said]) == 1
        assert message in capsys.readouterr().err
    assert main(["export", "nothing"]) == 1
    assert "nothing does not exist" in capsys.readouterr().err


def test_onnx_says_what_it_needs(trained, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("agekit.export.formats.find_spec", lambda name: None)
    assert main(["export", str(trained), "--format", "onnx", "--out", str(tmp_path)]) == 1
    assert "--format onnx needs onnx, onnxscript, onnxruntime: pip install 'agekit[onnx]'" in capsys.readouterr().err


def test_what_comes_back_as_another_is_refused_and_removed(trained, tmp_path, capsys, monkeypatch):
    real = WRITTEN["safetensors"].read
    monkeypatch.setattr(
        type(WRITTEN["safetensors"]),
        "read",
        lambda self, file, loaded: lambda *i: real(file, loaded)(*i) + 2e-5,
    )
    assert main(["export", str(trained), "--out", str(tmp_path)]) == 1
    assert (
        "comes back from g.safetensors as another: for a batch of 1 it differs from the run by 2e-05"
        in capsys.readouterr().err
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("tensors", "metadata", "said"),
    [
        (None, None, "is no safetensors file"),
        ({"a": torch.zeros(1)}, None, "does not say how its network is built: agekit export writes files that do"),
    ],
)
def test_files_of_something_else_are_refused(tensors, metadata, said, tmp_path):
    from safetensors.torch import save_file

    file = tmp_path / "other.safetensors"
    file.write_text("nothing of the kind")
    if tensors:
        save_file(tensors, file, metadata)
    with pytest.raises(agekit.RunError, match=said):
        agekit.load_network(file)


def test_a_file_that_was_damaged_is_refused_or_makes_no_difference(trained, tmp_path):
    assert main(["export", str(trained), "--networks", "g", "--out", str(tmp_path)]) == 0
    file, draw = tmp_path / "g.safetensors", np.random.default_rng(0)
    whole, tensors = file.read_bytes(), agekit.load_network(file).state_dict()
    verdicts = []
    for place in draw.integers(len(whole), size=60):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << draw.integers(8)]) + whole[place + 1 :])
        try:
            again = agekit.load_network(file).state_dict()
        except agekit.RunError as error:
            verdicts.append("is damaged: " in str(error) or "is no safetensors file: " in str(error))
        else:
            assert all(torch.equal(again[name], tensor) for name, tensor in tensors.items())
    assert all(verdicts)
    assert len(verdicts) > 50
