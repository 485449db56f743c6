"""Commands that plugins add: called, listed, and none of agekit's own."""

import re
from pathlib import Path

import pytest

import agekit
from agekit.cli import main
from agekit.plugins import load

PAGE = Path(__file__).parent.parent / "docs" / "plugins.md"

GREET = """
import agekit
from agekit.errors import AgekitError
def arguments(parser):
    parser.add_argument("who")
def greet(given):
    if given.who == "nobody":
        raise AgekitError("nobody is there")
    print("hello", given.who)
    return 3 if given.who == "three" else None
@agekit.hookimpl
def agekit_commands(commands):
    commands.add("greet", "greet somebody", arguments, greet)
"""


def test_a_plugin_adds_a_command(installed, bare, capsys):
    installed("polite", GREET)
    assert main(["greet", "you"]) == 0
    assert main(["greet", "three"]) == 3
    assert capsys.readouterr().out == "hello you\nhello three\n"
    assert main(["greet", "nobody"]) == 1
    assert capsys.readouterr().err == "error: nobody is there\n"
    with pytest.raises(agekit.AgekitError):
        main(["greet", "nobody", "--traceback"])
    with pytest.raises(SystemExit):
        main(["greet", "--help"])
    assert "greet somebody" in capsys.readouterr().out
    assert main(["plugins"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].split() == ["greet", "polite", "greet", "somebody"]
    with pytest.raises(SystemExit) as end:
        main(["great", "you"])
    assert end.value.code == 2


def test_the_page_s_command_can_be_called(installed, capsys):
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (block,) = (one for one in blocks if "def agekit_commands" in one)
    installed("page", "import agekit\n\n" + block)
    assert main(["greet", "you"]) == 0
    assert capsys.readouterr().out == "hello you\n"


def test_a_command_that_cannot_say_what_it_takes_breaks_no_other(installed, bare, capsys):
    installed("first", GREET)
    installed(
        "second", GREET.replace('"greet",', '"meet",').replace('parser.add_argument("who")', "parser.add_argument(who)")
    )
    assert main(["greet", "you"]) == 0
    assert main(["meet", "you"]) == 1
    said = "error: command meet of plugin second cannot say what it takes: NameError: name 'who' is not defined\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (GREET.replace('"greet",', '"Greet me",'), "command 'Greet me': small letters, digits and dashes make a name"),
        (GREET, "command 'greet' of second: the name is taken by first"),
        (
            GREET.replace('"greet",', '"meet",').replace(", greet)", ")"),
            "TypeError: Commands.add() missing 1 required positional argument: 'handler'",
        ),
        (
            GREET.replace('"greet",', '"meet",').replace(", greet)", ", 1)"),
            "command 'meet' of second: a text and two functions fit",
        ),
        (GREET.replace('"greet",', '"meet",') + "    raise ValueError('later')", "ValueError: later"),
    ],
)
def test_a_command_that_cannot_be_added_breaks_its_plugin_alone(code, reason, installed, bare, capsys):
    installed("first", GREET)
    installed("second", code)
    loaded = load()
    (plugin,) = [plugin for plugin in loaded.plugins if plugin.name == "second"]
    assert plugin.error == reason
    assert [name for name, command in loaded.commands.entries.items() if command.owner == "second"] == []
    assert loaded.commands.entries["greet"].owner == "first"
    assert main(["greet", "you"]) == 0


def test_agekits_own_commands_stay_what_they_are(installed, capsys):
    installed("rude", GREET.replace('"greet",', '"list",'))
    assert main(["list", "recipes"]) == 0
    said = capsys.readouterr()
    assert "hello" not in said.out
    assert said.err.endswith("is broken: command 'list' of rude: the name is taken by agekit itself\n")
    assert main(["plugins"]) == 0
    assert "the name is taken by agekit itself" in capsys.readouterr().out
