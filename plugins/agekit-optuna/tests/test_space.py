"""What is searched, as it is written."""

import tomllib

import pytest
from agekit.errors import RecipeError
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from agekit_optuna.space import axes, axis, setting


@pytest.mark.parametrize(
    ("text", "law", "ends"),
    [
        ("a.b=1,2", CategoricalDistribution([1, 2]), [1, 2]),
        ("a.b=mmd, kl_sphere", CategoricalDistribution(["mmd", "kl_sphere"]), ["mmd", "kl_sphere"]),
        ("a.b=true,false", CategoricalDistribution([True, False]), [True, False]),
        ("a.b=7", CategoricalDistribution([7]), [7]),
        ("a.b=../x,a/../y", CategoricalDistribution(["../x", "a/../y"]), ["../x", "a/../y"]),
        ('a.b="1..2"', CategoricalDistribution(["1..2"]), ["1..2"]),
        ("a.b=1..8", IntDistribution(1, 8), [1, 8]),
        ("a.b=1..8:log", IntDistribution(1, 8, log=True), [1, 8]),
        ("a.b= -1 .. 2.5", FloatDistribution(-1, 2.5), [-1, 2.5]),
        (" a . b = 1e-4..1e-2:log", FloatDistribution(1e-4, 1e-2, log=True), [1e-4, 1e-2]),
    ],
)
def test_choices_and_ranges_are_read(text, law, ends):
    found = axis(text)
    assert (found.key, found.law, found.ends) == ("a.b", law, ends)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a.b", "where KEY=VALUE,VALUE,… or KEY=LOW..HIGH fits"),
        ("a.=1", "where KEY=VALUE"),
        ("a.b= ", "where KEY=VALUE"),
        *((f"a.b={text}", "a range is two numbers, as in") for text in ("x..y", "1..", "..8", "1...8", "0..inf")),
        *((f"a.b={text}", "a range is two numbers, as in") for text in ("1..8:lgo", "1..2,4..8", "1..2..3")),
        ("a.b=3..1", "the first end of a range is the lower one"),
        ("a.b=0..1.5:log", "a range by logarithms begins above 0"),
        ("a.b=1,1", "a choice is there twice"),
        ("a.b=[1],[2]", "is no choice"),
    ],
)
def test_what_is_neither_is_told(text, said):
    with pytest.raises(RecipeError, match=r"^--over: ") as caught:
        axis(text)
    assert said in str(caught.value)


def test_a_key_is_said_once():
    assert [one.key for one in axes(["a.b=1", "a.c=1"])] == ["a.b", "a.c"]
    with pytest.raises(RecipeError, match=r"^--over: a\.b is said twice$"):
        axes(["a.b=1", " a . b=2"])


def test_a_setting_is_toml():
    for value in (1, -2.5, 1e-7, True, 'a "b"'):
        assert tomllib.loads(setting("key", value)) == {"key": value}
