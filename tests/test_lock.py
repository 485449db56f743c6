"""A lock: one process has it, it says which, and it goes with its process."""

import json
import os
import re
import signal
import socket
import subprocess
import sys

import pytest

from agekit.errors import RunError
from agekit.lock import Lock, held


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    monkeypatch.setattr("agekit.lock.PAUSE_SECONDS", 0)


def test_a_lock_says_who_holds_it_and_for_how_long(tmp_path):
    first = Lock(tmp_path / "lock", "runs/a is being trained")
    assert held(tmp_path / "lock")
    said = f"runs/a is being trained by process {os.getpid()} on {socket.gethostname()}, for 0:00:0"
    with pytest.raises(RunError, match=re.escape(said)):
        Lock(tmp_path / "lock", "runs/a is being trained")
    first.release()
    first.release()
    assert not held(tmp_path / "lock")
    Lock(tmp_path / "lock", "runs/a is being trained").release()


def test_a_lock_is_seen_through_where_its_process_was_killed(tmp_path):
    code = f"from agekit.lock import Lock; Lock(__import__('pathlib').Path({str(tmp_path / 'lock')!r}), 'it is held'); "
    done = subprocess.run([sys.executable, "-c", f"{code}import os; os.kill(os.getpid(), 9)"], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert json.loads((tmp_path / "lock").read_text())["process"] != os.getpid()
    Lock(tmp_path / "lock", "it is held").release()


@pytest.mark.parametrize(
    ("process", "host", "taken"),
    [
        (os.getppid(), socket.gethostname(), False),
        (2**22 + 1, socket.gethostname(), True),
        (os.getpid(), socket.gethostname(), True),  # of a container whose processes all have this number
        (1, "elsewhere", False),
    ],
    ids=["alive", "gone", "own number", "on another machine"],
)
def test_where_the_file_system_knows_no_locks_the_holder_is_looked_for(process, host, taken, tmp_path, monkeypatch):
    def unknown(handle, how):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", unknown)
    since = "2020-01-01T00:00:00+00:00"
    (tmp_path / "lock").write_text(json.dumps({"process": process, "host": host, "since": since}))
    if taken:
        Lock(tmp_path / "lock", "it is held").release()
        assert (tmp_path / "lock").read_text() == ""
    else:
        with pytest.raises(RunError, match=f"it is held by process {process} on {host}, for .*lock is its lock"):
            Lock(tmp_path / "lock", "it is held")


def test_a_holder_that_cannot_be_read_is_another_process(tmp_path):
    first = Lock(tmp_path / "lock", "it is held")
    for text in ("", "[1]", '{"process": 1, "host": "a", "since": 3}'):
        (tmp_path / "lock").write_text(text)
        with pytest.raises(RunError, match="it is held by another process; "):
            Lock(tmp_path / "lock", "it is held")
    first.release()
