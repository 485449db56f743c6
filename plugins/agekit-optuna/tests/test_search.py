"""Searching: trials are runs; interrupted, killed, pruned, failed, gone on with."""

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import optuna
import pytest
from agekit.cli import main
from agekit.errors import RunError
from agekit.game.game import Game

from agekit_optuna.study import Goal

RECIPE = """
[data]
dataset = "toyfaces"
size    = 16
count   = 24
batch   = 8
[latent]
reference = "sphere"
dim       = 4
[networks]
g = { generator = "dcgan", width = 2 }
e = { encoder = "dcgan", width = 2 }
[players.both]
owns = ["g", "e"]
[players.both.terms]
far   = { reciprocity = "l1", of = "g(e(x))", to = "x" }
codes = { divergence = "kl_sphere", of = "e(x)" }
[metrics]
far = { reciprocity = "l1", of = "g(e(x))", to = "x", count = 16 }
[run]
steps            = 6
log_every        = 2
metrics_every    = 2
checkpoint_every = 2
"""
OVER = ("--over", "players.both.terms.codes.weight=0.1..2.0", "--over", "latent.dim=3,4")
SEARCH = ("search", "tiny.toml", *OVER, "--lowest", "far", "--seed", "3")


@pytest.fixture(autouse=True)
def somewhere(tmp_path, tmp_path_factory, monkeypatch):
    import torch

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AGEKIT_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    Path("tiny.toml").write_text(RECIPE)
    deterministic = torch.are_deterministic_algorithms_enabled()
    yield
    torch.use_deterministic_algorithms(deterministic)


@contextmanager
def at_step(number, action):
    """Meanwhile, something happens in the n-th step of all runs together."""
    step, done = Game.step, []

    def counted(self):
        done.append(self)
        if len(done) == number:
            action()
        return step(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Game, "step", counted)
        yield


def outcomes():
    lines = [json.loads(line) for line in Path("runs/tiny-search/search.journal").read_text().splitlines()]
    assert lines
    storage = optuna.storages.JournalStorage(
        optuna.storages.journal.JournalFileBackend("runs/tiny-search/search.journal")
    )
    return optuna.load_study(study_name="tiny-search", storage=storage).trials


def test_trials_are_runs_and_the_best_comes_first(capsys):
    assert main([*SEARCH, "--trials", "3"]) == 0
    out = capsys.readouterr().out.splitlines()
    trials = outcomes()
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 3
    for trial in trials:
        folder = Path(trial.user_attrs["folder"])
        assert folder == Path(f"runs/tiny-search/trial-{trial.number:04d}")
        lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        assert lines[-1]["metrics"]["far"]["value"] == trial.value
        assert trial.intermediate_values == {line["step"]: line["metrics"]["far"]["value"] for line in lines}
    table = out[next(index for index, line in enumerate(out) if line.startswith("trial  ")) :]
    values = [float(line.split()[-1]) for line in table[1:4]]
    assert values == sorted(values)
    best = min(trials, key=lambda trial: trial.value)
    assert table[-1] == f"run   runs/tiny-search/trial-{best.number:04d}"
    assert f"--set 'latent.dim={best.params['latent.dim']}'" in table[-2]
    assert main([*SEARCH, "--trials", "3"]) == 0
    assert "trial 3" not in capsys.readouterr().out
    assert main([*SEARCH, "--trials", "4"]) == 0
    assert len(outcomes()) == 4


def test_an_interrupted_trial_goes_on_in_its_folder():
    with at_step(9, lambda: signal.raise_signal(signal.SIGINT)):
        assert main([*SEARCH, "--trials", "3"]) == 130
    assert [trial.state.name for trial in outcomes()] == ["COMPLETE", "RUNNING"]
    stopped = outcomes()[1]
    assert main([*SEARCH, "--trials", "3"]) == 0
    states = {trial.number: trial for trial in outcomes()}
    assert [trial.state.name for trial in states.values()] == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    assert states[2].user_attrs["folder"] == stopped.user_attrs["folder"]
    assert states[2].params == stopped.params
    assert sorted(path.name for path in Path("runs/tiny-search").glob("trial-*")) == [
        "trial-0000",
        "trial-0001",
        "trial-0003",
    ]


