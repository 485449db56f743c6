"""How much memory the lab takes, and what it says where that does not suffice."""

import sys

import pytest
import torch

from agekit.errors import AgekitError
from agekit.lab import memory

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process")


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with 8 GB free, in no group."""
    (tmp_path / "meminfo").write_text(
        "MemTotal:       16000000 kB\nMemAvailable:    8000000 kB\nHugePages_Total:       0\n"
    )
    monkeypatch.setattr(memory, "MACHINE", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "GROUP", tmp_path)
    return tmp_path


def test_free_is_what_the_machine_and_the_group_leave(machine):
    assert memory.free_bytes() == 8_000_000 * 1024
    (machine / "memory.max").write_text("max\n")
    assert memory.free_bytes() == 8_000_000 * 1024
    (machine / "memory.max").write_text("3000000000\n")
    (machine / "memory.current").write_text("2500000000\n")
    (machine / "memory.stat").write_text("anon 1900000000\ninactive_file 500000000\n")
    assert memory.free_bytes() == 1_000_000_000
    (machine / "memory.current").write_text("3600000000\n")
    assert memory.free_bytes() == 0


def test_what_does_not_fit_is_refused_and_nothing_else_is_changed(monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda: 200_000_000)
    with memory.limited():
        assert len(torch.ones(10_000_000)) == 10_000_000
        told = r"this needs more memory than the 0\.2 GB that are free"
        with pytest.raises(ValueError, match=told), memory.refusing("this"):
            torch.ones(200_000_000)
        with pytest.raises(RuntimeError, match="shape"), memory.refusing("this"):
            torch.ones(2).reshape(3)
    with pytest.raises(AgekitError, match="what is asked for needs more memory"), memory.limited():
        torch.ones(200_000_000)
    assert len(torch.ones(100_000_000)) == 100_000_000


def test_where_the_system_tells_nothing_there_is_no_limit(machine, monkeypatch):
    monkeypatch.setattr(memory, "PROCESS", machine / "nowhere")
    (machine / "meminfo").write_text("MemAvailable: 0 kB\n")
    with memory.limited():
        assert len(torch.ones(10_000_000)) == 10_000_000
