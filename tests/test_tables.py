"""Tables on the console: whole where they are piped or have room, in parts on a narrow terminal."""

import io

import pytest
from rich.console import Console

from agekit.cli import comparing, components, main
from agekit.cli.components import print_table

from .runs import begin
from .tiny import TINY

TITLES = ["name", "n", "first", "second", "third"]
ROWS = [("a", "8", "1", "2", "3"), ("b", "8", "4", "5", "6")]


def screen(width, *, terminal=True, colours=None):
    return Console(file=io.StringIO(), force_terminal=terminal, width=width, color_system=colours, soft_wrap=True)


def printed(width, *, terminal=True):
    console = screen(width, terminal=terminal)
    print_table(TITLES, ROWS, console, names=2)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_a_table_that_has_room_or_is_piped_is_whole():
    whole = ["name  n  first  second  third", "a     8  1      2       3", "b     8  4      5       6"]
    assert printed(29) == whole
    assert printed(10, terminal=False) == whole


@pytest.mark.parametrize("width", [29, 28])
def test_heads_are_bold_on_a_terminal_in_one_part_or_in_many(width):
    console = screen(width, colours="standard")
    print_table(TITLES, ROWS, console, names=2)
    heads = [line for line in console.file.getvalue().splitlines() if "name" in line]
    assert len(heads) == (1 if width == 29 else 2)
    assert all(line.startswith("\x1b[1mname") for line in heads)


def test_a_table_that_is_too_wide_is_printed_in_parts_that_keep_its_names():
    assert printed(28) == [
        *("name  n  first  second", "a     8  1      2", "b     8  4      5", ""),
        *("name  n  third", "a     8  3", "b     8  6"),
    ]
    assert [line.split()[2] for line in printed(1) if line.startswith("name")] == ["first", "second", "third"]


def test_runs_fit_a_terminal_of_80_columns(elsewhere, monkeypatch):
    measured = "".join(
        f'reconstructions_{name} = {{ reciprocity = "{name}", of = "g(e(x))", to = "x", count = 8 }}\n'
        for name in ("l1", "l2", "cosine")
    )
    begin("with_a_name_as_long_as_some_are", f"{TINY}\n[metrics]\n{measured}", settings=["run.steps=1"])
    narrow = screen(80)
    for module in (components, comparing):
        monkeypatch.setattr(module, "make_console", lambda **_: narrow)
    assert main(["runs"]) == 0
    lines = narrow.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    titles = [line.split() for line in lines if line.startswith("run ")]
    assert len(titles) > 1
    assert [title for part in titles for title in part[1:]] == [
        *("recipe", "seed", "age", "steps", "state"),
        *(f"reconstructions_{name}.value" for name in ("l1", "l2", "cosine")),
    ]
    assert sum(line.startswith("with_a_name_as_long_as_some_are ") for line in lines) == len(titles)
