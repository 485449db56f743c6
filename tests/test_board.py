"""What TensorBoard is given, and what a real browser shows of it."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.plugins.custom_scalar.layout_pb2 import Layout  # type: ignore[import-untyped]

from agekit.game.pulls import pulls
from agekit.report.plots import spectrum_plot
from agekit.report.projector import write_projector
from agekit.statistics import spectrum

from .browser import CHROMIUM, browsing, tensorboard
from .runs import STAGED, begin, events_of
from .tiny import equal, game_of, gradients_of, weights_of

pytestmark = pytest.mark.usefixtures("elsewhere")

SHOTS = Path(__file__).parent.parent / "build" / "screenshots"
"""Where the browser's pictures are left, to be looked at."""


@pytest.fixture(scope="module")
def seen(tmp_path_factory, cache):
    """The folder of a run of two stages."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("board"))
        patch.setenv("AGEKIT_CACHE", str(cache))
        begin("seen", STAGED)
        return Path("runs/seen").resolve()


# ---- how terms pull


def weights_as_written(game):
    return {seat.player.name: {term.name: float(term.weight) for term in seat.player.terms} for seat in game.seats}


def test_pulls_are_norms_and_cosines_of_weighted_gradients():
    game = game_of()
    found = pulls(game, weights_as_written(game))
    assert set(found) == {"encoder", "generator"}
    names = ["real", "fake", "reconstruct"]
    assert list(found["encoder"].norms) == [*names, "total"]
    assert list(found["encoder"].cosines) == ["real and fake", "real and reconstruct", "fake and reconstruct"]
    other = pulls(game, {**weights_as_written(game), "encoder": {"real": 2.0, "fake": 0.0, "reconstruct": -5.0}})[
        "encoder"
    ]
    assert other.norms["real"] == pytest.approx(2 * found["encoder"].norms["real"], rel=1e-5)
    assert other.cosines == {
        "real and reconstruct": pytest.approx(-found["encoder"].cosines["real and reconstruct"], rel=1e-4)
    }
    norms, cosines = found["encoder"].norms, found["encoder"].cosines
    square = sum(norms[name] ** 2 for name in names)
    square += 2 * sum(
        norms[a] * norms[b] * cosines[f"{a} and {b}"]
        for a, b in (("real", "fake"), ("real", "reconstruct"), ("fake", "reconstruct"))
    )
    assert norms["total"] == pytest.approx(square**0.5, rel=1e-4)


def test_a_pull_is_the_gradient_that_an_update_follows(monkeypatch):
    """On the batch of an update itself, the norm is that of what the update leaves in the parameters."""
    game = game_of()
    taken = game_of()
    monkeypatch.setattr("agekit.game.pulls._leaves", lambda g, seat, key: leaves_of_the_update(taken, seat.player.name))
    found = pulls(game, weights_as_written(game))["encoder"].norms["total"]
    gradients, _ = gradients_of(game_of(), "encoder")
    norm = sum(g.square().sum() for name, g in gradients.items() if g is not None and name.startswith("e.")) ** 0.5
    assert found == pytest.approx(norm.item(), rel=1e-4)


def leaves_of_the_update(game, player):
    seen: dict[str, torch.Tensor] = {}

    def note(name, inputs):
        seen.setdefault(name, inputs[0].detach())

    game.networks["e"].register_forward_pre_hook(lambda _, inputs: note("x", inputs))
    game.networks["g"].register_forward_pre_hook(lambda _, inputs: note("z", inputs))
    gradients_of(game, player)
    return seen


def test_measuring_pulls_moves_nothing():
    measured, plain = game_of("data.flip=true"), game_of("data.flip=true")
    for game in (measured, plain):
        game.step()
    before, state = weights_of(measured), torch.random.get_rng_state()
    gradients = {n: p.grad for net in measured.networks.values() for n, p in net.named_parameters()}
    first, again = (pulls(measured, weights_as_written(measured)) for _ in range(2))
    assert first == again
    assert equal(before, weights_of(measured))
    assert all(p.grad is gradients[n] for net in measured.networks.values() for n, p in net.named_parameters())
    for game in (measured, plain):
        game.step()
    assert equal(weights_of(measured), weights_of(plain))
    assert state.shape == torch.random.get_rng_state().shape


def lines_of(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_pulls_are_taken_with_the_pictures_or_when_the_recipe_says(seen):
    by_pictures = lines_of(seen)
    assert [line["step"] for line in by_pictures if "gradients" in line] == [6, 12]
    assert set(by_pictures[-1]["gradients"]["generator"]) == {"fake", "recover", "total"}
    assert by_pictures[-1]["clock"]["gradients_seconds"] > 0
    short = "run.stop_after=5", "run.pictures_every=2"
    begin("own", STAGED, settings=(*short, "run.gradients_every=4"))
    assert [line["step"] for line in lines_of(Path("runs/own")) if "gradients" in line] == [4, 5]
    begin("never", STAGED, settings=(*short, 'run.gradients_every="never"'))
    never = lines_of(Path("runs/never"))
    assert not any("gradients" in line or "gradients_seconds" in line["clock"] for line in never)
    assert [line["terms"] for line in never if line["step"] == 3] == [by_pictures[0]["terms"]]


# ---- what is drawn and written


def test_the_spectrum_is_that_of_the_covariance():
    codes = torch.randn(300, 5, generator=torch.Generator().manual_seed(0)) * torch.tensor([3.0, 1, 2, 0.5, 0])
    expected = np.linalg.eigvalsh(np.cov(codes.double().numpy().T, bias=True))[::-1]
    assert np.allclose(spectrum(codes).numpy(), expected.clip(0), atol=1e-9)


def test_a_plot_shows_a_bar_for_each_value_and_the_line():
    plot = spectrum_plot([1.0, 0.1, 0.0], 0.03, "title")
    bars = (plot == np.array([0x44, 0x77, 0xAA])[:, None, None]).all(0).sum(0)
    heights = sorted({int(height) for height in bars if height > 5}, reverse=True)
    assert len(heights) >= 2
    assert (plot == np.array([0xCC, 0x33, 0x11])[:, None, None]).all(0).any()
    assert spectrum_plot([0.0, float("nan")], None, "nothing").shape == plot.shape


def test_the_projectors_files_say_the_same_of_every_code(tmp_path):
    codes, pictures = np.arange(10.0).reshape(5, 2), np.arange(5, dtype=np.uint8)[:, None, None, None] * 50
    labels = {"hair\tstyle": ["a", "b\nc", "d", "e", "f"]}
    write_projector(tmp_path, 'e("x")', codes, np.broadcast_to(pictures, (5, 1, 100, 60)), labels)

    def table(name):
        return list(csv.reader((tmp_path / name).read_text().splitlines(), delimiter="\t"))

    assert [[float(value) for value in row] for row in table("codes.tsv")] == codes.tolist()
    rows = table("labels.tsv")
    assert rows[0] == ["sample", "hair style"]
    assert rows[2] == ["1", "b c"]
    assert len(rows) == 6
    sprite = np.asarray(Image.open(tmp_path / "sprite.png").convert("L"))
    assert sprite.shape == (144, 144)
    assert (sprite[70, 70], sprite[70, 10]) == (200, 150)
    assert "tensor_name: \"e('x')\"" in (tmp_path / "projector_config.pbtxt").read_text()


def test_the_layout_opens_on_terms_side_by_side_and_every_tag_is_there(seen):
    events = events_of(seen / "events")
    blob = events.Tensors("custom_scalars__config__")[0].tensor_proto.string_val[0]
    categories = Layout.FromString(blob).category
    assert [category.closed for category in categories] == [False, True, True, True]
    charts = {chart.title: list(chart.multiline.tag) for category in categories for chart in category.chart}
    assert charts["divergence kl_sphere: encoder/real, encoder/fake, generator/fake"] == [
        "^encoder/real$",
        "^encoder/fake$",
        "^generator/fake$",
    ]
    tags = events.Tags()["scalars"]
    assert len(charts) == 17
    assert [t for t, regexes in charts.items() if not all(any(re.match(r, tag) for tag in tags) for r in regexes)] == []


# ---- in a browser


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is here to look with")
def test_a_browser_shows_every_dashboard_filled(seen, tmp_path):
    SHOTS.mkdir(parents=True, exist_ok=True)
    dashboards = {
        "custom_scalars": (
            ["divergence kl_sphere: encoder/real", "Gradients: how hard", "Matches (3)"],
            {"shapes": 12},
        ),
        "scalars": (["clock/gradients_seconds", "cosines 4", "encoder 3", "gradients 7"], {"shapes": 4}),
        "images": (["samples (recalibrated statistics)", "reconstructions"], {"pictures": 2}),
        "histograms": (["codes (recalibrated statistics, held-out data)"], {"shapes": 2}),
        "text": (["one update:", "provenance", "kl_sphere"], {}),
        "hparams": (["latent.dim", "last/encoder/real", "seen/events"], {}),
        "projector": (["Points: 30", "Dimension: 6"], {"shapes": 1}),
    }
    with tensorboard(seen.parent) as address, browsing(tmp_path / "profile") as browser:
        for name, (texts, drawn) in dashboards.items():
            browser.see(f"{address}/#{name}", *texts, **drawn)
            browser.screenshot(SHOTS / f"{name}.png")
