"""The conformance kit: every promise of a component, checked. In a plugin's tests it is one line:

    test_conformance = agekit.testing.conformance("my_divergence")

`agekit check my_divergence` prints the same as a table.
"""

from .kit import checks_of, examine, subjects
from .one_line import conformance
from .subject import Broken, NotApplicable, Outcome, Subject

__all__ = [
    "Broken",
    "NotApplicable",
    "Outcome",
    "Subject",
    "checks_of",
    "conformance",
    "examine",
    "subjects",
]
