"""Means with intervals, by Student's t."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean, stdev

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """The mean of so many values, and half of the interval of its confidence; None where one value has none.

    >>> Interval.of([1.0, 2.0, 3.0]).said
    '2 ± 2.5'
    """

    mean: float
    half: float | None
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Interval:
        """The interval of the mean of values that are independent and normal: t(n − 1) · s / √n on either side."""
        if len(values) < 2 or not all(map(math.isfinite, values)):
            return cls(fmean(values), None, len(values))
        return cls(fmean(values), student(len(values) - 1) * stdev(values) / math.sqrt(len(values)), len(values))

    @property
    def shows(self) -> bool:
        """Whether 0 is outside."""
        return self.half is not None and abs(self.mean) > self.half

    @property
    def said(self) -> str:
        """The mean, and half of the interval to two digits; the mean to the last digit that these have."""
        return self._text("")

    @property
    def signed(self) -> str:
        """The same, with the sign of the mean."""
        return self._text("+")

    def _text(self, sign: str) -> str:
        if self.half is None:
            return f"{self.mean:{sign}.4g}"
        half = f"{self.half:.2g}"
        digits = 4 if self.half == 0 or not math.isfinite(self.mean) else _digits(self.mean, self.half)
        return f"{self.mean:{sign}.{digits}g} ± {half}"


def _digits(mean: float, half: float) -> int:
    """Significant digits of a mean down to the second digit of half its interval, and one at least."""
    first = math.floor(math.log10(abs(mean))) if mean else 0
    return max(first - math.floor(math.log10(half)) + 2, 1)


@lru_cache
def student(freedom: int, confidence: float = CONFIDENCE) -> float:
    """The t that a Student variable of so many degrees of freedom exceeds, in magnitude, with 1 − confidence.

    Bisection of P(|T| < t), which is a finite sum (Abramowitz and Stegun 1964, 26.7.3 and 26.7.4).

    >>> round(student(2), 3), round(student(9), 3)
    (4.303, 2.262)
    """
    low, high = 0.0, 1.0
    while _within(high, freedom) < confidence:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, freedom) < confidence else (low, middle)
    return (low + high) / 2


def _within(t: float, freedom: int) -> float:
    """P(|T| < t): with θ = arctan(t/√ν), a sum of powers of cos θ, of one parity, up to the (ν − 2)th."""
    angle = math.atan(t / math.sqrt(freedom))
    odd = freedom % 2
    term, total = math.cos(angle) if odd else 1.0, 0.0
    for power in range(1 if odd else 0, freedom - 1, 2):
        total += term
        term *= math.cos(angle) ** 2 * (power + 1) / (power + 2)
    return 2 / math.pi * (angle + math.sin(angle) * total) if odd else math.sin(angle) * total
