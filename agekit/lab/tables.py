"""Tables: what was measured, as text in columns."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from .costs import Cost, Scaling
from .entry import Entry

ABSENT = "n/a"
"""What stands where a departure is none, or a divergence refuses."""

UNKNOWN = "-"
"""What stands where there is no known value to compare with."""


@dataclass(frozen=True)
class Text:
    """A table: what it shows, the titles of its columns, and its rows, of which the first `names` cells say whose."""

    caption: str
    titles: list[str]
    rows: list[tuple[str, ...]]
    names: int = 2


def null(entries: Sequence[Entry]) -> Text:
    """The values where codes follow the reference."""
    rows = []
    for entry in entries:
        base = entry.measured.get("null")
        mean, sd = (number(base.mean), number(base.sd)) if base else (ABSENT, ABSENT)
        rows.append((mean, number(entry.known.get("null")), number(entry.error("null")), sd))
    caption = "the null: mean, value in the limit of many codes, bias, standard deviation"
    return _of(caption, ["mean", "ideal", "bias", "sd"], entries, rows)


def power(entries: Sequence[Entry], clouds: Sequence[str]) -> Text:
    """How far each departure is seen."""
    rows = [tuple(with_error(entry, cloud) for cloud in clouds) for entry in entries]
    caption = "power: how far a departure moves the mean, in standard deviations of the null, ± its standard error"
    return _of(caption, clouds, entries, rows)


def with_error(entry: Entry, cloud: str) -> str:
    """A power ± its standard error, both with the digits that matter."""
    power, error = entry.power(cloud), entry.power_standard_error(cloud)
    return short(power, ABSENT) if power is None or error is None or math.isnan(power) else uncertain(power, error)


def uncertain(value: float, error: float) -> str:
    """A number ± its standard error.

    >>> uncertain(2191.3, 112.1), uncertain(-0.04, 0.123), uncertain(3.0, float("nan"))
    ('2191±112', '0.0±0.1', '3.0±-')
    """
    return "±".join(short(number, UNKNOWN, digits=0 if error >= 10 else 1) for number in (value, error))


def errors(entries: Sequence[Entry], clouds: Sequence[str]) -> Text:
    """How far the means are from the values known for many codes."""
    rows = [tuple(number(entry.error(cloud)) for cloud in clouds) for entry in entries]
    known = [(entry, row) for entry, row in zip(entries, rows, strict=True) if any(cell != UNKNOWN for cell in row)]
    caption = "error: mean less the value known for endlessly many codes of that law"
    return _of(caption, list(clouds), [entry for entry, _ in known], [row for _, row in known])


def signal(entries: Sequence[Entry], clouds: Sequence[str]) -> Text:
    """The signal-to-noise ratio of the gradient."""

    def ratio(entry: Entry, cloud: str) -> str:
        there = entry.measured.get(cloud)
        return short(there.signal, ABSENT, digits=2) if there else ABSENT

    names = ["null", *clouds]
    rows = [tuple(ratio(entry, name) for name in names) for entry in entries]
    caption = "gradient signal-to-noise: of the gradient of a linear layer under the codes, |mean| over deviation"
    return _of(caption, names, entries, rows)


def gradients(entries: Sequence[Entry], clouds: Sequence[str]) -> Text:
    """The norm of the gradient."""

    def norm(entry: Entry, cloud: str) -> str:
        there = entry.measured.get(cloud)
        return number(there.gradient) if there else ABSENT

    names = ["null", *clouds]
    rows = [tuple(norm(entry, name) for name in names) for entry in entries]
    return _of("gradient by the codes: root mean square of its norm", names, entries, rows)


def values(entries: Sequence[Entry], clouds: Sequence[str]) -> Text:
    """The means, and their excess over the ideal."""

    def cells(entry: Entry, cloud: str) -> tuple[str, str]:
        there, ideal = entry.measured.get(cloud), entry.known.get("null")
        if there is None:
            return ABSENT, ABSENT
        return number(there.mean), number(there.mean - ideal if ideal is not None else None)

    names = ["null", *clouds]
    rows = [tuple(cell for name in names for cell in cells(entry, name)) for entry in entries]
    return _of("values, and their excess over the ideal", [t for n in names for t in (n, "excess")], entries, rows)


def costs(measured: Sequence[Cost], dim: int, batches: Iterable[int]) -> Text:
    """Time and memory of one call."""
    kept = [cost for cost in measured if cost.dim == dim and cost.batch in batches]
    rows = [(c.label, str(c.batch), *map(number, _cost(c))) for c in kept]
    titles = ["divergence", "n", "forward ms", "backward ms", "peak MB"]
    return aligned("cost of one call: processor time, and tensors alive at once", titles, rows, names=2)


def _cost(cost: Cost) -> tuple[float, float, float]:
    return 1e3 * cost.forward_seconds, 1e3 * cost.backward_seconds, cost.peak_bytes / 1e6


def scalings(fitted: Sequence[Scaling]) -> Text:
    """The exponents."""
    titles = ["divergence", "time n^", "time d^", "memory n^", "memory d^"]
    rows = [(s.label, *(short(x, UNKNOWN, digits=2) for x in _exponents(s))) for s in fitted]
    return aligned("growth with n codes and d dimensions", titles, rows)


def _exponents(scaling: Scaling) -> tuple[float, float, float, float]:
    return scaling.time_n, scaling.time_d, scaling.memory_n, scaling.memory_d


def number(value: float | None) -> str:
    """Three digits that matter.

    >>> number(0.0123456), number(-1e-17), number(None)
    ('0.0123', '0', '-')
    """
    if value is None:
        return UNKNOWN
    return "0" if abs(value) < 1e-12 else f"{value:.3g}"


def short(value: float | None, absent: str, digits: int = 1) -> str:
    """So many digits after the point; what is large has none.

    >>> short(-0.04, "n/a"), short(12345.6, "n/a"), short(None, "n/a")
    ('0.0', '12346', 'n/a')
    """
    if value is None:
        return absent
    if math.isnan(value):
        return UNKNOWN
    return f"{value:.0f}" if abs(value) >= 1000 else f"{round(value, digits) + 0.0:.{digits}f}"


def aligned(caption: str, titles: Sequence[str], rows: Sequence[tuple[str, ...]], names: int = 1) -> Text:
    """A table whose cells are padded to the width of their column: numbers, all but the first, to the right."""
    widths = [max(len(line[column]) for line in [titles, *rows]) for column in range(len(titles))]
    put: list[Callable[[str, int], str]] = [str.ljust, *[str.rjust] * (len(titles) - 1)]

    def padded(line: Sequence[str]) -> tuple[str, ...]:
        return tuple(pad(cell, width) for pad, cell, width in zip(put, line, widths, strict=True))

    return Text(caption, list(padded(titles)), [padded(row) for row in rows], names)


def _of(caption: str, titles: Sequence[str], entries: Sequence[Entry], rows: Sequence[tuple[str, ...]]) -> Text:
    whole = [(entry.label, str(entry.batch), *row) for entry, row in zip(entries, rows, strict=True)]
    return aligned(caption, ["divergence", "n", *titles], whole, names=2)
