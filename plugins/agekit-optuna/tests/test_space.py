"""What is searched, as it is written."""

import pytest
from agekit.errors import RecipeError
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from agekit_optuna.space import axis, setting


@pytest.mark.parametrize(
    ("text", "law", "ends"),
    [
        ("a.b=1,2", CategoricalDistribution([1, 2]), [1, 2]),
        ("a.b=mmd, kl_sphere", CategoricalDistribution(["mmd", "kl_sphere"]), ["mmd", "kl_sphere"]),
        ("a.b=true,false", CategoricalDistribution([True, False]), [True, False]),
        ("a.b=7", CategoricalDistribution([7]), [7]),
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
        ("a.b=x..y", "the ends of a range are numbers"),
        ("a.b=3..1", "low"),
        ("a.b=0..1.5:log", "low"),
        ("a.b=1,1", "a choice is there twice"),
        ("a.b=[1],[2]", "is no choice"),
    ],
)
def test_what_is_neither_is_told(text, said):
    with pytest.raises(RecipeError, match=r"^--over: ") as caught:
        axis(text)
    assert said in str(caught.value)


def test_a_setting_is_toml():
    import tomllib

    for value in (1, -2.5, 1e-7, True, 'a "b"'):
        text = setting("key", value)
        assert tomllib.loads(text) == {"key": value}
