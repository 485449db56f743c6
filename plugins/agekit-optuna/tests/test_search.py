"""Searching: trials are runs; interrupted, killed, pruned, failed, gone on with."""

import json
import os
import pickle
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
from optuna.storages.journal._base import BaseJournalSnapshot

from agekit_optuna.search import Goal
from agekit_optuna.study import storage_of

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
SEARCH = ("search", "tiny.toml", *OVER, "--lowest", "far", "--seed", "3", "--name", "tiny-search")


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
    """All trials, those that were put back among them."""
    journal = optuna.storages.journal.JournalFileBackend("runs/tiny-search/search.journal")
    storage = optuna.storages.JournalStorage(journal)
    return optuna.load_study(study_name="tiny-search", storage=storage).trials


def states():
    return [trial.state.name for trial in outcomes()]


def in_a_process(*arguments, before=""):
    code = f"from agekit.cli import main\n{before}\nraise SystemExit(main({[*SEARCH, *arguments]!r}))"
    return subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, text=True
    )


def test_trials_are_runs_and_the_best_comes_first(capsys):
    assert main([*SEARCH, "--trials", "3"]) == 0
    out = capsys.readouterr().out.splitlines()
    trials = outcomes()
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 3
    for trial in trials:
        folder = Path("runs/tiny-search") / trial.user_attrs["folder"]
        assert trial.user_attrs["folder"] == folder.name == f"trial-{trial.number:04d}"
        lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        assert lines[-1]["metrics"]["far"]["value"] == trial.value
        assert trial.intermediate_values == {line["step"]: line["metrics"]["far"]["value"] for line in lines}
    assert [line for line in out if line.startswith("steps ")] == ["steps     6, 3 an epoch"] * 3  # each run is told of
    table = out[next(index for index, line in enumerate(out) if line.startswith("trial  ")) :]
    values = [float(line.split()[-1]) for line in table[1:4]]
    assert values == sorted(values)
    best = min(trials, key=lambda trial: trial.value)
    assert table[-2:] == [f"run     runs/tiny-search/trial-{best.number:04d}", "folder  runs/tiny-search"]
    assert f"--set 'latent.dim={best.params['latent.dim']}'" in table[-3]
    assert main([*SEARCH, "--trials", "3"]) == 0
    assert "trial 3" not in capsys.readouterr().out
    assert main([*SEARCH, "--trials", "4"]) == 0
    assert len(outcomes()) == 4
    assert [path.name for path in Path("runs/tiny-search").glob(".trial*")] == []


def test_an_interrupted_trial_goes_on_in_its_folder_wherever_that_is(capsys):
    with at_step(9, lambda: signal.raise_signal(signal.SIGINT)):
        assert main([*SEARCH, "--trials", "3"]) == 130
    assert capsys.readouterr().out.endswith("search  stopped; the same command goes on\n")
    assert states() == ["COMPLETE", "RUNNING"]
    stopped = outcomes()[1]
    Path("runs").rename("moved")
    assert main([*SEARCH, "--trials", "3", "--out", "moved", "--device", "cpu"]) == 0
    Path("moved").rename("runs")
    assert states() == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    again = outcomes()[2]
    assert (again.user_attrs["folder"], again.params) == (stopped.user_attrs["folder"], stopped.params)
    assert sorted(path.name for path in Path("runs/tiny-search").glob("trial-*")) == [
        "trial-0000",
        "trial-0001",
        "trial-0003",
    ]


@pytest.mark.parametrize(("method", "left"), [("ask", ["RUNNING"]), ("tell", ["RUNNING", "WAITING"])])
def test_a_trial_that_nobody_is_at_runs_no_more_wherever_it_was_cut_short(method, left, monkeypatch):
    """After it was asked for, with no folder yet; and when it was put back already, but not told to have failed."""
    if method == "tell":
        with at_step(1, lambda: signal.raise_signal(signal.SIGINT)):
            assert main([*SEARCH, "--trials", "1"]) == 130

    def cut_short(study, *arguments, **options):
        if method == "ask":
            original(study, *arguments, **options)
        raise KeyboardInterrupt

    original = getattr(optuna.Study, method)
    with monkeypatch.context() as patch:
        patch.setattr(optuna.Study, method, cut_short)
        assert main([*SEARCH, "--trials", "1"]) == 130
    assert states() == left
    assert main([*SEARCH, "--trials", "2"]) == 0
    assert states() == ["FAIL", "COMPLETE", "COMPLETE"]
    assert [trial.user_attrs["folder"] for trial in outcomes()[1:]] == ["trial-0000", "trial-0002"]


