"""The command line as a process of its own: what it loads, and how it ends where its output does."""

import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from agekit import __version__
from agekit.game.game import Game

from .tiny import TINY

HEAVY = {"torch", "pydantic", "numpy", "PIL", "rich", "pluggy"}


pytestmark = pytest.mark.usefixtures("nowhere")


def shell(command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "AGEKIT": f"{sys.executable} -m agekit", "OMP_NUM_THREADS": "1"}
    arguments = ["bash", "-c", f"set -o pipefail; {command}"]
    return subprocess.run(arguments, check=False, capture_output=True, text=True, timeout=120, env=environment)


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["run", "--help"], ["data", "get", "--help"], []])
def test_help_and_version_load_nothing_heavy(arguments):
    code = (
        "import sys\n"
        "from agekit.__main__ import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit as end:\n    status = end.code\n"
        f"print(status, sorted({HEAVY} & sys.modules.keys()), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr.splitlines()[-1] == f"{0 if arguments else 2} []"


def test_checking_a_recipe_does_not_import_the_compiler():
    code = (
        "import sys\n"
        "from agekit.__main__ import main\n"
        "print(main(['validate', 'age_celeba']), sorted({'torch', 'torch._dynamo', 'sympy'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "0 ['torch']"


@pytest.mark.parametrize("command", ["list", "plan age_mnist"])
def test_a_closed_pipe_is_no_failure(command):
    done = shell(f"$AGEKIT {command} | head -c 1")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_terminal_without_our_letters_is_served(told):
    done = shell("PYTHONIOENCODING=ascii $AGEKIT show divergence kl_sphere")
    assert done.returncode == 0
    assert "KL(codes \\u2016 sphere)" in done.stdout


def test_the_module_and_the_command_are_one():
    done = shell("$AGEKIT --version")
    assert done.stdout == f"agekit {__version__}\n"
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == {"agekit": "agekit.__main__:main"}


def test_ctrl_c_while_libraries_load_ends_by_the_signal_without_a_word(tmp_path):
    """As soon as torch begins to be imported."""
    (tmp_path / "torch.py").write_text("print('loading', flush=True)\nimport time\ntime.sleep(60)\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", "agekit", "run", "age_celeba"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as done:
        assert done.stdout is not None
        assert done.stdout.readline() == "loading\n"
        done.send_signal(signal.SIGINT)
        rest = done.communicate(timeout=60)
    assert (done.returncode, *rest) == (-signal.SIGINT, "", "")


def test_a_second_ctrl_c_says_what_stands_and_how_to_go_on(monkeypatch, told):
    step = Game.step

    def stepping(self):
        done = step(self)
        if self.steps_done == 5:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
        return done

    monkeypatch.setattr(Game, "step", stepping)
    Path("tiny.toml").write_text(TINY)
    status, _, errors = told("run", "tiny.toml", "--name", "twice")
    assert status == 130
    assert errors == [
        "interrupted; the last checkpoint, step-000000004, stands; to go on: agekit resume runs/twice",
    ]
