"""The kit as one line of a plugin's tests."""

from __future__ import annotations

from collections.abc import Callable

from ..plugins import load
from .kit import checks_of, subjects
from .subject import Subject, perform


def conformance(*plugins: str) -> Callable[..., None]:
    """A test for pytest: one case for each component of installed plugins and each check that it goes through.

    A check that says nothing about a component is skipped, with the reason. Raises `AgekitError` where a plugin is
    not installed or registers nothing, and `PluginError` where it is broken.
    """
    import pytest

    loaded = load()
    cases = [
        pytest.param(subject, check, id=f"{subject.shelf.key}-{subject.name}-{check}")
        for plugin in plugins
        for subject in subjects(loaded, plugin)
        for check in checks_of(subject)
    ]

    @pytest.mark.parametrize(("subject", "check"), cases)
    def test_conformance(subject: Subject, check: str) -> None:
        outcome = perform(subject, check, checks_of(subject)[check])
        if outcome.verdict == "fail":
            pytest.fail(f"{subject}, {check}: {outcome.reason}\n\n{outcome.details}", pytrace=False)
        if outcome.verdict == "not applicable":
            pytest.skip(outcome.reason)

    return test_conformance