@pytest.mark.slow
def test_a_killed_trial_is_begun_anew_where_its_making_was_cut_short():
    fatal = "import os\nfrom agekit.train import folder\nfolder.write_json = lambda *_: os.kill(os.getpid(), 9)"
    killed = in_a_process("--trials", "1", before=fatal)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert not Path("runs/tiny-search/trial-0000").exists()
    (half,) = Path("runs/tiny-search").glob(".trial-0000.*.tmp")
    assert (half / "recipe.toml").exists()
    assert main([*SEARCH, "--trials", "1"]) == 0
    assert states() == ["FAIL", "COMPLETE"]
    assert [path.name for path in Path("runs/tiny-search").glob("trial-*")] == ["trial-0000"]


@pytest.mark.slow
def test_processes_that_share_a_search_are_at_different_trials():
    both = [in_a_process("--trials", "3", "--steps", "2", "--sampler", "random") for _ in range(2)]
    assert [process.communicate()[1] or process.returncode for process in both] == [0, 0]
    assert states() == ["COMPLETE"] * 3
    assert len({str(trial.params) for trial in outcomes()}) == 3
    shared = outcomes()
    Path("runs").rename("shared")
    assert main([*SEARCH, "--trials", "3", "--steps", "2", "--sampler", "random"]) == 0
    assert [trial.params for trial in outcomes()] == [trial.params for trial in shared]


def test_a_trial_that_fails_stops_no_other_and_is_tried_again_when_told_to(capsys):
    def fail():
        raise RunError("no such luck")

    with at_step(2, fail):
        assert main([*SEARCH, "--trials", "2", "--json"]) == 1
    out, told = capsys.readouterr()
    assert "trial 0 failed: no such luck\n" in told
    assert told.splitlines()[-2] == "run     runs/tiny-search/trial-0001"
    failed, complete = map(json.loads, out.splitlines())
    assert (failed["state"], failed["reason"], failed["value"]) == ("failed", "no such luck", None)
    assert complete == {
        "trial": 1,
        "values": outcomes()[1].params,
        "state": "complete",
        "value": outcomes()[1].value,
        "run": "runs/tiny-search/trial-0001",
    }
    assert main([*SEARCH, "--trials", "2"]) == 1
    assert states() == ["FAIL", "COMPLETE"]
    assert main([*SEARCH, "--trials", "2", "--retry"]) == 0
    assert states() == ["FAIL", "COMPLETE", "COMPLETE"]
    assert outcomes()[2].params == outcomes()[0].params
    assert len([*Path("runs/tiny-search").glob("trial-*")]) == 2


def test_a_number_that_no_trial_has_ends_the_search(capsys):
    assert main([*SEARCH[:-6], "--lowest", "far.valeu", "--trials", "3"]) == 1
    assert capsys.readouterr().err == "error: metric far has no value 'valeu'; did you mean value?\n"
    assert len([*Path().glob("runs/tiny-search-*/trial-*")]) == 1


@pytest.mark.parametrize("pruner", ["median", "halving"])
def test_what_lags_behind_is_pruned(pruner, capsys):
    """Behind trials that are played, and others, of a storage, that are at zero from the first."""
    search = (*SEARCH, "--pruner", pruner)
    assert main([*search, "--trials", "1"]) == 0
    (played,) = outcomes()
    assert played.state.name == "COMPLETE"
    ahead = optuna.trial.create_trial(
        params=played.params,
        distributions=played.distributions,
        intermediate_values=dict.fromkeys(played.intermediate_values, 0.0),
        value=0.0,
        system_attrs={"completed_rung_0": 0.0},  # by which halving goes
    )
    study = optuna.load_study(study_name="tiny-search", storage=storage_of(None, Path("runs/tiny-search")))
    study.add_trials([ahead] * 4)
    capsys.readouterr()
    assert main([*search, "--trials", "6"]) == 0
    assert states()[-1] == "PRUNED"
    assert len(outcomes()) == 6
    assert "trial 5 pruned at step 2" in capsys.readouterr().out


