"""Everything that is registered here goes through the conformance kit: our built-ins, and our plugins."""

from pathlib import Path

from agekit import testing
from agekit.contracts import Judged
from agekit.plugins import load

PLUGINS = {path.name for path in (Path(__file__).parent.parent / "plugins").iterdir()}
COMMANDS = {"agekit-optuna"}
"""They register no component: a command is what they bring."""
OURS = ["agekit", *sorted(PLUGINS - COMMANDS)]

test_conformance = testing.conformance(*OURS)


def test_every_component_is_covered():
    loaded = load()
    registered = {
        (shelf, name, entry.component)
        for shelf, registry in loaded.registries.shelves.items()
        for name, entry in registry.entries.items()
    }
    covered = [
        (subject.shelf.name, subject.name, subject.component)
        for plugin in OURS
        for subject in testing.subjects(loaded, plugin)
    ]
    assert set(covered) == registered
    assert len(covered) == len(registered) >= 92
    assert len(OURS) >= 6


def test_every_formula_of_ours_that_is_trained_on_has_a_known_value():
    silent = [
        str(subject)
        for plugin in OURS
        for subject in testing.subjects(load(), plugin)
        if "known" in testing.checks_of(subject) and not issubclass(subject.component, Judged)
        if not list(subject.component.known())
    ]
    assert silent == []
