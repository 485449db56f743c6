"""Every command, with arguments that are missing, too many or absurd, on streams and in places that are gone."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from agekit import __version__, plugins
from agekit.cli import arguments, common, main

STRANGE = (
    "",
    "nowhere",
    "/dev/null",
    "/proc/self/mem",
    "x" * 5000,
    "\x1b[31m",
    "\udcff",
    "-1",
    "1e999",
    "[",
    "..",
)
COMMANDS = 30
"""How many there are, those of commands within commands included; a new one is tried as it is added."""


def commands(parser: argparse.ArgumentParser, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command of a parser."""
    inner = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if words and not (inner and inner[0].required):
        yield words
    for action in inner:
        for name, command in action.choices.items():
            yield from commands(command, (*words, name))


ALL = sorted(commands(arguments.parser(__version__)[0]))


@pytest.fixture(scope="module")
def loaded():
    return plugins.load()


@pytest.fixture
def told(loaded, monkeypatch, capsys, tmp_path):
    """Run a command here; its status, and whether it said something. Plugins are loaded once for all."""
    monkeypatch.setattr(common, "plugins", lambda: loaded)
    (tmp_path / "within" / "here").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "within" / "here")  # beside the folders of other tests there may be runs
    monkeypatch.setenv("AGEKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("AGEKIT_DATA", str(tmp_path / "data"))

    def run(*words: str) -> int:
        try:
            status = main(list(words))
        except SystemExit as ended:  # argparse, of wrong usage
            status = int(str(ended.code))
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        assert status == 0 or said.err.strip() or said.out.strip()
        assert all(line.isprintable() for line in said.err.replace("\t", " ").split("\n"))
        return status

    return run


def test_every_command_is_attacked():
    assert len(ALL) == COMMANDS


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_strange_arguments_are_refused(words, told, monkeypatch):
    monkeypatch.setattr(os, "execv", lambda *_: pytest.fail("a board was opened"))
    needs_nothing = told(*words, "--nonsense") == 2
    assert needs_nothing
    for strange in STRANGE:
        if words[0] not in ("runs", "list", "validate", "plugins", "data", "schema", "lab", "plugin"):
            assert told(*words, *[strange] * positionals(words)) in (1, 2)
        assert told(*words, *[strange] * (positionals(words) + 30)) in (1, 2)


def positionals(words):
    """How many arguments a command takes at least."""
    parser = arguments.parser(__version__)[0]
    for word in words:
        (inner,) = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
        parser = inner.choices[word]
    wanted = [
        one for one in parser._actions if not one.option_strings and not isinstance(one, argparse._SubParsersAction)
    ]
    return sum(1 if one.nargs in (None, "+") else 0 for one in wanted)


OPTIONS = {
    ("lab", "nowhere"): ("--reference", "--dim", "--batch", "--repetitions", "--seed"),
    ("plan", "quickstart"): ("--set",),
    ("data", "prepare", "quickstart"): ("--set",),
    ("board", "."): ("--port",),
    ("plugin", "new", "my-loss"): ("--kind",),
}
ABSURD = (
    "",
    "-1",
    "0.5",
    "nan",
    "99999999999999999999999",
    "\udcff",
    "../../x",
    "x" * 300,
    "=",
    "run.seed=",
    "\n",
)


@pytest.mark.parametrize("words", OPTIONS, ids=" ".join)
def test_absurd_values_of_options_are_refused(words, told, monkeypatch):
    monkeypatch.setattr(os, "execv", lambda *_: pytest.fail("a board was opened"))
    for option in OPTIONS[words]:
        for value in ABSURD:
            assert told(*words, f"{option}={value}") in (1, 2), (option, value)


ENVIRONMENTS = {
    "twenty columns": {"COLUMNS": "20"},
    "no colour": {"NO_COLOR": "1"},
    "a dumb terminal": {"TERM": "dumb"},
}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_what_is_shown_fits_every_terminal(name, told, monkeypatch, capsys):
    for key, value in ENVIRONMENTS[name].items():
        monkeypatch.setenv(key, value)
    for words in (
        ["list"],
        ["plugins"],
        ["plan", "quickstart"],
        ["show", "divergence", "mmd"],
        ["runs"],
        ["data", "list"],
    ):
        assert told(*words) in (0, 1)


SHELL = {
    "a reader that goes": ("{agekit} --help | head -1", 0),
    "no standard output": ("{agekit} runs >&-", None),
    "no standard input": ("{agekit} runs <&-", None),
    "no standard error": ("{agekit} runs nowhere 2>&-", 1),
    "a full device": ("{agekit} runs . > /dev/full", 1),
    "another locale": ("LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0 PYTHONIOENCODING=ascii {agekit} runs 'é'", 1),
    "a home that cannot be written": (
        "HOME=/dev/null XDG_CACHE_HOME= AGEKIT_CACHE= {agekit} data prepare quickstart",
        1,
    ),
    "a folder that was removed": ("mkdir gone && cd gone && rmdir ../gone && {agekit} runs", 1),
}


@pytest.mark.parametrize("name", SHELL)
def test_streams_and_places_that_are_gone(name, tmp_path):
    command, status = SHELL[name]
    ended = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command.format(agekit=f"{sys.executable} -m agekit")],
        cwd=tmp_path, capture_output=True, stdin=subprocess.DEVNULL, text=True, errors="replace", timeout=300,
    )  # fmt: skip
    assert "Traceback" not in ended.stderr
    assert "Exception ignored" not in ended.stderr
    assert ended.returncode == status if status is not None else ended.returncode in (0, 1), ended.stderr
