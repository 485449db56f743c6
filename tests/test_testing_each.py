"""Every check of the conformance kit fails on a component that breaks its promise, and says why."""

import re

import pytest

from agekit import testing
from agekit.contracts import Component
from agekit.testing.kit import CHECKS
from agekit.testing.subject import perform
from tests import faulty, faulty_losses, faulty_others, wrong
from tests.test_testing import subject_of

CAUGHT: list[tuple[str, str, type[Component], str]] = [
    ("reciprocities", "contract", faulty.Mute, "the option 'scale' does not say what it means"),
    ("reciprocities", "contract", faulty.Listed, "the option 'scales' is a list, where a tuple fits"),
    ("reciprocities", "contract", faulty.BadDefault, "the default of the option 'scale' does not fit it: .* 0"),
    (
        "reciprocities",
        "contract",
        faulty.Summed,
        r"it returns \[\] for n = 12 samples, where one value a sample, \[n\]",
    ),
    ("reciprocities", "contract", faulty.OneOperand, "its call takes output, where its operands are of, to"),
    ("losses", "contract", faulty.Refusing, "it refuses every example .*: on principle"),
    ("reciprocities", "docstring", faulty.Silent, "it has no docstring of its own"),
    ("reciprocities", "docstring", faulty.Mute, "says no formula"),
    ("reciprocities", "docstring", faulty.Summed, "says no source"),
    ("schedules", "docstring", faulty.Unsaid, "the docstring's first paragraph is no sentence: 'says'"),
    ("schedules", "known", faulty.Misknown, r"Misknown\(value=2.0\) is 2.0, where 3.0 is declared known"),
    ("divergences", "gradient", wrong.Detached, "no gradient reaches 'of'"),
    ("reciprocities", "order", faulty.Neighbourly, "when the samples change places"),
    ("reciprocities", "samplewise", faulty.Balanced, "becomes .* in two portions, and it is declared samplewise"),
    ("losses", "samplewise", faulty.SaysEach, "becomes .* in two portions, and it is declared samplewise"),
    (
        "reciprocities",
        "shapes",
        faulty.Silent,
        r"of \[n, 3\], to \[n, 3\]: as 'to' it takes \[12, 3, 1, 1\], a \[n, d, 1, 1\], and gives \[12\]",
    ),
    ("divergences", "degenerate", faulty.Logarithmic, "one sample in torch.float32 give nan"),
    ("divergences", "scaling", wrong.AverageForgotten, r"it grows as n\^2.0"),
    ("reciprocities", "float32", faulty.Coarse, r"becomes .* in torch.float32"),
    ("reciprocities", "bfloat16", faulty.Rounding, r"becomes .* in torch.bfloat16"),
    ("reciprocities", "compile", faulty.Compiled, "becomes .* when it is compiled"),
    ("divergences", "state", wrong.Remembering, "after other calls: state is kept"),
    ("divergences", "ranks", wrong.PerRank, "on rank 0 of 2"),
    (
        "reciprocities",
        "seed",
        faulty.Drawing,
        "it draws from torch's global state, and not from a generator that it is handed",
    ),
    ("reciprocities", "seed", faulty.Numpy, "it draws from numpy's global state"),
    ("divergences", "equality", faulty.NoIdeal, "codes drawn from sphere give 0.3.*, where its ideal is 0"),
    ("reciprocities", "equality", faulty.Contrary, "equal samples cost .*, and different ones"),
    ("adversarial", "roles", faulty.Contrarian, "the role real costs 0 at 0 and 1 at 1, where it falls"),
    ("metrics", "contract", faulty.Rows, "the value 'last' is tensor.*, where a text names a finite float"),
    ("metrics", "order", faulty.Rows, "a sample's row depends on the rest of its batch"),
    ("metrics", "degenerate", faulty.Dividing, "zeros raise ZeroDivisionError"),
    ("metrics", "state", faulty.Counting, "after other calls: state is kept"),
    ("encoders", "contract", faulty.TooLong, r"makes \[6, 9\] of n = 6, where z \[8\] is promised"),
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
    ("references", "seed", faulty.Restless, "sample: it draws from torch's global state"),
    ("operators", "contract", faulty.Twice, r"makes \[6, 3, 32, 32\] of n = 6, where x \[6×32×32\] is promised"),
    ("operators", "gradient", faulty.Stopping, "it says stops = True, and a gradient passes"),
    ("operators", "order", faulty.Centring, "depends on the rest of the batch"),
    ("operators", "state", faulty.Growing, "state is kept"),
    ("operators", "seed", faulty.Noisy, "it draws from torch's global state"),
    ("schedules", "values", faulty.Endless, r"Endless\(\) gives inf at"),
    ("schedules", "state", faulty.Wandering, "gives another number when it is asked again"),
    ("optimizers", "descent", faulty.Deaf, "moves at a learning rate of 0"),
    ("optimizers", "state", faulty.Forgetful, "goes on elsewhere: its state is not whole"),
    ("controllers", "contract", faulty.Weightless, "begins with other, where `weight` is among it"),
    ("controllers", "degenerate", faulty.BlowingUp, "is not finite after values of 0"),
    ("controllers", "state", faulty.Outside, "something is kept outside"),
    ("divergences", "known", faulty_losses.Unknown, "no value is declared known"),
    (
        "divergences",
        "known",
        faulty_losses.SumAtOneCoordinate,
        "no known value is of 3 codes or more, of 2 coordinates",
    ),
    (
        "divergences",
        "known",
        faulty_losses.SumOfNothing,
        r"whether line \d+ of faulty_losses.py takes the mean or a sum",
    ),
    ("divergences", "known", faulty_losses.DeviationOfOne, "takes the variance or a standard deviation, `return self"),
    ("divergences", "known", faulty_losses.OneChoice, "no known value is of how = 'badly'"),
    ("reciprocities", "known", faulty_losses.SquareOfOne, "takes the absolute value or a square, `return error.abs"),
    ("adversarial", "known", faulty_losses.OneRole, "no known value is of role = 'fake'"),
    ("metrics", "known", faulty_others.Misjudged, r"mean of Misjudged\(\) is 3.0, where 3.5 is declared known"),
    ("reciprocities", "contract", faulty_losses.Squeezes, r"it returns \[\] for n = 1 samples"),
    ("losses", "gradient", faulty_losses.HalfASlope, "along 'to' the slope is .*, and the gradient says"),
    ("reciprocities", "shapes", faulty_losses.Repeats, r"as 'to' it takes \[1, 3\], a \[1, d\], and gives \[12\]"),
    ("reciprocities", "layout", faulty_losses.Views, r"to \[n, 3, 8, 8\]: laid out channels last, or by columns, they"),
    ("divergences", "float32", faulty_losses.Halves, "of float32 it returns torch.float16"),
    ("divergences", "device", faulty_losses.OnTheCPU, "to sphere: it makes tensors on the CPU whatever the device"),
    ("divergences", "state", faulty_losses.SetsItself, "SetsItself sets its attribute 'last', and a component keeps"),
    ("divergences", "state", faulty_losses.CountsApart, "a call changes the attribute '_calls'"),
    ("divergences", "state", faulty_losses.CountsForAll, "a call changes the attribute 'calls'"),
    ("reciprocities", "state", faulty_losses.Doubles, "a call changes 'to' in place"),
    (
        "divergences",
        "ranks",
        faulty_losses.GathersAlone,
        "the gradient .* on the joined batch becomes .* on rank 0 of 2",
    ),
    ("divergences", "seed", faulty_losses.Seeds, "it draws from numpy's global state"),
    (
        "divergences",
        "limit",
        faulty_losses.WrongLimit,
        r"2048 normal codes give 1\.\d+ .*, where limit\(\) says 5\.\d+",
    ),
    (
        "divergences",
        "forms",
        faulty_losses.OtherwiseFromReferences,
        "against sphere itself, and to .* 2048 draws of it",
    ),
    ("encoders", "contract", faulty_others.SqueezesCodes, r"makes \[8\] of n = 1, where z \[8\] is promised"),
    ("encoders", "contract", faulty_others.Widens, "it makes torch.float64 or values that are not finite"),
    ("encoders", "gradient", faulty_others.Ignores, "no gradient reaches input 1"),
    ("encoders", "apart", faulty_others.Remembers, "a call needs the graph of the call before it, which is gone"),
    ("encoders", "layout", faulty_others.ViewsMaps, "laid out channels last it raises view size is not compatible"),
    ("encoders", "state", faulty_others.Clamps, "a call changes 'input 1' in place"),
    ("encoders", "state", faulty_others.Keeps, "Keeps sets its attribute 'sees', and a component keeps nothing"),
    ("encoders", "seed", faulty_others.Reseeds, "in evaluation mode: it draws from torch's global state"),
    (
        "references",
        "law",
        faulty_others.Flat,
        r"E x_\d² x_\d² of its draws is 1\.\d+, where 3\.\d+ is that of gaussian",
    ),
    (
        "references",
        "law",
        faulty_others.Corners,
        "is that of sphere, whose law it says is its own: uniform on the sphere",
    ),
    (
        "references",
        "way",
        faulty_others.Chord,
        "codes on the way to another code are not in the space of a law uniform",
    ),
    ("references", "order", faulty_others.Whitening, "depends on the rest of its batch"),
    ("references", "device", faulty_others.Shifting, "project: it makes tensors on the CPU whatever the device"),
    ("references", "state", faulty_others.Clipping, "a call changes 'codes' in place"),
    ("operators", "contract", faulty_others.DropsOne, r"it makes \[8\] of n = 1, where z \[8\] is promised"),
    ("operators", "contract", faulty_others.DoublesWide, "it makes torch.float64 or values that are not finite"),
    ("operators", "contract", faulty_others.Half, r"of x \[3×\?×\?\]: space\(\) raises TypeError: .* None is a size"),
    ("operators", "layout", faulty_others.FlatOnes, "laid out channels last, or by columns, they raise view size"),
    ("operators", "compile", faulty_others.DoublesCompiled, "it makes something else when it is compiled"),
    ("operators", "device", faulty_others.DoublesOnTheCPU, "it makes tensors on the CPU whatever the device"),
    ("operators", "state", faulty_others.DoublesInPlace, "a call changes 'operand 1' in place"),
    ("metrics", "contract", faulty_others.NotANumber, "the value 'mean' is nan, where a text names a finite float"),
    ("metrics", "contract", faulty_others.NoNumber, "it makes no value at all"),
    ("metrics", "state", faulty_others.ChangesRows, "a call changes 'of' in place"),
    ("metrics", "seed", faulty_others.Jittered, "it draws from numpy's global state"),
    ("controllers", "contract", faulty_others.Unasked, "where a term's ideal is 0.5 and its gradient not asked for"),
    ("controllers", "contract", faulty_others.Idealist, "where a term's ideal is None and its gradient not asked for"),
    ("controllers", "device", faulty_others.Waiting, r"waits for the device: .*item\(\) cannot be called"),
    ("schedules", "state", faulty_others.Stepping, "a call changes the attribute 'asked'"),
    ("optimizers", "descent", faulty_others.FirstAlone, "a parameter that has a gradient stays"),
    ("optimizers", "descent", faulty_others.Decaying, "a parameter that has no gradient moves"),
    ("optimizers", "seed", faulty_others.Noise, "it draws from torch's global state"),
    ("datasets", "samples", faulty_others.Shuffled, "its samples begin with .*, and with .* when it is opened again"),
    (
        "datasets",
        "frame",
        faulty_others.Framed,
        r"a picture of 178 × 218 is framed as uint8 \[3, 7, 7\], and x is \[3, 32, 32\]",
    ),
    ("datasets", "state", faulty_others.Relabelled, "a call changes the attribute 'times'"),
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
