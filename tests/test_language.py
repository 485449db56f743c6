"""The language of expressions: names and calls."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agekit.recipe.language import DEEPEST, Call, Expression, Name, names, parse_expression


def test_names_and_calls():
    assert parse_expression("x") == Name("x")
    assert parse_expression(" e( g (z) )\n") == Call("e", (Call("g", (Name("z"),)),))
    assert parse_expression("d(x, e(x))") == Call("d", (Name("x"), Call("e", (Name("x"),))))
    assert str(parse_expression("mix( x,g(z2,l) )")) == "mix(x, g(z2, l))"
    assert parse_expression("énergie(x_1)") == Call("énergie", (Name("x_1"),))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "'' ends where a name should stand"),
        ("  ", "'  ' ends where a name should stand"),
        ("e(", "'e(' ends where a name should stand"),
        ("e(x", "'e(x' ends where ) or , should stand"),
        ("e(x,", "'e(x,' ends where a name should stand"),
        ("e()", "'e()' has ')' where a name should stand"),
        ("e(x,)", "'e(x,)' has ')' where a name should stand"),
        ("e(,x)", "'e(,x)' has ',' where a name should stand"),
        ("(x)", "'(x)' has '(' where a name should stand"),
        ("e(x))", "'e(x))' goes on after the expression, at ')'"),
        ("x y", "'x y' goes on after the expression, at 'y'"),
        ("e(x y)", "'e(x y)' has 'y' where ) or , should stand"),
        ("x, y", "'x, y' goes on after the expression, at ','"),
        ("x + y", "'x + y' has '+', where names, commas and parentheses fit"),
        ("2x", "'2x' has '2', where names, commas and parentheses fit"),
        ("e(x=1)", "'e(x=1)' has '=', where names, commas and parentheses fit"),
        ("e.f(x)", "'e.f(x)' has '.', where names, commas and parentheses fit"),
        ("e(x)(y)", "'e(x)(y)' goes on after the expression, at '('"),
    ],
)
def test_what_is_no_expression_says_where_it_ends_to_make_sense(text, said):
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        parse_expression(text)


def nested(depth: int) -> str:
    return "e(" * depth + "x" + ")" * depth


def test_depth_is_limited():
    parse_expression(nested(DEEPEST))
    with pytest.raises(ValueError, match="nested deeper than 64 calls"):
        parse_expression(nested(DEEPEST + 1))
    with pytest.raises(ValueError, match="nested deeper than 64 calls") as caught:
        parse_expression(nested(1000))
    assert len(str(caught.value)) < 120
    with pytest.raises(ValueError, match="longer than 4096 characters") as caught:
        parse_expression(nested(10_000))
    assert len(str(caught.value)) < 120


def test_every_name_used_is_told_calls_included():
    assert list(names(parse_expression("d(x, e(g(z)))"))) == ["d", "x", "e", "g", "z"]


NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,6}", fullmatch=True)
EXPRESSIONS: st.SearchStrategy[Expression] = st.recursive(
    NAMES.map(Name),
    lambda inner: st.builds(Call, NAMES, st.lists(inner, min_size=1, max_size=3).map(tuple)),
    max_leaves=20,
)


@given(EXPRESSIONS)
def test_what_is_written_is_read_back(expression):
    assert parse_expression(str(expression)) == expression
    assert parse_expression(str(expression).replace(" ", "").replace("(", " ( ")) == expression


@given(st.text("abz2_(), ", max_size=30))
def test_any_text_is_an_expression_or_a_value_error(text):
    try:
        expression = parse_expression(text)
    except ValueError:
        return
    assert parse_expression(str(expression)) == expression
