"""The lab's tables as text."""

from agekit.lab.tables import Text, aligned

WIDE = aligned("wide", ["name", "n", "first", "second", "third"], [("a", "8", "1", "2", "3")], names=2)


def lines(text: Text) -> list[str]:
    return ["  ".join(row) for row in (text.titles, *text.rows)]


def test_numbers_stand_at_the_right():
    assert lines(WIDE) == ["name  n  first  second  third", "a     8      1       2      3"]


def test_a_table_that_fits_is_left_whole():
    assert WIDE.within(29) == [WIDE]


def test_a_table_that_is_too_wide_is_split_and_keeps_its_names():
    first, second = WIDE.within(28)
    assert lines(first) == ["name  n  first  second", "a     8      1       2"]
    assert lines(second) == ["name  n  third", "a     8      3"]
    assert [text.titles[2:] for text in WIDE.within(1)] == [["first"], ["second"], ["third"]]
