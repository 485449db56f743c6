"""What is drawn from a run, on the command line and in Python; and what is taken from one."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import agekit
from agekit.cli import main

from .runs import agekit_run, begin
from .tiny import TINY

pytestmark = pytest.mark.usefixtures("elsewhere")


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
    monkeypatch.setattr("agekit.train.data.prepare", refuse)


def shape(path):
    with Image.open(path) as image:
        return image.size


def shown(path):
    """The pixels of a picture, and what it says of itself."""
    with Image.open(path) as image:
        return image.tobytes(), image.info


@pytest.mark.usefixtures("no_data")
def test_samples_are_those_of_the_run_unless_another_seed_is_named(trained, capsys):
    assert main(["sample", str(trained), "--n", "8", "--out", "own.png"]) == 0
    assert "own.png  samples: g(z), recalibrated statistics" in capsys.readouterr().out
    (own, said), (theirs, _) = shown("own.png"), shown(trained / "pictures" / "samples.png")
    assert own == theirs
    assert said == {"view": "samples = g(z)", "statistics": "recalibrated"}
    assert main(["sample", str(trained), "--n", "8", "--seed", "4", "--out", "other.png"]) == 0
    assert shape("other.png") == shape("own.png")
    assert Path("own.png").read_bytes() != Path("other.png").read_bytes()


@pytest.mark.usefixtures("no_data")
def test_a_persons_pictures_are_reconstructed(trained, capsys):
    Path("mine").mkdir()
    for index in range(3):
        pixels = np.full((30 + index, 50, 3), 60 * index, np.uint8)
        Image.fromarray(pixels).save(f"mine/{index}.png")
    own = ["--view", "reconstructions", "--out", "pairs.png"]
    assert main(["reconstruct", str(trained), "mine", "mine/1.png", *own]) == 0
    Path("pairs.png").rename("named.png")
    assert main(["reconstruct", str(trained), "mine", "mine/1.png", "--out", "pairs.png"]) == 0
    assert Path("named.png").read_bytes() == Path("pairs.png").read_bytes()
    assert "pairs.png  reconstructions: g(e(x))" in capsys.readouterr().out
    assert shape("pairs.png") == (4 * (4 * (2 * 16 + 4) + 4), 4 * (16 + 2 + 2))
    left = np.asarray(Image.open("pairs.png").convert("RGB"))[4 * 2 + 8, 4 * 4 + 8]
    assert left.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sample", "RUN", "--view", "sampels"], "no view is called 'sampels'; did you mean samples?"),
        (["sample", "RUN", "--view", "codes"], "view codes is not one of pictures that needs no data"),
        (["sample", "RUN", "--n", "0"], "--n 0"),
        (["sample", "RUN", "--out", "absent/a.png"], "absent/a.png cannot be written"),
        (["sample", "RUN", "--out", "."], "cannot be written"),
        (["sample", "RUN", "--device", "cuda:9"], "device 'cuda:9'"),
        (["reconstruct", "RUN", "text.png"], "text.png cannot be read"),
        (["reconstruct", "RUN", "absent.png"], "absent.png cannot be read: No such file"),
        (["reconstruct", "RUN", "empty"], "empty holds no picture"),
        (["reconstruct", "RUN", "good.png", "--view", "codes"], "not one of pictures made from x"),
        (
            ["reconstruct", "RUN", "good.png", "--view", "samples"],
            "view samples is not one of pictures made from x; --view reconstructions fits",
        ),
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


def test_python_takes_paths_from_where_it_is(tmp_path):
    Path("tiny.toml").write_text(TINY)
    recipe = agekit.load("tiny.toml", "networks.e.from=runs/a", "players.encoder=false")
    source = str(tmp_path / "runs" / "a")
    assert recipe.networks["e"].keys.source == recipe.document.tree["networks"]["e"]["from"] == source


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
