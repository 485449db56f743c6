"""The conformance kit catches what is wrong, for the right reason, and lets pass what is right."""

import re
from collections.abc import Mapping

import pytest

from agekit.contracts import SHELVES, Component
from agekit.plugins import load
from agekit.testing import Subject, examine, subjects
from tests import faulty_losses, faulty_others, wrong

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


RIGHT: dict[type[Component], str] = {
    wrong.Right: "divergences",
    faulty_losses.RightFit: "divergences",
    faulty_losses.RightDistance: "divergences",
    faulty_losses.RightError: "reciprocities",
    faulty_others.RightMap: "encoders",
    faulty_others.RightDouble: "operators",
    faulty_others.RightMean: "metrics",
    faulty_others.RightWeight: "controllers",
}


@pytest.mark.parametrize("component", RIGHT, ids=lambda component: component.__name__)
def test_what_is_right_passes(component):
    assert failures(RIGHT[component], component) == {}


CAUGHT = {
    wrong.VarianceForDeviation: ("known", r"is 23\.2.*, where 3\.10.* is declared known"),
    wrong.MeanSquareForgotten: ("known", r"is 1\.85.*, where 3\.10.* is declared known"),
    wrong.AverageForgotten: ("scaling", r"grows as n\^2\.0: .* a mean over samples does not"),
    wrong.PartDetached: ("gradient", r"along 'of' the slope is .*, and the gradient says"),
    wrong.Detached: ("gradient", "no gradient reaches 'of': something on the way is detached"),
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


def test_what_sets_an_attribute_fails_for_that_and_cannot_be_judged_otherwise():
    outcomes = {one.check: one for one in examine(subject_of("divergences", faulty_losses.SetsItself))}
    said = "SetsItself sets its attribute 'last', and a component keeps nothing"
    assert [name for name, one in outcomes.items() if one.verdict == "fail"] == ["state"]
    assert outcomes["state"].reason == said
    assert {outcomes[name].reason for name in ("contract", "known", "gradient", "ranks")} == {said}
