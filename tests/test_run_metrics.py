"""Metrics and held-out data in a run: what is written, shown and refused."""

import io
import json
import math
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

import agekit
from agekit import plugins
from agekit.cli import main
from agekit.contracts import Metric, Operand
from agekit.errors import RecipeError, RunError
from agekit.files import unsealed
from agekit.report.console import RunConsole, make_console
from agekit.report.metrics import read_metrics
from agekit.train.folder import RunFolder, open_run
from agekit.train.play import play
from agekit.train.run import resume, start
from agekit.train.telling import Teller

from .runs import Quiet, events_of
from .tiny import TINY, recipe_of

pytestmark = pytest.mark.usefixtures("elsewhere")

JUDGED = (
    TINY.replace("steps            = 12", "steps = 8\nmetrics_every = 3")
    + """
[data.held_out]
split = "test"
count = 21

[metrics]
far   = { reciprocity = "l1", of = "g(e(x))", to = "x" }
fakes = { divergence = "kl_gaussian", of = "e(g(z))", count = 30, statistics = "running" }
"""
)


class Broken(Metric):
    """Numbers that are none."""

    operands = {"of": Operand()}

    def rows(self, x):
        return x.flatten(1)

    def values(self, rows, spaces):
        return {"none": math.nan, "much": math.inf, "little": -math.inf, "fine": 1.5}


class Stopped(Teller):
    """Tells a person, and is asked to stop after step 5."""

    def stepped(self, run):
        super().stepped(run)
        if run.game.steps_done == 5:
            signal.raise_signal(signal.SIGINT)


class Listening(Quiet):
    """Notes how far the metrics are."""

    def __init__(self):
        super().__init__()
        self.told = []

    def judging(self, done, total):
        self.told.append((done, total))


def played(name="judged", text=JUDGED, listener=None, components=None, settings=()):
    listener = listener or Quiet()
    run = start(recipe_of(*settings, text=text, components=components), plugins.load(), Path("runs"), name, listener)
    play(run, listener)
    return run


def test_metrics_are_written_when_they_are_due_with_their_protocol():
    listener = Listening()
    run = played(listener=listener)
    lines = {line["step"]: line for line in read_metrics(run.folder.metrics)}
    assert {step for step, line in lines.items() if "metrics" in line} == {3, 6, 8}
    assert set(lines) == {3, 4, 6, 8}
    last = lines[8]
    assert last["metrics"].keys() == {"far", "fakes"}
    assert last["metrics"] == agekit.judge(run.game)
    assert last["protocol"] == {
        "far": {"data": "held out", "count": 21, "statistics": "recalibrated", "generated": 0},
        "fakes": {"data": "draws", "count": 30, "statistics": "running", "generated": 0},
    }
    assert 0 < last["metrics"]["far"]["value"] < 2
    assert listener.told == 3 * [(21, 51), (51, 51)]


def test_the_mark_of_a_run_names_its_held_out_data():
    run = played()
    held_out = json.loads((run.folder.path / "run.json").read_text())["data"]["held_out"]
    assert held_out == {
        "options": {"split": "test", "count": 21},
        "count": 21,
        "dropped": 0,
        "fingerprint": run.data.held_out.fingerprint,
        "prepared": run.data.held_out.folder.name,
        "doubles": 0,
    }
    assert run.data.held_out.fingerprint != run.data.training.fingerprint
    assert "held out  split = test, count = 21" in run.folder.plan.read_text()
    assert "far: reciprocity l1(of = g(e(x)), to = x), recalibrated statistics" in run.folder.plan.read_text()


def test_other_held_out_data_than_the_run_began_with_is_refused():
    run = played(settings=["run.stop_after=4"])
    folder = open_run(run.folder.path)
    for setting, there in (("data.held_out.count=20", ""), ("data.held_out=false", "its fingerprint is none, and was")):
        with pytest.raises(RunError, match="the held-out data has changed since the run began") as refused:
            resume(recipe_of(setting, text=JUDGED), folder, Quiet())
        assert there in str(refused.value)
    with pytest.raises(RunError, match="judged: the data has changed since the run began"):
        resume(recipe_of("data.count=41", text=JUDGED), folder, Quiet())
    again = resume(recipe_of(text=JUDGED), folder, Quiet())
    assert again.game.judged_data().length == 21
    assert play(again, Quiet())


