"""`agekit check`: a table of components and checks, reasons, and a status."""

import re
from pathlib import Path

import pytest

from agekit import plugins, testing
from agekit.cli import main
from agekit.errors import AgekitError, PluginError
from agekit.testing.kit import CHECKS

PAGE = Path(__file__).parent.parent / "docs" / "plugins.md"
CORAL, *OTHERS = (
    block
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    if "class " in block
)

MIXED = '''
import agekit

class Warm(agekit.Schedule):
    """The step."""

    def __call__(self, progress):
        return float(progress.step)


class Cold(Warm):
    """1/step."""

    def __call__(self, progress):
        return 1 / progress.step


@agekit.hookimpl
def agekit_register(registries):
    registries.schedules.add("warm", Warm)
    registries.schedules.add("cold", Cold)
'''


def test_the_table_has_a_row_a_component_and_reasons_below(installed, bare, capsys):
    installed("mixed", MIXED)
    assert main(["check", "mixed"]) == 1
    out, err = capsys.readouterr()
    assert [line.split() for line in out.splitlines()[:3]] == [
        ["component", "passed", "failed", "not", "applicable"],
        ["schedule", "warm", "4", "known"],
        ["schedule", "cold", "2", "values,", "state", "known"],
    ]
    assert "FAIL  schedule cold, values, state: raised ZeroDivisionError: division by zero" in out.splitlines()
    assert "-     known of warm, cold: no value is declared known: a classmethod known() that yields" in out
    ending = r"10 checks of 2 components in \d+ s: 6 passed, 2 failed, 2 not applicable"
    assert re.fullmatch(ending, out.splitlines()[-1])
    assert "Traceback" not in out
    assert err == ""


def test_tracebacks_are_shown_on_request(installed, bare, capsys):
    installed("mixed", MIXED)
    assert main(["check", "mixed", "--traceback"]) == 1
    assert "return 1 / progress.step" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["mixed", "agekit-mixed", "agekit_mixed", "Agekit.Mixed"])
def test_a_plugin_is_found_by_all_its_names(name, installed, bare):
    installed("mixed", MIXED)
    assert [subject.name for subject in testing.subjects(plugins.load(), name)] == ["warm", "cold"]


def test_what_cannot_be_checked_is_told(installed, bare, capsys):
    installed("mixed", MIXED)
    installed("empty", "")
    installed("bad", "raise RuntimeError('no such card')")
    for name, said in {
        "mixt": "no plugin is called 'mixt'; did you mean mixed?",
        "empty": "plugin empty registers no component: there is nothing to check",
        "bad": "plugin bad (agekit-bad (agekit_bad)) is broken: RuntimeError: no such card",
    }.items():
        assert main(["check", name]) == 1
        assert f"error: {said}" in capsys.readouterr().err
        with pytest.raises(PluginError if name == "bad" else AgekitError):
            testing.conformance(name)


@pytest.mark.slow
def test_the_page_s_plugin_passes(installed, capsys):
    installed("coral", CORAL)
    status = main(["check", "coral"])
    out = capsys.readouterr().out
    assert status == 0, out
    assert re.search(r"1 component in \d+ s: 16 passed, 0 failed, 3 not applicable", out)


def test_the_page_s_other_components_pass(installed, capsys):
    named = {"Range": "metrics", "Towards": "controllers", "Squares": "datasets"}
    assert [re.findall(r"class (\w+)", block)[0] for block in OTHERS] == [*named]
    head = "import dataclasses\nimport math\n\nimport agekit\nimport numpy as np\nimport torch\n\n"
    hook = "\n\n@agekit.hookimpl\ndef agekit_register(registries):\n"
    lines = [f"    registries.{shelf}.add('{name.lower()}', {name})\n" for name, shelf in named.items()]
    installed("page", head + "\n\n".join(OTHERS) + hook + "".join(lines))
    status = main(["check", "page"])
    out = capsys.readouterr().out
    assert status == 0, out
    assert re.search(r"18 checks of 3 components in \d+ s: 17 passed, 0 failed, 1 not applicable", out), out


def test_the_page_names_every_check():
    page = PAGE.read_text(encoding="utf-8")
    names = {name for _, checks in CHECKS for name in checks}
    assert len(names) >= 20
    assert {name for name in names if f"`{name}`" not in page} == set()


def test_it_is_read_at_eighty_columns(installed, bare, capsys, monkeypatch):
    installed("mixed", MIXED)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    main(["check", "mixed"])
    lines = re.sub(r"\x1b\[\d+m", "", capsys.readouterr().out).splitlines()
    assert max(map(len, lines)) <= 80
    (start,) = [i for i, line in enumerate(lines) if line.startswith("-     known of warm, cold: no value is")]
    assert lines[start + 1].startswith("      ")


REPEATING = '''
import agekit

class Counting(agekit.Schedule):
    """The number of calls."""

    def __call__(self, progress):
        self.calls = 1
        return 1.0


class Raising(agekit.Schedule):
    """Nothing."""

    @classmethod
    def known(cls):
        yield agekit.Known(cls(), (agekit.Progress(0, 1, 1),), 1.0)

    def __call__(self, progress):
        raise RuntimeError("no")


@agekit.hookimpl
def agekit_register(registries):
    registries.schedules.add("counting", Counting)
    registries.schedules.add("raising", Raising)
'''


def test_what_fails_for_one_reason_is_told_once(installed, bare, capsys):
    installed("repeating", REPEATING)
    assert main(["check", "repeating"]) == 1
    out = capsys.readouterr().out
    assert "FAIL  schedule counting, state: Counting sets its attribute 'calls', and a component keeps nothing" in out
    assert "FAIL  schedule raising, known, values, state: raised RuntimeError: no" in out
    assert out.count("Counting sets") == 1
    assert out.count("RuntimeError") == 1
