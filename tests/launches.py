"""What takes too long for every day: ranks that are killed, hang, are signalled, started by torchrun: `make ranks`."""

import json
import os
import signal
from pathlib import Path

import pytest

from .launching import ended, kill, launch, ranks_of, reach, until

pytestmark = pytest.mark.usefixtures("elsewhere")

LONG = ("--set", "run.steps=100000", "--set", "run.log_every=1")
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "agekit")


def gone(pid):
    """Whether a process has ended."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def last(name):
    return sorted(Path("runs", name, "checkpoints").iterdir())[-1].name


def finished(name, steps, *words):
    """Go on with a run to a step."""
    status, _, err = ended(launch("resume", f"runs/{name}", "--steps", str(steps), *words))
    assert status == 0, err
    assert last(name) == f"step-{steps:09d}"


def test_a_rank_that_is_killed_ends_the_others_who_say_so_and_any_number_goes_on():
    process = launch("run", "tiny.toml", "--name", "killed", "--nproc", "2", *LONG)
    reach(5, "killed", process)
    pid = ranks_of(process)[0]
    kill(process, 0)
    status, _, err = ended(process)
    assert status == 1
    assert err.startswith(f"error: rank 0 of 2, process {pid} on ")
    assert err.count("\n") == 1
    folder = Path("runs/killed").absolute()
    assert err.endswith(f"to go on from the last checkpoint: agekit resume {folder} --nproc 2\n")
    finished("killed", 40, "--nproc", "3")
    finished("killed", 44)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_stop_all_ranks_write_a_checkpoint_and_end(number):
    process = launch("run", "tiny.toml", "--name", "stopped", "--nproc", "2", "--json", *LONG)
    reach(2, "stopped", process)
    ranks = ranks_of(process)
    process.send_signal(number)
    status, out, err = ended(process)
    assert status == 130, err
    assert "agekit resume runs/stopped --nproc 2" in err
    assert "Traceback" not in err
    said = json.loads(out.splitlines()[-1])
    assert said == {"run": "runs/stopped", "step": int(last("stopped")[5:]), "finished": False}
    until(lambda: all(map(gone, ranks.values())))


def test_where_the_launcher_is_killed_its_ranks_write_a_checkpoint_and_end():
    process = launch("run", "tiny.toml", "--name", "orphaned", "--nproc", "2", *LONG)
    reach(2, "orphaned", process)
    ranks = ranks_of(process)
    process.kill()
    process.wait()
    until(lambda: all(map(gone, ranks.values())))
    assert int(last("orphaned")[5:]) >= 2
    process.communicate()


def test_a_rank_that_does_not_answer_is_named_and_given_up():
    patience = ("--set", "compute.patience=5")
    process = launch("run", "tiny.toml", "--name", "hung", "--nproc", "2", *LONG, *patience)
    reach(2, "hung", process)
    pid = ranks_of(process)[1]
    kill(process, 1, signal.SIGSTOP)
    status, _, err = ended(process)
    assert status == 1
    assert f"rank 1 of 2, process {pid} on " in err
    assert "no answer for 5 s (compute.patience); to go on from the last checkpoint: " in err
    assert err.count("\n") == 1
    assert gone(pid)


def test_torchrun_plays_a_run_and_starts_it_again():
    restarting = [*TORCHRUN[:5], "--max-restarts", "1", *TORCHRUN[5:]]
    process = launch("run", "tiny.toml", "--name", "again", "--set", "run.steps=40", program=restarting)
    reach(4, "again", process)
    kill(process, 1)
    status, out, err = ended(process)
    assert status == 0, err
    assert "resumed   from step " in out
    assert last("again") == "step-000000040"


def test_what_the_user_has_to_mend_is_said_once_and_not_tried_again():
    words = ["run", "tiny.toml", "--name", "wrong", "--set", "run.best=lowest nothing.value"]
    restarting = [*TORCHRUN[:5], "--max-restarts", "2", *TORCHRUN[5:]]
    status, _, err = ended(launch(*words, program=restarting))
    assert status == 1
    assert err.count("error: ") == 1
    assert "run.best" in err
