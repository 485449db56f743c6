"""Every check of the conformance kit fails on a component that breaks its promise, and says why."""

import re

import pytest

from agekit import testing
from agekit.contracts import Component
from agekit.testing.kit import CHECKS
from agekit.testing.subject import perform
from tests import faulty, wrong
from tests.test_testing import subject_of

CAUGHT: list[tuple[str, str, type[Component], str]] = [
    ("reciprocities", "contract", faulty.Mute, "the option 'scale' does not say what it means"),
    ("reciprocities", "contract", faulty.Listed, "the option 'scales' is a list, where a tuple fits"),
    ("reciprocities", "contract", faulty.BadDefault, "the default of the option 'scale' does not fit it: .* 0"),
    (
        "reciprocities",
        "contract",
        faulty.Summed,
        r"it returns \[\] for 12 samples, where one value a sample, \[n\]",
    ),
    ("reciprocities", "contract", faulty.OneOperand, "its call takes output, where its operands are of, to"),
    ("losses", "contract", faulty.Refusing, "it refuses every example .*: on principle"),
    ("reciprocities", "docstring", faulty.Silent, "it has no docstring of its own"),
    ("reciprocities", "docstring", faulty.Mute, "says no formula"),
    ("reciprocities", "docstring", faulty.Summed, "says no source"),
    ("schedules", "docstring", faulty.Unsaid, "the docstring's first paragraph is no sentence: 'says'"),
    ("schedules", "known", faulty.Misknown, r"Misknown\(value=2.0\) is 2.0, where 3.0 is declared known"),
    ("divergences", "gradient", wrong.Detached, "no gradient reaches operand 1"),
    ("reciprocities", "order", faulty.Neighbourly, "when the samples change places"),
    ("reciprocities", "samplewise", faulty.Balanced, "becomes .* in two portions, and it is declared samplewise"),
    ("losses", "samplewise", faulty.SaysEach, "becomes .* in two portions, and it is declared samplewise"),
    ("reciprocities", "shapes", faulty.Silent, r"operand 2 of shape \[n, d, 1, 1\] is taken, and gives \[12\]"),
    ("divergences", "degenerate", faulty.Logarithmic, "one sample in torch.float32 give nan"),
    ("divergences", "scaling", wrong.AverageForgotten, r"it grows as n\^2.0"),
    ("reciprocities", "float32", faulty.Coarse, r"becomes .* in torch.float32"),
    ("reciprocities", "bfloat16", faulty.Rounding, r"becomes .* in torch.bfloat16"),
    ("reciprocities", "compile", faulty.Compiled, "becomes .* when it is compiled"),
    ("divergences", "state", wrong.Remembering, "after other calls: state is kept"),
    ("divergences", "ranks", wrong.PerRank, "on rank 0 of 2"),
    ("reciprocities", "seed", faulty.Drawing, "it draws from torch's global state, where a keyword `generator` fits"),
    ("reciprocities", "seed", faulty.Numpy, r"becomes .* with the same seed"),
    ("divergences", "equality", faulty.NoIdeal, "codes drawn from sphere give 0.3.*, where its ideal is 0"),
    ("reciprocities", "equality", faulty.Contrary, "equal samples cost .*, and different ones"),
    ("adversarial", "roles", faulty.Contrarian, "the role real costs 0 at 0 and 1 at 1, where it falls"),
    ("metrics", "contract", faulty.Rows, "the value 'last' is tensor.*, where a text names a float"),
    ("metrics", "order", faulty.Rows, "a sample's row depends on the rest of its batch"),
    ("metrics", "degenerate", faulty.Dividing, "zeros raise ZeroDivisionError"),
    ("metrics", "state", faulty.Counting, "after other calls: state is kept"),
    ("encoders", "contract", faulty.TooLong, r"makes \[6, 9\] of 6 samples, where z \[8\] is promised"),
    ("encoders", "gradient", faulty.Unused, "no gradient reaches spare.weight"),
    ("encoders", "order", faulty.Centred, "depends on the rest of its batch"),
    ("encoders", "bfloat16", faulty.Doubled, "far off within autocast"),
    ("encoders", "compile", faulty.Recompiled, "something else when it is compiled"),
    ("encoders", "state", faulty.Aside, "its state is not whole"),
    ("encoders", "seed", faulty.Fixed, "another seed gives the same weights"),
    ("references", "law", faulty.Wide, "in dimension 2 its covariance is not 1 I: variance 0.5"),
    ("references", "space", faulty.Unprojected, "draws are not in the space of a law uniform on the sphere"),
    ("references", "way", faulty.Straight, "the way from a code to another code does not begin and end there"),
    ("references", "gradient", faulty.Cut, "is not that of its value"),
    ("references", "degenerate", faulty.Unguarded, "the projection of zero codes, or its gradient, is not finite"),
    ("references", "seed", faulty.Restless, "it draws from something else than the generator"),
    ("operators", "contract", faulty.Twice, r"makes \[6, 3, 32, 32\] of 6 samples, where x \[6×32×32\] is promised"),
    ("operators", "gradient", faulty.Stopping, "it says stops = True, and a gradient passes"),
    ("operators", "order", faulty.Centring, "depends on the rest of the batch"),
    ("operators", "state", faulty.Growing, "state is kept"),
    ("operators", "seed", faulty.Noisy, "it draws from a global state"),
    ("schedules", "values", faulty.Endless, r"Endless\(\) gives inf at"),
    ("schedules", "values", faulty.Wandering, "gives another number when it is asked again"),
    ("optimizers", "descent", faulty.Deaf, "moves at a learning rate of 0"),
    ("optimizers", "state", faulty.Forgetful, "goes on elsewhere: its state is not whole"),
    ("controllers", "contract", faulty.Weightless, "begins with other, where `weight` is among it"),
    ("controllers", "degenerate", faulty.BlowingUp, "is not finite after values of 0"),
    ("controllers", "state", faulty.Outside, "something is kept outside"),
    ("datasets", "contract", faulty.Backwards, "its fields are label, factors, mask, x, where x, .* comes first"),
    ("datasets", "samples", faulty.Mislabelled, "the field mask has values outside its classes"),
]


@pytest.mark.parametrize(
    ("shelf", "check", "component", "reason"), CAUGHT, ids=[f"{one[1]}-{one[2].__name__}" for one in CAUGHT]
)
def test_what_breaks_a_promise_is_caught_with_its_reason(shelf, check, component, reason):
    subject = subject_of(shelf, component)
    outcome = perform(subject, check, testing.checks_of(subject)[check])
    assert outcome.verdict == "fail"
    assert re.search(reason, outcome.reason), outcome.reason
    assert "Traceback" in outcome.details


def test_every_check_is_seen_to_fail():
    failing = {testing.checks_of(subject_of(shelf, component))[check] for shelf, check, component, _ in CAUGHT}
    every = {check for _, checks in CHECKS for check in checks.values()}
    silent = {check.__module__ + "." + check.__name__ for check in every - failing}
    assert silent == {"agekit.testing.declared.options"}  # of which the contracts of all shelves are made
    assert len(every) >= 40
