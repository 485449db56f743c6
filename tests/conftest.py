"""Fixtures that several files share."""

import os
import signal
import sys
from pathlib import Path

import pytest

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell has it in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ.setdefault("OMP_NUM_THREADS", "1")  # as `make test` has it: where threads share a sum, it rounds otherwise


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """The folder of prepared data."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def elsewhere(monkeypatch, cache, tmp_path):
    """Work in an empty folder, and leave torch as it was."""
    import torch  # not needed by those who do not ask for this

    monkeypatch.setenv("AGEKIT_CACHE", str(cache))
    monkeypatch.chdir(tmp_path)
    deterministic = torch.are_deterministic_algorithms_enabled()
    yield
    torch.use_deterministic_algorithms(deterministic)


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """An empty folder, with no data and no cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AGEKIT_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("AGEKIT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def told(capsys):
    """A function that runs a command: its status, and the lines of its output and of its errors."""
    from agekit.cli import main  # not needed by those who do not ask for this

    def run(*arguments: str) -> tuple[int, list[str], list[str]]:
        status = main([*arguments])
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return status, said.out.splitlines(), said.err.splitlines()

    return run


@pytest.fixture
def traced(monkeypatch):
    """Networks are compiled by what needs no C++ compiler; what it traces, inductor would translate."""
    import torch  # not needed by those who do not ask for this

    monkeypatch.setattr("agekit.game.compiling.BACKEND", "aot_eager")
    yield
    torch.compiler.reset()


@pytest.fixture(scope="session")
def registries():
    """All that is installed, and the divergences of the lab's tests."""
    from .laboratory import ADDED
    from .tiny import loaded_with

    return loaded_with(ADDED).registries


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A function that installs a plugin of one module for the time of a test."""
    monkeypatch.syspath_prepend(tmp_path)

    def install(name: str, code: str, requires: str = "agekit>=0.1,<0.2") -> None:
        (tmp_path / f"agekit_{name}.py").write_text(code, encoding="utf-8")
        info = tmp_path / f"agekit_{name}-1.5.dist-info"
        info.mkdir()
        lines = [
            "Metadata-Version: 2.1",
            f"Name: agekit-{name}",
            "Version: 1.5",
            *([f"Requires-Dist: {requires}"] * bool(requires)),
        ]
        (info / "METADATA").write_text("\n".join(lines) + "\n")
        (info / "entry_points.txt").write_text(f"[agekit]\n{name} = agekit_{name}\n")
        monkeypatch.delitem(sys.modules, f"agekit_{name}", raising=False)

    yield install
    for name in [name for name in sys.modules if name.startswith("agekit_")]:
        file = getattr(sys.modules[name], "__file__", None)
        if file and Path(file).parent == tmp_path:
            del sys.modules[name]


@pytest.fixture
def bare(monkeypatch):
    """No built-ins, so that a test is quick."""
    from agekit import plugins

    monkeypatch.setattr(plugins, "BUILTIN", ())
