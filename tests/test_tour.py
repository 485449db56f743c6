"""The tour's comparison: its commands are run, and what they print is what the page shows."""

import math
import re
import shlex
from itertools import zip_longest
from pathlib import Path

import pytest

from agekit.cli import main

PAGE = Path(__file__).parent.parent / "docs" / "tour.md"
ARRAY = re.compile(r"(\w+)(\+?)=\((.*)\)\Z")
LEFT_OUT = "…"


def shown():
    """The commands of the page's console, with the lines that it shows of each one's output."""
    (console,) = re.findall(r"```console\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    parts = re.split(r"^\$ (.*)\n", console, flags=re.MULTILINE)[1:]
    return [(command, output.splitlines()) for command, output in zip(parts[::2], parts[1::2], strict=True)]


def arguments(command, arrays):
    """The words of a command, as bash makes them of the arrays that were filled before."""
    words = shlex.split(re.sub(r'"\$\{(\w+)\[@\]\}"', lambda found: shlex.join(arrays[found[1]]), command))
    assert words[0] == "agekit"
    return words[1:]


def alike(line, other):
    """Whether two lines say the same: words to the letter, numbers but for what another processor makes of the game.

    Rounding grows in so unsettled a game. The means of three seeds stay close; intervals, and the stars that go by
    them, are only as sure as three seeds are.
    """
    words = list(zip_longest(*map(_said, (line, other)), fillvalue=""))
    before = ["", *(a for a, _ in words)]
    return all(
        a == b or _close(a, b, interval=previous == "±") for (a, b), previous in zip(words, before, strict=False)
    )


def _said(line):
    return line.removesuffix(" *").split()


def _close(a, b, *, interval):
    try:
        first, second = float(a), float(b)
    except ValueError:
        return False
    return 0 < second < 1 if interval else math.isclose(first, second, rel_tol=0.25, abs_tol=0.2) and "." in a + b


def found(block, lines):
    """Whether lines follow one another somewhere in a block; what comes after them."""
    for start in range(len(block) - len(lines) + 1):
        if all(alike(a, b) for a, b in zip(lines, block[start:], strict=False)):
            return block[start + len(lines) :]
    raise AssertionError("\n".join(["the page shows", *lines, "", "and what was printed is", *block]))


@pytest.mark.slow
def test_each_command_prints_what_the_page_shows(elsewhere, capsys):
    arrays: dict[str, list[str]] = {}
    compared = ""
    for command, output in shown():
        if filled := ARRAY.match(command):
            arrays[filled[1]] = [*(arrays[filled[1]] if filled[2] else []), *shlex.split(filled[3])]
            assert output == []
            continue
        assert main(arguments(command, arrays)) == 0
        rest = [line for line in capsys.readouterr().out.splitlines() if line]
        compared = "\n".join(rest)
        for lines in "\n".join(output).split(LEFT_OUT):
            rest = found(rest, [line for line in lines.splitlines() if line])
    assert Path("difference.png").is_file()
    for name, least in (("recovered", 0.15), ("reconstruction", 0.03)):
        gap = re.search(rf"^{name} .* ([+-][\d.]+) ± [\d.]+( \*)?$", compared, re.MULTILINE)
        assert gap
        assert float(gap[1]) > least


def test_lines_are_alike_but_for_the_rounding_of_numbers():
    line = "recovered  value  0.69 ± 0.11  +0.3 ± 0.11 *"
    assert alike(line, "recovered value 0.68 ± 0.32  +0.31 ± 0.1")
    for other in ("recovered", f"{line} a"):
        assert not alike(line, other)
    for found, other in (
        ("0.69", "0.99"),
        ("± 0.11", "± nan"),
        ("± 0.11", "± 7"),
        ("+0.3", "+0.9"),
        ("value", "valeu"),
    ):
        assert not alike(line, line.replace(found, other))
    assert not alike("steps 150", "steps 151")
