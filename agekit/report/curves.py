"""Curves as SVG, which any page can hold: no script, no picture file."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .html import Html, tag

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999933")
"""Those of Okabe and Ito, which people who see few colours can tell apart; then black and olive."""

WIDTH, HEIGHT = 380, 200
LEFT, RIGHT, TOP, BOTTOM = 56, 10, 10, 24
MOST = 400
"""A curve of more points is shown by means of neighbouring ones."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Curve:
    """What it is called, the number of its colour, and its points in order."""

    name: str
    colour: int
    points: Sequence[Point]


def colour(number: int) -> str:
    """The colour of a number."""
    return COLOURS[number % len(COLOURS)]


def chart(title: str, curves: Sequence[Curve]) -> Html:
    """Curves in one frame: what is not finite is left out, and interrupts its curve."""
    thinned = [Curve(curve.name, curve.colour, thin(curve.points)) for curve in curves]
    values = [point for curve in thinned for point in curve.points if math.isfinite(point[1])]
    if not values:
        return tag("figure", tag("figcaption", title), tag("p", "no finite value"), class_="chart")
    frame = _Frame(_widened([x for x, _ in values]), _widened([y for _, y in values]))
    drawn = tag(
        "svg",
        *frame.axes(),
        *(line for curve in thinned for line in frame.lines(curve)),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_label=title,
    )
    return tag("figure", tag("figcaption", title), drawn, class_="chart")


def thin(points: Sequence[Point]) -> list[Point]:
    """At most so many points: means of as many neighbours each, of those that are finite.

    >>> len(thin([(float(i), 1.0) for i in range(1000)]))
    334
    """
    each = -(-len(points) // MOST)
    return [_mean(points[first : first + each]) for first in range(0, len(points), each or 1)]


def _mean(points: Sequence[Point]) -> Point:
    finite = [y for _, y in points if math.isfinite(y)]
    return sum(x for x, _ in points) / len(points), sum(finite) / len(finite) if finite else math.nan


def _widened(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - (abs(low) or 1) / 2, high + (abs(high) or 1) / 2)


@dataclass(frozen=True)
class _Frame:
    across: tuple[float, float]
    upwards: tuple[float, float]

    def x(self, value: float) -> float:
        low, high = self.across
        return round(LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT), 2)

    def y(self, value: float) -> float:
        low, high = self.upwards
        return round(HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM), 2)

    def axes(self) -> Iterator[Html]:
        """The grid with its numbers."""
        for value in ticks(*self.upwards):
            y = self.y(value)
            yield tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="grid")
            yield tag("text", number(value), x=LEFT - 6, y=y + 4, text_anchor="end")
        for value in ticks(*self.across):
            yield tag("text", number(value), x=self.x(value), y=HEIGHT - 6, text_anchor="middle")

    def lines(self, curve: Curve) -> Iterator[Html]:
        """A curve, in pieces where it is interrupted; a point by itself is a dot."""
        for piece in _pieces(curve.points):
            places = [(self.x(x), self.y(y)) for x, y in piece]
            if len(places) == 1:
                yield tag("circle", cx=places[0][0], cy=places[0][1], r=3, fill=colour(curve.colour))
                continue
            yield tag("polyline", points=" ".join(f"{x},{y}" for x, y in places), stroke=colour(curve.colour))


def _pieces(points: Sequence[Point]) -> Iterator[list[Point]]:
    piece: list[Point] = []
    for point in points:
        if math.isfinite(point[1]):
            piece.append(point)
        elif piece:
            yield piece
            piece = []
    if piece:
        yield piece


def ticks(low: float, high: float) -> list[float]:
    """Round numbers within a range, three to six of them.

    >>> ticks(0, 1), ticks(0.0931, 0.2714)
    ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [0.1, 0.15, 0.2, 0.25])
    """
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.99)
    return [
        round(index * step, 12) for index in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    ]


def number(value: float) -> str:
    """A number at an axis.

    >>> number(20000), number(1500000), number(0.00012), number(0.25)
    ('20000', '1.5e6', '1.2e-4', '0.25')
    """
    if value and not 1e-3 <= abs(value) < 1e5:
        mantissa, exponent = f"{value:.3e}".split("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    return f"{value:g}"


def legend(names: Sequence[str]) -> Html:
    """Which colour is whose."""
    entries = (tag("span", tag("i", "", style=f"background:{colour(n)}"), name) for n, name in enumerate(names))
    return tag("p", *entries, class_="legend")
