"""What is drawn from a run, on the command line and in Python; and what is taken from one."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

import agekit
from agekit import plugins
from agekit.builtin.toyfaces import ToyFaces
from agekit.cli import main
from agekit.game.batches import as_stored
from agekit.look.opening import open_alone
from agekit.train.folder import open_run

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


def pictures(count):
    """A folder of pictures of other sizes than the run's."""
    Path("mine").mkdir()
    for index in range(count):
        pixels = np.full((30 + index, 50, 3), 60 * index, np.uint8)
        pixels[:, : 20 + index] = 255 - 60 * index
        Image.fromarray(pixels).save(f"mine/{index}.png")


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


@pytest.mark.usefixtures("no_data")
def test_a_picture_that_cannot_be_read_is_named_counted_and_left_out(trained, capsys):
    pictures(3)
    Path("mine/1.png").write_bytes(b"broken")
    Path("mine/2-no.png").write_bytes(Path("mine/0.png").read_bytes()[:60])
    assert main(["reconstruct", str(trained), "mine", "--out", "pairs.png"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "left out  mine/1.png: not a picture of a known format"
    assert out[1].startswith("left out  mine/2-no.png: ")
    assert out[2] == "left out  2 of 4 pictures, which cannot be read"
    assert shape("pairs.png") == (2 * (4 * (2 * 16 + 4)) + 16, 4 * (16 + 2 + 2))
    Path("mine/0.png").unlink()
    Path("mine/2.png").unlink()
    assert main(["reconstruct", str(trained), "mine", "--out", "pairs.png"]) == 1
    err = capsys.readouterr().err
    assert "mine/1.png cannot be read: not a picture of a known format, and so on with all 2 of them" in err


@pytest.mark.usefixtures("no_data")
def test_a_folder_holds_a_file_each_and_the_pictures_are_those_of_the_grid(trained):
    assert main(["sample", str(trained), "--n", "8", "--out", "faces"]) == 0
    assert sorted(path.name for path in Path("faces").iterdir()) == [f"{index:06d}.png" for index in range(8)]
    main(["sample", str(trained), "--n", "8", "--out", "grid.png"])
    tiles = np.asarray(Image.open("grid.png"))[::4, ::4]
    assert np.array_equal(np.asarray(Image.open("faces/000003.png")), tiles[2:18, 3 * 18 + 2 : 4 * 18])
    assert main(["reconstruct", str(trained), "faces", "--out", "again"]) == 0
    assert sorted(path.name for path in Path("again").iterdir())[2] == "000002-000002.png"


@pytest.mark.usefixtures("no_data")
def test_ways_between_draws_are_those_of_a_view_that_moves_along(trained):
    assert main(["interpolate", str(trained), "--n", "3", "--steps", "8", "-o", "ways"]) == 0
    assert len(list(Path("ways").iterdir())) == 24
    opened = open_alone(open_run(trained), plugins.load(), None, trust=False)
    moving = opened.game.views["samples"].view.model_copy(update={"along": "z"})
    plan = replace(opened.game.views["samples"], view=moving)
    (shown,) = opened.gallery.stream(plan, count=24)
    stored = as_stored(shown.of)
    for index in (0, 7, 12):
        found = np.asarray(Image.open(f"ways/{index:06d}.png")).transpose(2, 0, 1)
        assert np.abs(found.astype(int) - stored[index]).max() <= 1


@pytest.mark.usefixtures("no_data")
def test_ways_go_from_each_picture_to_the_next_and_begin_at_their_reconstructions(trained):
    pictures(3)
    assert main(["interpolate", str(trained), "mine", "--steps", "5", "-o", "ways.png"]) == 0
    assert shape("ways.png") == (4 * (7 * 18 + 2), 4 * (2 * 18 + 2))
    assert main(["interpolate", str(trained), "mine", "--steps", "5", "-o", "ways"]) == 0
    assert main(["reconstruct", str(trained), "mine", "-o", "made"]) == 0
    made = [np.asarray(Image.open(path)).astype(int) for path in sorted(Path("made").iterdir())]
    ways = [np.asarray(Image.open(path)).astype(int) for path in sorted(Path("ways").iterdir())]
    assert len(ways) == 10
    for way, picture in ((0, 0), (4, 1), (5, 1), (9, 2)):
        assert np.abs(ways[way] - made[picture]).max() <= 1


@pytest.mark.usefixtures("no_data")
def test_codes_of_pictures_are_written_with_their_names(trained, capsys):
    pictures(3)
    Path("mine/1.png").write_bytes(b"broken")
    assert main(["encode", str(trained), "mine", "-o", "codes.safetensors"]) == 0
    assert "codes.safetensors  2 codes e(x), recalibrated statistics" in capsys.readouterr().out
    with safe_open("codes.safetensors", "pt") as file:
        said, codes = file.metadata(), file.get_tensor("codes")
    assert json.loads(said["names"]) == ["mine/0.png", "mine/2.png"]
    assert (said["code"], said["view"], said["step"]) == ("e(x)", "reconstructions = g(e(x))", "12")
    assert codes.shape == (2, 6)
    assert torch.allclose(codes.norm(dim=1), torch.ones(2), atol=1e-5)


def test_without_pictures_the_codes_are_those_of_the_training_data(trained):
    assert main(["encode", str(trained), "-o", "codes.safetensors"]) == 0
    with safe_open("codes.safetensors", "pt") as file:
        names, codes = json.loads(file.metadata()["names"]), file.get_tensor("codes")
    assert codes.shape == (40, 6)
    assert names[7] == "train face 7 of seed 0"


def test_a_training_sample_is_its_own_nearest_neighbour(trained, capsys):
    faces = ToyFaces(size=16, count=40).open()
    Path("mine").mkdir()
    for index in (3, 11):
        Image.fromarray(faces.read(index)["x"].transpose(1, 2, 0)).save(f"mine/{index:02}.png")
    for by in ("codes", "pixels"):
        assert main(["nearest", str(trained), "mine", "--k", "3", "--by", by, "-o", f"{by}.png"]) == 0
        rows = list(csv.DictReader(Path(f"{by}.csv").read_text().splitlines()))
        assert [row["place"] for row in rows] == ["1", "2", "3"] * 2
        assert [row["neighbour"] for row in rows[::3]] == ["train face 3 of seed 0", "train face 11 of seed 0"]
        distances = [float(row["distance"]) for row in rows]
        assert distances[0] < 1e-6 < distances[1] <= distances[2]
        assert shape(f"{by}.png") == (4 * (4 * 18 + 2), 4 * (2 * 18 + 2))
    assert "pixels.csv  6 neighbours, by the root of the mean squared difference of x" in capsys.readouterr().out


def test_pictures_are_edited_towards_attributes(trained, capsys):
    pictures(2)
    arguments = ["edit", str(trained), "mine", "--strengths=-1,0,4"]
    assert main([*arguments, "--towards", "smile", "--towards", "glasses", "-o", "edits.png"]) == 0
    out = capsys.readouterr().out
    assert "towards smile: codes explain " in out
    assert "over 40 training samples" in out
    assert shape("edits.png") == (4 * (4 * 18 + 2), 4 * (2 * 18 + 2))
    assert main([*arguments, "--towards", "factors.smile", "-o", "edits"]) == 0
    assert main(["reconstruct", str(trained), "mine", "-o", "made"]) == 0
    names = sorted(path.name for path in Path("edits").iterdir())
    assert names == [f"{i:06d}-{i // 3}{s}.png" for i, s in enumerate(("-1", "+0", "+4") * 2)]
    stays, moves, made = (
        np.asarray(Image.open(p)).astype(int) for p in (f"edits/{names[1]}", f"edits/{names[2]}", "made/000000-0.png")
    )
    assert np.abs(stays - made).max() <= 1
    assert np.abs(moves - made).max() > 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sample", "RUN", "--view", "sampels"], "no view is called 'sampels'; did you mean samples?"),
        (["sample", "RUN", "--view", "codes"], "view codes is not one of pictures that needs no data"),
        (["sample", "RUN", "--n", "0"], "--n 0"),
        (["sample", "RUN", "--out", "absent/a.png"], "absent/a.png cannot be written"),
        (["sample", "RUN", "--out", "."], "it is a folder with something in it"),
        (["sample", "RUN", "--out", "faces.jpg"], "ends in .jpg: .png makes a grid, no ending a folder"),
        (["sample", "RUN", "--n", "4097"], "a grid holds 4096 pictures; a name without .png is a folder of files"),
        (["interpolate", "RUN", "--steps", "1"], "--steps 1: a way has two ends"),
        (["interpolate", "RUN", "good.png"], "one picture has no way to another"),
        (["interpolate", "RUN", "good.png", "text.png"], "1 pictures cannot be read, and fewer than two are left"),
        (["interpolate", "RUN", "--view", "codes"], "view codes is not one of pictures made from one draw"),
        (["encode", "RUN", "good.png", "--view", "samples"], "view samples is not one in which x becomes a code"),
        (["encode", "RUN", "good.png", "-o", "absent/c.safetensors"], "absent/c.safetensors cannot be written"),
        (["edit", "RUN", "good.png", "--towards", "smlie"], "no such attribute; did you mean smile?"),
        (["edit", "RUN", "good.png", "--towards", "smile", "--strengths=1,b"], "--strengths 1,b: numbers"),
        (["edit", "RUN", "good.png", "--towards", "smile", "--count", "1"], "--towards smile: is "),
        (["nearest", "RUN", "good.png", "--k", "0"], "--k 0: one at least fits"),
        (["nearest", "RUN", "good.png", "--set", "run.seed=1"], "--set run.seed: a run is shown as it was trained"),
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
