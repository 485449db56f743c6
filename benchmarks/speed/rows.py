"""What is measured, with its goal, and whether it is met."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

NOT_TAKEN = "not taken"


@dataclass(frozen=True)
class Goal:
    """A bound on a number."""

    bound: float
    at_least: bool
    unit: str = "×"

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.bound:g} {self.unit}".rstrip()

    def met_by(self, value: float) -> bool:
        """Whether a number keeps to the bound."""
        return value >= self.bound if self.at_least else value <= self.bound


@dataclass(frozen=True)
class Row:
    """A measure: its values, a round each, of which the median counts; none where it was not taken, with the reason.

    `ours` and `theirs` are medians as they are written, of agekit and of what it is compared with.
    """

    measure: str
    goal: Goal | None
    values: Sequence[float] = ()
    ours: str = ""
    theirs: str = ""
    note: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict)

    @property
    def value(self) -> float | None:
        return statistics.median(self.values) if self.values else None

    @property
    def met(self) -> bool | None:
        return self.goal.met_by(self.value) if self.goal and self.value is not None else None

    def cells(self) -> list[str]:
        """As the page's table shows it."""
        unit = self.goal.unit if self.goal else ""
        shown = f"{self.value:.3g} {unit}".rstrip() if self.value is not None else NOT_TAKEN
        span = f"{min(self.values):.3g} to {max(self.values):.3g}" if len(self.values) > 1 else ""
        met = {True: "yes", False: "no", None: ""}[self.met]
        return [self.measure, self.ours, self.theirs, shown, span, str(self.goal or ""), met]

    def as_json(self) -> dict[str, Any]:
        """As the file beside the page keeps it."""
        return {
            "measure": self.measure,
            "goal": str(self.goal or ""),
            "value": self.value,
            "values": list(self.values),
            "met": self.met,
            "note": self.note,
            **self.raw,
        }


COLUMNS = ["measure", "agekit", "compared with", "result", "least to most", "goal", "met"]


def table(rows: Sequence[Row]) -> str:
    """The rows as Markdown."""
    lines = [COLUMNS, ["---"] * len(COLUMNS), *(row.cells() for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
