"""The short form of `make fuzz`: recipes changed at random are accepted, or refused with their place."""

import pytest

from agekit.errors import Problem, RecipeError

from .attacks.fuzz import play
from .attacks.judging import Judge, Slow, bounded, check_refusal

CASES = 400


def test_recipes_changed_at_random_are_planned_or_refused(tmp_path):
    result = play(0, Judge(tmp_path), CASES)
    assert not result["broken"], result["broken"][0]
    assert result["accepted"] + result["refused"] == CASES
    assert min(result["accepted"], result["refused"]) > CASES // 10  # neither is all there is


def test_what_takes_too_long_or_too_much_is_seen():
    with pytest.raises(Slow, match="processor time"), bounded(seconds=0.2):
        sum(1 for _ in iter(int, 1))
    with pytest.raises(AssertionError, match=r"needed .* MB"), bounded(megabytes=50):
        bytearray(b"x" * 100_000_000)


@pytest.mark.parametrize(
    ("problem", "wrong"),
    [
        (Problem("data", "is wrong"), "nowhere"),
        (Problem("data", "", "0.toml:1"), "says nothing"),
        (Problem("data", "is wrong", "0" * 5000 + ".toml:1"), "50.. characters"),
        (Problem("data", "is wrong", "0.toml:7"), "no such line"),
    ],
)
def test_a_refusal_that_does_not_help_is_seen(problem, wrong):
    with pytest.raises(AssertionError, match=wrong):
        check_refusal(RecipeError([problem]), {"0.toml": b"a = 1\n"})
