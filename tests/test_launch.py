"""`agekit run --nproc`: processes that are started, one of which dies, and that go on by themselves."""

import json
from pathlib import Path

import pytest

from agekit.cli import main

from .launching import ended, kill, launch, ranks_of, reach
from .runs import agekit_run

pytestmark = pytest.mark.usefixtures("elsewhere")


def terms(name):
    lines = map(json.loads, Path("runs", name, "metrics.jsonl").read_text().splitlines())
    return {line["step"]: line["terms"] for line in lines}


@pytest.mark.slow
def test_where_a_rank_is_killed_all_are_started_again_and_go_on_as_if_nothing_had_happened(capfd):
    settings = ("--set", "run.log_every=1", "--set", "run.steps=24", "--set", "run.checkpoint_every=2")
    process = launch("run", "tiny.toml", "--name", "two", "--nproc", "2", "--restarts", "1", *settings)
    reach(3, "two", process)
    gone = ranks_of(process)[1]
    kill(process, 1)
    status, out, err = ended(process)
    assert status == 0, err
    assert err.startswith(f"error: rank 1 of 2, process {gone} on ")
    assert err.endswith(": it has ended; the launcher starts all ranks again\n")
    assert err.count("\n") == 1
    assert "resumed   from step " in out
    assert agekit_run("--name", "one", *settings) == 0
    found, wanted = terms("two"), terms("one")
    assert list(found) == list(wanted)
    for player, values in wanted[8].items():
        assert found[8][player] == pytest.approx(values, rel=1e-3)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--nproc", "0"], "--nproc 0: 1 at least fits"),
        (["--nproc", "2", "--restarts", "-1"], "--restarts -1: 0 at least fits"),
        (["--restarts", "1"], "--restarts is for --nproc; torchrun has --max-restarts"),
        (["--nproc", "9"], "data.batch: a batch of 8 cannot be divided among 9 ranks in portions of at most 1; fewer"),
        (["--nproc", "2", "--seeds", "2"], "--seeds: several runs are played by one process; each by itself may have"),
        (
            ["--nproc", "2", "--device", "cuda:99999"],
            "device 'cuda:99999' is not there; here are cpu",
        ),  # torch: cuda:-97
    ],
)
def test_what_cannot_be_launched_is_refused_in_a_line(words, said, capsys):
    assert agekit_run(*words) == 1
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    assert not Path("runs").exists()


@pytest.fixture
def one_of_two(monkeypatch):
    """This process is the first of two that torchrun has launched."""
    for name, value in {"RANK": 0, "WORLD_SIZE": 2, "LOCAL_RANK": 0, "LOCAL_WORLD_SIZE": 2, "MASTER_PORT": 1}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("MASTER_ADDR", "localhost")


@pytest.mark.usefixtures("one_of_two")
def test_in_a_launch_another_number_of_processes_is_refused(capsys):
    assert agekit_run("--nproc", "3") == 1
    assert capsys.readouterr().err == "error: --nproc 3: 2 processes have been launched here already\n"


@pytest.mark.usefixtures("one_of_two")
@pytest.mark.parametrize("words", [["sweep", "tiny.toml", "--over", "run.seed=1,2"], ["eval", "runs/one"], ["list"]])
def test_in_a_launch_what_one_process_does_is_refused(words, capsys):
    assert main(words) == 1
    said = f"agekit {words[0]}: 2 processes have been launched, and it takes one; run and resume take several"
    assert capsys.readouterr().err == f"error: {said}\n"
    assert not Path("runs").exists()


def test_a_group_of_runs_is_not_gone_on_with_by_several_processes(capsys):
    assert agekit_run("--seeds", "1", "--steps", "1", "--name", "group") == 0
    assert main(["resume", "runs/group", "--nproc", "2"]) == 1
    assert "runs/group is of several runs: several runs are played by one process" in capsys.readouterr().err