def test_a_run_from_before_there_was_held_out_data_goes_on():
    run = played(settings=["data.held_out=false", "run.stop_after=4"])
    mark = unsealed(run.folder.read_mark())
    del mark["data"]["held_out"]
    run.folder.write_mark(mark)
    again = resume(recipe_of("data.held_out=false", text=JUDGED), open_run(run.folder.path), Quiet())
    assert play(again, Quiet())


def test_tensorboard_has_curves_and_last_values_of_metrics():
    run = played()
    events = events_of(run.folder.events)
    lines = [line for line in read_metrics(run.folder.metrics) if "metrics" in line]
    for tag, (name, key) in {
        "metrics/far/value": ("far", "value"),
        "metrics/fakes/excess": ("fakes", "excess"),
        "metrics/fakes/ideal": ("fakes", "ideal"),
    }.items():
        found = events.Scalars(tag)
        assert [event.step for event in found] == [3, 6, 8]
        assert [event.value for event in found] == pytest.approx([line["metrics"][name][key] for line in lines])
    (last,) = events.Scalars("last/metrics/far/value")
    assert last.value == pytest.approx(lines[-1]["metrics"]["far"]["value"])


def test_numbers_that_are_none_are_written_as_such():
    components = {"broken": ("metrics", Broken)}
    run = played(settings=['metrics.odd={ metric = "broken", of = "x" }'], components=components)
    text = run.folder.metrics.read_text()
    assert "NaN" not in text
    assert "Infinity" not in text
    lines = [line for line in read_metrics(run.folder.metrics) if "metrics" in line]
    assert lines[-1]["metrics"]["odd"] == {"none": "nan", "much": "inf", "little": "-inf", "fine": 1.5}
    assert math.isnan(events_of(run.folder.events).Scalars("metrics/odd/none")[-1].value)
    assert events_of(run.folder.events).Scalars("last/metrics/odd/much")[-1].value == math.inf


def test_pictures_say_whether_what_they_show_is_held_out():
    folder = played().folder
    for name, samples in (("reconstructions", "held out"), ("samples", "draws")):
        with Image.open(folder.pictures / f"{name}.png") as picture:
            assert picture.info["samples"] == samples
    folder = played("trained", settings=["data.held_out=false"]).folder
    with Image.open(folder.pictures / "reconstructions.png") as picture:
        assert picture.info["samples"] == "training"


def test_views_show_what_is_held_out():
    run = played()
    shown = agekit.show(run.game, "reconstructions", 5).beside
    there = run.game.held_out.take(np.arange(21), ["x"])["x"]
    assert shown is not None
    assert all((picture == there).flatten(1).all(1).any() for picture in shown)


def test_what_cannot_be_judged_is_refused_before_there_is_a_run():
    class Lumped(Broken):
        """A row for all."""

        def rows(self, x):
            return x.mean()[None]

    with pytest.raises(RecipeError, match=r"metrics\.odd: metric lumped: makes \[1\] of 2 samples"):
        played(settings=['metrics.odd={ metric = "lumped", of = "x" }'], components={"lumped": ("metrics", Lumped)})
    later = '[[stages]]\nsteps = 2\n[[stages]]\nsteps = 2\nmetrics.odd = { metric = "lumped", of = "x" }\n'
    with pytest.raises(RecipeError, match=r"metrics\.odd: metric lumped"):
        played(text=JUDGED + later, components={"lumped": ("metrics", Lumped)})
    assert not Path("runs/judged").exists()


# ---- the console


