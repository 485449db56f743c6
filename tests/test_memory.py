"""Memory that does not suffice is told with what was asked for, what is free and what needs less; and none is kept."""

import re
import resource
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from agekit import ComputeError, memory
from agekit.cli import main
from agekit.memory import MAPPED_BYTES, TRIMMED_BYTES, keep_memory, lacking

from .attacks.growth import Counting
from .runs import Quiet, agekit_run, begin, go_on, left_behind
from .tiny import TINY

ON_DEVICE = (
    "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 139.80 GiB of which 1.50 GiB is "
    "free. Including non-PyTorch memory, this process has 138.29 GiB memory in use."
)
ON_HOST = (
    "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate "
    "40000000000 bytes. Error code 12 (Cannot allocate memory)"
)
KNOBS = r"a compute\.micro_batch, compute\.precision=bf16, a smaller data\.batch or narrower networks need less"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with 8 GB free, in no group, whose processes have no limits."""
    (tmp_path / "meminfo").write_text("MemTotal:  16000000 kB\nMemAvailable:  8000000 kB\nHugePages_Total:  0\n")
    monkeypatch.setattr(memory, "MACHINE", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "GROUP", tmp_path)
    monkeypatch.setattr(memory, "PROCESS", tmp_path / "statm")
    return tmp_path


def test_free_is_what_the_machine_the_group_and_the_limits_leave(machine, monkeypatch):
    assert memory.free_bytes() == 8_000_000 * 1024
    (machine / "memory.max").write_text("max\n")
    assert memory.free_bytes() == 8_000_000 * 1024
    (machine / "memory.max").write_text("3000000000\n")
    (machine / "memory.current").write_text("2500000000\n")
    (machine / "memory.stat").write_text("anon 1900000000\ninactive_file 500000000\n")
    assert memory.free_bytes() == 1_000_000_000
    (machine / "statm").write_text("100 50 20 1 0 30 0\n")
    page = resource.getpagesize()
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (130 * page, 130 * page))
    assert memory.free_bytes() == 30 * page
    (machine / "memory.current").write_text("3600000000\n")
    assert memory.free_bytes() == 0
    for name in ("memory.max", "meminfo", "statm"):
        (machine / name).unlink()
    assert memory.free_bytes() is None


def test_what_was_asked_for_and_what_is_free_is_taken_from_the_message(machine):
    assert lacking(torch.OutOfMemoryError(ON_DEVICE)) == (
        "the device has too little memory: 2.15 GB more were asked for, and 1.61 GB are free"
    )
    host = "this machine has too little memory: "
    assert lacking(RuntimeError(ON_HOST)) == host + "40 GB more were asked for, and 8.19 GB are free"
    assert lacking(MemoryError("Unable to allocate 1.00 TiB for an array with shape (1,)")) == (
        host + "1.1e+03 GB more were asked for, and 8.19 GB are free"
    )
    assert lacking(MemoryError()) == lacking(OSError(12, "Cannot allocate memory")) == host + "8.19 GB are free"
    assert lacking(RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED")) == "the device has too little memory"
    for other in (RuntimeError("shape mismatch"), OSError(28, "No space left on device"), ValueError("out of memory")):
        assert lacking(other) is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process")
def test_the_very_errors_of_torch_and_numpy_are_known():
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 10**9, hard))
    try:
        for ask in (lambda: torch.empty(10**10), lambda: np.empty(5 * 10**9)):
            with pytest.raises((RuntimeError, MemoryError)) as caught:
                ask()
            said = lacking(caught.value) or ""
            assert re.match(
                r"this machine has too little memory: 40(\.\d)? GB more were asked for, and (0\.\d+|1) GB", said
            )
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def short(error):
    """A listener in whose run memory does not suffice after step 7."""

    def fail():
        raise error

    return Quiet(7, fail)


@pytest.mark.parametrize(
    ("error", "where"), [(torch.OutOfMemoryError(ON_DEVICE), "the device"), (MemoryError(), "this machine")]
)
def test_a_run_that_is_short_of_memory_says_what_helps_and_its_last_checkpoint_stands(error, where, elsewhere):
    with pytest.raises(
        ComputeError,
        match=rf"^{where} has too little memory: .*; {KNOBS}; the last checkpoint, step-000000004, stands$",
    ):
        begin("short", TINY, listener=short(error))
    assert [path.name for path in Path("runs/short/checkpoints").iterdir()] == ["step-000000004"]
    go_on("short", TINY)
    begin("whole", TINY)
    assert left_behind("short") == left_behind("whole")


def test_the_command_says_it_in_one_line(elsewhere, monkeypatch, capsys):
    from agekit.game.game import Game

    def step(self, *_):
        raise torch.OutOfMemoryError(ON_DEVICE)

    monkeypatch.setattr(Game, "step", step)
    assert agekit_run("--set", "compute.micro_batch=4", "--set", "compute.precision=bf16") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        "error: the device has too little memory: 2.15 GB more were asked for, and 1.61 GB are free; "
    )
    assert "a smaller compute.micro_batch than 4, a smaller data.batch or narrower networks need less" in line
    assert main(["runs"]) == 0


@pytest.mark.parametrize(("error", "helps"), [(RuntimeError(ON_HOST), True), (MemoryError(), False)])
def test_short_of_memory_before_its_first_step_a_run_says_so(error, helps, elsewhere, monkeypatch, capsys):
    from agekit.builtin.dcgan import DCGANGenerator
    from agekit.train import run

    build = DCGANGenerator.build

    def fails(*given):
        if helps and torch.empty(0).is_meta:  # networks are tried without numbers first
            return build(*given)
        raise error

    monkeypatch.setattr(*((DCGANGenerator, "build") if helps else (run, "check_sources")), fails)
    assert agekit_run() == 1
    said = capsys.readouterr().err
    assert re.match(rf"error: this machine has too little memory: .*GB are free{f'; {KNOBS}' if helps else ''}$", said)
    assert not Path("runs").exists()


# ---- long runs


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what is open")
def test_a_long_run_keeps_nothing_and_leaves_nothing_open(elsewhere):
    """The short form of `make faults ARGS="--only growth"`: everything that is due is done between the counts."""
    counting = Counting(20, 40, 60)
    often = ["run.log_every=1", "run.pictures_every=10", "sentinel.every=5"]
    begin("long", TINY, counting, settings=["run.steps=60", *often])
    _, before, after = counting.found
    assert before.fits(after)
    assert after.objects <= before.objects + 50
    kept = [torch.zeros(1)]
    assert not before.fits(replace(after, tensors=after.tensors + len(kept)))
    assert not before.fits(replace(after, files=after.files + 1))
    assert not before.fits(replace(after, objects=before.objects + 201))


@pytest.mark.parametrize(
    "said", [{}, {"MALLOC_TRIM_THRESHOLD_": "1"}, {"GLIBC_TUNABLES": "glibc.malloc.trim_threshold=1"}]
)
def test_what_is_freed_is_kept_unless_the_user_has_said_otherwise(said, monkeypatch):
    calls = []

    def mallopt(*given):
        calls.append(given)
        return 1

    monkeypatch.setattr("agekit.memory.ctypes.CDLL", lambda _: SimpleNamespace(mallopt=mallopt))
    for name in ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES"):
        monkeypatch.delenv(name, raising=False)
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    keep_memory.__wrapped__()
    assert calls == ([] if said else [(-3, MAPPED_BYTES), (-1, TRIMMED_BYTES)])


def test_it_is_kept_where_a_game_is_played_on_a_cpu(elsewhere, monkeypatch):
    kept = []
    monkeypatch.setattr("agekit.train.compute.keep_memory", lambda: kept.append("kept"))
    assert agekit_run() == 0
    assert kept == ["kept"]


def test_where_the_c_library_is_another_nothing_is_kept(monkeypatch):
    monkeypatch.setattr("agekit.memory.ctypes.CDLL", lambda _: SimpleNamespace())
    keep_memory.__wrapped__()
