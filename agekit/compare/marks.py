"""Letters that tell numbers of different protocols apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import count, product
from string import ascii_lowercase

from .numbers import Number

SHOWN = 8
"""So many characters of a fingerprint tell samples apart."""


def letters() -> Iterator[str]:
    """a, b, … z, aa, ab, …

    >>> from itertools import islice
    >>> list(islice(letters(), 25, 28))
    ['z', 'aa', 'ab']
    """
    for length in count(1):
        yield from ("".join(one) for one in product(ascii_lowercase, repeat=length))


class Marks:
    """A letter for each protocol, in the order in which they are asked for."""

    def __init__(self) -> None:
        self._letters = letters()
        self._marked: dict[str, tuple[str, Number]] = {}

    def of(self, number: Number) -> str:
        """The letter of a number's protocol."""
        if number.protocol not in self._marked:
            self._marked[number.protocol] = next(self._letters), number
        return self._marked[number.protocol][0]

    def said(self) -> list[tuple[str, str]]:
        """Each letter, and what it stands for; with the samples' hash where words alone do not tell two apart."""
        times = Counter(number.said for _, number in self._marked.values())
        return [
            (letter, f"{number.said}, data {number.data[:SHOWN]}" if times[number.said] > 1 else number.said)
            for letter, number in self._marked.values()
        ]


def mixed(numbers: Iterable[Number]) -> bool:
    """Whether numbers are of more than one protocol."""
    return len({number.protocol for number in numbers}) > 1
