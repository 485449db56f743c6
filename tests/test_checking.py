"""`agekit check`: a table of components and checks, reasons, and a status."""

import re
from pathlib import Path

import pytest

from agekit import plugins, testing
from agekit.cli import main
from agekit.errors import AgekitError, PluginError
from agekit.testing.kit import CHECKS

PAGE = Path(__file__).parent.parent / "docs" / "plugins.md"
CORAL = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[0]

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
    rows = [line.split() for line in out.splitlines()]
    assert rows[:4] == [
        ["schedules"],
        ["contract", "docstring", "known", "values"],
        ["warm", "pass", "pass", "-", "pass"],
        ["cold", "pass", "pass", "-", "FAIL"],
    ]
    assert "FAIL  schedule cold, values: raised ZeroDivisionError: division by zero" in out
    assert "-     known of warm, cold: none declared" in out
    assert out.splitlines()[-1] == "8 checks of 2 components: 5 passed, 1 failed, 2 not applicable"
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


def test_the_page_s_plugin_passes(installed, capsys):
    installed("coral", CORAL)
    status = main(["check", "coral"])
    out = capsys.readouterr().out
    assert status == 0, out
    assert "1 component: 15 passed, 0 failed, 0 not applicable" in out


def test_the_page_names_every_check():
    page = PAGE.read_text(encoding="utf-8")
    names = {name for _, checks in CHECKS for name in checks}
    assert len(names) >= 20
    assert {name for name in names if f"`{name}`" not in page} == set()


def test_a_table_that_is_wider_than_the_terminal_is_parted(installed, bare, capsys, monkeypatch):
    installed("mixed", MIXED)
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    main(["check", "mixed"])
    out = capsys.readouterr().out
    assert sum(line.split()[:1] == ["warm"] for line in out.splitlines()) == 2
    assert all(name in out for name in ("contract", "docstring", "known", "values"))
