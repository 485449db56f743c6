"""Plugins that misbehave: as they are imported, and in the middle of a run, which then ends and can go on."""

import pytest
import torch

import agekit
from agekit import plugins
from agekit.cli import components, main
from agekit.contracts import BrokenSample
from agekit.data.reading import Reader
from agekit.errors import AgekitError, PluginError
from agekit.game.blame import blamed
from agekit.train.data import prepare_all

from .runs import Quiet, begin
from .tiny import TINY, game_of, recipe_of

BROKEN = {
    "ends": ("import sys; sys.exit(3)", "SystemExit: 3"),
    "ends everything": ("raise BaseException('all of it')", "BaseException: all of it"),
    "is left": ("raise GeneratorExit", "GeneratorExit"),
    "is nested": ("def f(): f()\nf()", "RecursionError"),
    "is no module": (None, "ModuleNotFoundError"),
    "asks for what is not given": (
        "import agekit\n@agekit.hookimpl\ndef agekit_register(registries, colour): ...",
        "PluginValidationError",
    ),
    "misspells a hook": (
        "import agekit\n@agekit.hookimpl\ndef agekit_regsiter(registries): ...",
        "PluginValidationError",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_whatever_an_import_does_is_listed(name, installed, bare, tmp_path):
    code, said = BROKEN[name]
    installed("bad", code or "")
    if code is None:
        (tmp_path / "agekit_bad.py").unlink()
    installed("good", "")
    found = {plugin.name: plugin for plugin in plugins.load().plugins}
    assert said in found["bad"].error
    assert not found["good"].error


def test_a_plugin_for_another_api_is_not_imported(installed, bare):
    installed("old", "raise SystemExit", requires="agekit<0.1")
    (plugin,) = [one for one in plugins.load().plugins if one.name == "old"]
    assert plugin.error.startswith("needs agekit<0.1, and this is agekit")


def test_two_packages_with_a_plugin_of_one_name(installed, bare, tmp_path):
    installed("twin", "")
    other = tmp_path / "agekit_other-2.0.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: agekit-other\nVersion: 2.0\n")
    (other / "entry_points.txt").write_text("[agekit]\ntwin = agekit_twin\n")
    first, second = [one for one in plugins.load().plugins if one.name == "twin"]
    assert not first.error
    assert second.error == f"{first.origin} {first.version} has a plugin of this name, too, and came first"


def test_a_slow_import_is_named(installed, bare, monkeypatch, capsys):
    monkeypatch.setattr(components, "SLOW_SECONDS", 0.2)
    installed("slow", "import time; time.sleep(0.3)")
    assert main(["plugins"]) == 0
    (row,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("slow ")]
    assert "well; its import took 0." in row


class Failing(agekit.Reciprocity):
    """Fails at its third call."""

    def __call__(self, output, target):
        CALLS.append(1)
        if len(CALLS) == 3:
            raise KeyError("colour")
        return (output - target).square().flatten(1).mean(1)


CALLS: list[int] = []
FAILING = TINY.replace('reciprocity = "l1"', 'reciprocity = "failing"')
ADDED = {"failing": ("reciprocities", Failing)}


def test_a_loss_that_fails_is_named_with_its_term():
    CALLS.clear()
    game = game_of(text=FAILING, components=ADDED)
    game.step()
    game.step()
    with pytest.raises(PluginError) as caught:
        game.step()
    said = "term reconstruct: reciprocity failing: Failing of tests raised KeyError: 'colour'"
    assert str(caught.value) == said


def test_a_network_that_fails_is_named_with_its_call(monkeypatch):
    game = game_of()
    monkeypatch.setattr(type(game.networks["g"]), "forward", lambda *_: torch.zeros(2) @ torch.zeros(3))
    with pytest.raises(PluginError, match=r"^networks\.\w, applied in \w\(\w\): raised RuntimeError: "):
        game.step()


def test_an_optimizer_that_fails_is_named_with_its_player(monkeypatch):
    game = game_of()
    monkeypatch.setattr(game.seats[1].optimizer, "step", lambda: [][1])
    with pytest.raises(PluginError, match=r"^players\.generator\.optimizer: Adam: raised IndexError: list index"):
        game.step()


def test_a_schedule_that_fails_is_named(monkeypatch):
    game = game_of("players.encoder.terms.real.weight={ schedule = 'linear', start = 1.0, end = 2.0 }")
    monkeypatch.setattr(type(game.seats[0].player.terms[0].weight), "__call__", lambda *_: 1 / 0)
    with pytest.raises(PluginError, match=r"^a schedule at .*: \w+ of agekit: raised ZeroDivisionError: "):
        game.step()


def test_a_reference_that_fails_is_named(monkeypatch):
    game = game_of()
    kind = type(game.recipe.reference)
    monkeypatch.setattr(kind, "sample", lambda *_, **__: 1 / 0)
    with pytest.raises(PluginError, match=rf"^reference: {kind.__name__} of agekit: raised ZeroDivisionError: "):
        game.step()


def test_a_data_set_that_cannot_be_opened_is_named(tmp_path, monkeypatch):
    recipe = recipe_of()
    monkeypatch.setattr(type(recipe.dataset), "open", lambda _: {1: 2}[3])
    with pytest.raises(PluginError, match=r"^dataset toyfaces: ToyFaces of agekit: raised KeyError: 3"):
        prepare_all(recipe, tmp_path)


def test_a_metric_that_fails_is_named(monkeypatch):
    from agekit.builtin.metrics import PSNR
    from agekit.game.judge import Judge
    from agekit.game.views import Gallery

    def rows(*_):
        raise ZeroDivisionError("of nothing")

    monkeypatch.setattr(PSNR, "rows", rows)
    game = game_of(text=TINY + '[metrics]\nfine = { metric = "psnr", of = "g(e(x))", to = "x", count = 8 }\n')
    with pytest.raises(
        PluginError, match=r"^metrics\.fine: metric psnr: PSNR of agekit raised ZeroDivisionError: of n"
    ):
        Judge(Gallery(game)).judge()


class Source:
    def identity(self):
        return "one"

    def name(self, index):
        return f"sample {index}"

    def __len__(self):
        return 1

    def read(self, index):
        raise (LookupError, BrokenSample, AgekitError)[index]("no such colour")


def test_a_data_set_that_fails_is_named_with_the_sample():
    read = Reader(Source(), {}).sample
    with pytest.raises(PluginError, match=r"^sample sample 0: Source of tests raised LookupError: no such colour$"):
        read(0)
    for index, kind in enumerate((BrokenSample, AgekitError), start=1):
        with pytest.raises(kind, match=r"^no such colour$"):
            read(index)


@pytest.mark.parametrize(
    "error", [MemoryError(), torch.OutOfMemoryError(), RuntimeError("can't allocate memory"), ValueError()]
)
def test_what_is_no_mistake_of_a_component_is_left_as_it_is(error):
    with pytest.raises(type(error)), blamed("here", object()):
        raise error


def test_a_run_whose_loss_fails_ends_in_one_line_and_its_checkpoint_stands(elsewhere, monkeypatch):
    from pathlib import Path

    from agekit.builtin.reciprocities import L1
    from agekit.train.checkpoint import checkpoints

    original, calls = L1.__call__, []

    def failing(self, output, target):
        calls.append(1)
        if len(calls) == 6:
            raise OSError("gone")
        return original(self, output, target)

    monkeypatch.setattr(L1, "__call__", failing)
    with pytest.raises(PluginError, match=r"^term reconstruct: reciprocity l1: L1 of agekit raised OSError: gone"):
        begin("a", text=TINY, listener=Quiet())
    assert [one.path.name for one in checkpoints(Path("runs/a/checkpoints"))] == ["step-000000004"]