def test_the_console_ends_with_all_numbers_and_how_they_were_taken(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("AGEKIT_CACHE", str(tmp_path / "fresh"))
    Path("judged.toml").write_text(JUDGED)
    assert main(["run", "judged.toml", "--steps", "6"]) == 0
    out = capsys.readouterr().out
    assert "prepared 40 training samples\nprepared 21 held-out samples\n" in out
    assert "data      toyfaces, 40 samples, 21 held out\n" in out
    last = list(read_metrics(RunFolder(Path("runs/judged-0001")).metrics))[-1]["metrics"]
    far, fakes = last["far"]["value"], last["fakes"]
    assert [line.split() for line in out[: out.index("\ndone ")].splitlines()[-4:]] == [
        ["far", "value", f"{far:.4g}", *["on", "21", "held-out", "samples,", "recalibrated", "statistics"]],
        ["fakes", "value", f"{fakes['value']:.4g}", *["on", "30", "draws,", "running", "statistics"]],
        ["ideal", f"{fakes['ideal']:.4g}"],
        ["excess", f"{fakes['excess']:.4g}"],
    ]
    assert out.count("\n  far ") == 1  # once on the way, and at the end in full
    ends = [line.partition("  on ")[0].rstrip() for line in out[: out.index("\ndone ")].splitlines()[-4:]]
    assert len({len(line) for line in ends}) == 1  # aligned at the right


def test_an_interrupted_run_ends_without_the_numbers_of_an_earlier_step(capsys):
    Path("judged.toml").write_text(JUDGED)
    run = start(recipe_of(text=JUDGED), plugins.load(), Path("runs"), "cut", Quiet())
    listener = Stopped(RunConsole(make_console()))
    assert not play(run, listener)
    out = capsys.readouterr().out
    assert "\n  far " in out
    assert "held-out samples, " not in out


def test_metrics_that_take_long_show_how_far_they_are(monkeypatch):
    terminal = Console(file=io.StringIO(), force_terminal=True, width=100)
    console, now = RunConsole(terminal), [0.0]
    monkeypatch.setattr("agekit.report.console.time.monotonic", lambda: now[0])
    shown = []
    monkeypatch.setattr(console, "_show", lambda *what: shown.append(what))
    for second, done in enumerate((10, 20, 30)):
        now[0] = 0.7 * second
        console.judging(done, 30)
    assert shown == [("judging", 30, 30)]
    console.judging(10, 30)
    assert len(shown) == 1


def test_a_terminal_shows_the_first_numbers_of_each_metric_under_the_bar():
    text = io.StringIO()
    console = RunConsole(Console(file=text, force_terminal=True, width=60))

    def last():
        assert console._live is not None
        console._live.refresh()
        return text.getvalue()[text.getvalue().rindex("training") :]

    console.stepped(1, 4)
    metrics = {"parses": {f"class_{i}": i / 10 for i in range(9)}, "far": {"value": "nan"}}
    line = {"step": 1, "terms": {"a": {"b": 1.0}}, "clock": {"images_per_second": 3.0}}
    console.logged({**line, "metrics": metrics}, 4)
    console._show("judging", 5, 9)
    console.logged({**line, "step": 2}, 4)
    assert "2/4" in last()
    assert "parses  class_0 0  class_1 0.1  class_2 0.2  class_3 0.3" in last()
    assert "class_4" not in last()
    assert "far     value nan" in last()
    console.logged({**line, "step": 4, "metrics": metrics}, 4)
    assert "4/4" in last()
    assert "class_" not in last()
    console.stop()


def test_the_time_that_metrics_take_counts_for_no_rate_of_training(monkeypatch):
    run = start(recipe_of(text=JUDGED), plugins.load(), Path("runs"), "timed", Quiet())
    now = [0.0]
    monkeypatch.setattr("agekit.train.watch.time.monotonic", lambda: now[0])

    def slowly(self, progress):
        now[0] += 100
        return {}

    monkeypatch.setattr("agekit.train.watch.Judge.judge", slowly)
    run.watch.begin()
    step = run.game.step()
    now[0] += 2
    line = run.watch.log(step, run.watch.judge(lambda done, total: None))
    assert line["clock"] == {"elapsed_seconds": 102.0, "images_per_second": 8 / 2}
    run.close()


def test_data_prepare_prepares_both_parts(capsys):
    Path("judged.toml").write_text(JUDGED)
    assert main(["data", "prepare", "judged.toml"]) == 0
    out = capsys.readouterr().out
    assert "data         toyfaces\nsamples      40\n" in out
    assert "data         toyfaces, held out\nsamples      21\n" in out
