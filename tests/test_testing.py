"""The conformance kit catches what is wrong, for the right reason, and lets pass what is right."""

import re
from collections.abc import Mapping

import pytest

from agekit.contracts import SHELVES, Component
from agekit.plugins import load
from agekit.testing import Subject, examine, subjects
from tests import wrong

BUILT_IN = subjects(load(), "agekit")[0]


def subject_of(shelf: str, component: type[Component]) -> Subject:
    return Subject(
        next(one for one in SHELVES if one.name == shelf), "mine", component, BUILT_IN.references, BUILT_IN.datasets
    )


def failures(shelf: str, component: type[Component]) -> Mapping[str, str]:
    """The reasons of the checks that a component fails."""
    outcomes = list(examine(subject_of(shelf, component)))
    assert len(outcomes) >= 4
    return {outcome.check: outcome.reason for outcome in outcomes if outcome.verdict == "fail"}


def test_what_is_right_passes():
    assert failures("divergences", wrong.Right) == {}


CAUGHT = {
    wrong.VarianceForDeviation: ("known", r"is 7\.36.*, where 2\.05.* is declared known"),
    wrong.MeanSquareForgotten: ("known", r"is 0\.80.*, where 2\.05.* is declared known"),
    wrong.AverageForgotten: ("scaling", r"grows as n\^2\.0: .* a mean over samples does not"),
    wrong.PartDetached: ("gradient", r"operand 1: the slope is .*, and the gradient says"),
    wrong.Detached: ("gradient", "no gradient reaches operand 1: something on the way is detached"),
    wrong.PerRank: ("ranks", r"on the joined batch becomes .* on rank 0 of 2"),
}


@pytest.mark.parametrize("component", CAUGHT, ids=lambda component: component.__name__)
def test_a_divergence_that_is_wrong_in_one_thing_fails_for_that_and_nothing_else(component):
    check, reason = CAUGHT[component]
    found = failures("divergences", component)
    assert found.keys() == {check}, found
    assert re.search(reason, found[check]), found


def test_state_that_is_kept_between_calls_is_caught():
    found = failures("divergences", wrong.Remembering)
    assert re.search(r"becomes .* after other calls: state is kept", found["state"])
