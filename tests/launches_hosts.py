"""Two hosts, one rank on each, and between them a link that is cut and restored: a part of `make ranks`.

The hosts are network namespaces, which only root may make; elsewhere these tests are skipped, and say so.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from threading import Thread

import pytest

from .launches import LONG, finished, last
from .launching import SECONDS, reach, until
from .tiny import TINY

HOSTS = {"agekit-a": "10.77.0.1", "agekit-b": "10.77.0.2"}
PORT = 29577
PATIENCE = 5

pytestmark = [
    pytest.mark.usefixtures("elsewhere"),
    pytest.mark.skipif(
        sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("ip"), reason="takes root and iproute2"
    ),
]


def ip(*words, check=True):
    """Call `ip`."""
    return subprocess.run(["ip", *words], check=check, capture_output=True, text=True)


@pytest.fixture
def hosts():
    """Two hosts that reach one another."""
    first, second = HOSTS
    for name in HOSTS:
        if ip("netns", "add", name, check=False).returncode:
            pytest.skip("no network namespace can be made here")
    try:
        ip("link", "add", "link0", "netns", first, "type", "veth", "peer", "name", "link0", "netns", second)
        for name, address in HOSTS.items():
            ip("-n", name, "address", "add", f"{address}/24", "dev", "link0")
            for device in ("lo", "link0"):
                ip("-n", name, "link", "set", device, "up")
        yield
    finally:
        for name in HOSTS:
            ip("netns", "del", name, check=False)


def link(way):
    """Cut the link (`down`), or restore it (`up`)."""
    ip("-n", "agekit-a", "link", "set", "link0", way)


@pytest.fixture
def started(hosts, tmp_path):
    """A function that plays the tiny recipe on both hosts, one rank on each; at the end they are ended."""
    processes = []

    def start(*words):
        (tmp_path / "tiny.toml").write_text(TINY)
        for number, name in enumerate(HOSTS):
            among = ["--nnodes=2", "--nproc-per-node=1", f"--node-rank={number}"]
            meeting = [f"--master-addr={HOSTS['agekit-a']}", f"--master-port={PORT}"]
            command = [sys.executable, "-m", "torch.distributed.run", *among, *meeting, "-m", "agekit", *words]
            processes.append(
                subprocess.Popen(
                    ["ip", "netns", "exec", name, *command],
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                    env={**os.environ, "GLOO_SOCKET_IFNAME": "link0"},
                )
            )  # fmt: skip
        return processes[-2:]

    yield start
    for name in HOSTS:
        for pid in ip("netns", "pids", name).stdout.split():
            os.kill(int(pid), signal.SIGKILL)
    for process in processes:
        process.communicate()


def test_a_link_that_comes_back_in_time_is_waited_for(started):
    both = started("run", "tiny.toml", "--name", "two", "--set", "run.steps=60", "--set", "run.log_every=1")
    reach(5, "two", both[0])
    link("down")
    time.sleep(3)
    link("up")
    for process in both:
        out, err = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, (out, err)
    assert last("two") == "step-000000060"


def heard(process):
    """The lines that a process says on standard error, as they come."""
    lines = []

    def listen():
        lines.extend(process.stderr)

    Thread(target=listen, daemon=True).start()
    return lines


def test_where_a_link_is_cut_both_hosts_say_so_within_a_minute_and_the_run_goes_on_when_it_is_back(started):
    both = started("run", "tiny.toml", "--name", "two", *LONG, "--set", f"compute.patience={PATIENCE}")
    reach(5, "two", both[0])
    link("down")
    cut = time.monotonic()
    lines = [heard(process) for process in both]
    until(lambda: all(any(line.startswith("error: ") for line in one) for one in lines))
    assert time.monotonic() - cut < 60
    first, second = (next(line for line in one if line.startswith("error: ")) for one in lines)
    assert re.match(r"error: rank 1 of 2, process \d+ on \S+: .*; to go on from the last checkpoint: torchrun ", first)
    assert re.match(
        r"error: rank 1 of 2, process \d+ on \S+ has lost the others: no answer for 20 s from 10\.77\.0\.1:", second
    )
    link("up")
    for process in both:
        process.wait(timeout=SECONDS)
    reached = int(last("two")[5:])
    for process in started("resume", "runs/two", "--steps", str(reached + 8)):
        _, err = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, err
    assert last("two") == f"step-{reached + 8:09d}"
    finished("two", reached + 12)