def test_a_database_will_do_as_well(capsys):
    assert main([*SEARCH, "--trials", "1", "--storage", "sqlite:///search.db"]) == 0
    assert Path("search.db").is_file()
    study = optuna.load_study(study_name="tiny-search", storage="sqlite:///search.db")
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"]
    assert main([*SEARCH, "--trials", "1", "--storage", "nonsense"]) == 1
    assert capsys.readouterr().err.startswith("error: --storage nonsense: ")
    assert main([*SEARCH, "--trials", "1", "--storage", "sqlite://me:secret@here/search.db"]) == 1
    assert "secret" not in capsys.readouterr().err


def test_a_trial_of_another_machine_is_left_to_it(capsys):
    """Two folders, as on two machines, share a database."""
    shared = (*SEARCH, "--storage", "sqlite:///search.db")
    with at_step(2, lambda: signal.raise_signal(signal.SIGINT)):
        assert main([*shared, "--trials", "2", "--out", "here"]) == 130
    assert main([*shared, "--trials", "2", "--out", "there"]) == 0
    study = optuna.load_study(study_name="tiny-search", storage="sqlite:///search.db")
    assert [trial.state.name for trial in study.trials] == ["RUNNING", "COMPLETE"]
    assert [path.name for path in Path("there/tiny-search").glob("trial-*")] == ["trial-0001"]
    assert main([*shared, "--trials", "2", "--out", "here"]) == 0
    study = optuna.load_study(study_name="tiny-search", storage="sqlite:///search.db")
    assert [trial.state.name for trial in study.trials] == ["FAIL", "COMPLETE", "COMPLETE"]
    best = study.best_trial.user_attrs["folder"]
    where = "here/tiny-search/trial-0000" if best == "trial-0000" else "trial-0001, on another machine"
    assert f"run     {where}\n" in capsys.readouterr().out


def test_what_is_wrong_is_told_before_anything_begins(capsys):
    base = ["search", "tiny.toml", "--lowest", "far"]
    for more, said in (
        (["--over", "latent.dim=0..4"], "latent.dim: found 0, where a whole number greater"),
        (["--over", "latent.dim=3", "--over", "latent.dim=4"], "--over: latent.dim is said twice"),
        (["--over", "latent.dim=3,4", "--trials", "0"], "--trials 0: one at least fits"),
        (["--over", "latent.dim=3,4", "--name", "../x"], "--name '../x': a name is letters"),
    ):
        assert main([*base, *more]) == 1
        assert said in capsys.readouterr().err
    assert main(["search", "tiny.toml", "--over", "latent.dim=3", "--highest", "fra"]) == 1
    assert capsys.readouterr().err == "error: the recipe has no metric 'fra' at its end; did you mean far?\n"
    assert main([*base, *OVER, "--dry-run"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "key                              values",
        "players.both.terms.codes.weight  0.1 to 2.0",
        "latent.dim                       3, 4",
        "",
        "lowest far, 20 trials",
    ]
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


# ---- a storage of a stranger


def test_a_storage_names_no_folder_but_the_searchs_own(tmp_path):
    """What a trial's folder is said to be is locked, and written to."""
    assert main([*SEARCH, "--trials", "1"]) == 0
    study = optuna.load_study(study_name="tiny-search", storage=storage_of(None, Path("runs/tiny-search")))
    place = study.trials[0].user_attrs["place"]
    for folder in (str(tmp_path / "trial-0007"), "../../trial-0008", "", 7):
        marks = {"folder": folder, "place": place}
        study.enqueue_trial({"players.both.terms.codes.weight": 1.0, "latent.dim": 3}, user_attrs=marks)
    assert main([*SEARCH, "--trials", "5"]) == 0
    assert not [*tmp_path.glob("trial-*"), *tmp_path.glob(".trial-*")]
    assert len(list(Path("runs/tiny-search").glob("trial-*/run.json"))) == 5


def test_nothing_of_a_storage_is_unpickled(tmp_path, monkeypatch):
    """Journals in files keep no snapshots, which Optuna would unpickle; and of the samplers only CMA-ES has pickles."""
    storage = storage_of(None, tmp_path)
    assert isinstance(storage, optuna.storages.JournalStorage)
    assert not isinstance(storage._backend, BaseJournalSnapshot)
    found = []
    monkeypatch.setattr(pickle, "loads", found.append)
    for trials in ("1", "2"):
        assert main([*SEARCH, "--trials", trials]) == 0
    assert found == []
