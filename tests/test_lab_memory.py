"""How much memory the lab takes, and what it says where that does not suffice."""

import sys

import pytest
import torch

from agekit.errors import AgekitError
from agekit.lab import memory

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process")


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


def test_where_the_system_tells_nothing_there_is_no_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "PROCESS", tmp_path / "nowhere")
    monkeypatch.setattr(memory, "free_bytes", lambda: 0)
    with memory.limited():
        assert len(torch.ones(10_000_000)) == 10_000_000
