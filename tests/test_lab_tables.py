"""The lab's tables as text."""

from agekit.lab.tables import Text, aligned

WIDE = aligned("wide", ["name", "n", "first", "second", "third"], [("a", "8", "1", "2", "3")], names=2)


def lines(text: Text) -> list[str]:
    return ["  ".join(row) for row in (text.titles, *text.rows)]


def test_numbers_stand_at_the_right():
    assert lines(WIDE) == ["name  n  first  second  third", "a     8      1       2      3"]