def test_a_killed_trial_is_begun_anew_where_its_making_was_cut_short():
    code = (
        "import os, sys\nfrom agekit.cli import main\nfrom agekit.game.game import Game\nstep, done = Game.step, []\n"
        "def fatal(self):\n    done.append(0)\n    len(done) == 4 and os.kill(os.getpid(), 9)\n    return step(self)\n"
        f"Game.step = fatal\nmain({[*SEARCH, '--trials', '1']!r})"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == -signal.SIGKILL
    Path("runs/tiny-search/trial-0000/run.json").unlink()  # as if it had been killed while the folder was made
    assert main([*SEARCH, "--trials", "1"]) == 0
    assert [trial.state.name for trial in outcomes()] == ["FAIL", "COMPLETE"]
    assert [path.name for path in Path("runs/tiny-search").glob("trial-*")] == ["trial-0000"]


def test_a_trial_that_fails_stops_no_other(capsys):
    def fail():
        raise RunError("no such luck")

    with at_step(2, fail):
        assert main([*SEARCH, "--trials", "2"]) == 1
    out = capsys.readouterr().out
    assert "  failed: no such luck\n" in out
    assert [trial.state.name for trial in outcomes()] == ["FAIL", "COMPLETE"]
    assert out.splitlines()[-1] == "run   runs/tiny-search/trial-0001"


def test_what_lags_behind_is_pruned(monkeypatch, capsys):
    monkeypatch.setattr("agekit_optuna.study.PRUNERS", {"median": lambda: optuna.pruners.ThresholdPruner(upper=0.0)})
    assert main([*SEARCH, "--trials", "1", "--pruner", "median"]) == 0
    assert [trial.state.name for trial in outcomes()] == ["PRUNED"]
    assert "pruned at step 2" in capsys.readouterr().out


def test_a_database_will_do_as_well(capsys):
    assert main([*SEARCH, "--trials", "1", "--storage", "sqlite:///search.db"]) == 0
    assert Path("search.db").is_file()
    study = optuna.load_study(study_name="tiny-search", storage="sqlite:///search.db")
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"]
    assert main([*SEARCH, "--trials", "1", "--storage", "nonsense"]) == 1
    assert capsys.readouterr().err.startswith("error: --storage nonsense: ")


def test_what_is_wrong_is_told_before_anything_begins(capsys):
    base = ["search", "tiny.toml", "--lowest", "far"]
    for more, said in (
        (["--over", "latent.dim=0..4"], "latent.dim: found 0, where a whole number greater"),
        (["--over", "latent.dim=3", "--over", "latent.dim=4"], "--over: latent.dim is said twice"),
        (["--over", "latent.dim=3,4", "--trials", "0"], "--trials 0: one at least fits"),
    ):
        assert main([*base, *more]) == 1
        assert said in capsys.readouterr().err
    assert main(["search", "tiny.toml", "--over", "latent.dim=3", "--highest", "fra"]) == 1
    assert capsys.readouterr().err == "error: the recipe has no metric 'fra'; did you mean far?\n"
    assert not Path("runs").exists()


def test_another_search_of_the_same_name_is_refused(capsys):
    assert main([*SEARCH, "--trials", "1", "--steps", "1"]) == 0
    assert main([*SEARCH, "--trials", "1", "--steps", "2"]) == 1
    assert "error: tiny-search is another search: of another recipe" in capsys.readouterr().err


def test_a_goal_is_a_number_of_a_metric():
    metrics = {"far": {"value": 1.0, "other": 2.0}, "lost": {"value": float("nan")}}
    assert Goal.of("far", None).value(metrics) == 1.0
    assert Goal.of(None, "far.other").value(metrics) == 2.0
    assert (Goal.of("far", None).lowest, Goal.of(None, "far").lowest) == (True, False)
    for text, said in (("fra", "did you mean far"), ("far.othr", "did you mean other"), ("lost", "is nan")):
        with pytest.raises(RunError, match=said):
            Goal.of(text, None).value(metrics)
