"""A study: candidates measured on the departures from a reference, and what they cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import save, tables
from .candidates import Candidate
from .clouds import departed
from .costs import Cost, Resized, Scaling, costs, scaling
from .departures import DEPARTURES
from .entry import Entry
from .measure import Settings, table

NAMES = tuple(departure.name for departure in DEPARTURES)


@dataclass(frozen=True)
class Study:
    """What was measured: entries are functions of the seed, costs and scalings of the machine as well."""

    reference: str
    settings: Settings
    entries: Sequence[Entry]
    costs: Sequence[Cost]
    scalings: Sequence[Scaling]

    def texts(self) -> list[tables.Text]:
        """The tables, for people."""
        dim, batches = self.settings.reference.dim, self.settings.batches
        return [
            tables.null(self.entries),
            tables.power(self.entries, NAMES),
            tables.errors(self.entries, NAMES),
            tables.signal(self.entries, NAMES),
            tables.costs(self.costs, dim, batches),
            tables.scalings(self.scalings),
        ]

    def write(self, folder: Path) -> None:
        """Save tables and TensorBoard events; what is there is replaced, each file whole."""
        dim = self.settings.reference.dim
        save.write_table(folder / "table.csv", self.entries, self.settings, self.reference)
        save.write_costs(folder / "costs.csv", self.costs)
        save.write_scaling(folder / "scaling.csv", self.scalings)
        place = folder / "events" / f"{self.reference.partition(':')[0]}-{dim}"
        save.write_events(place, self.entries, self.costs, dim)


def steps_of(chosen: Sequence[Candidate], settings: Settings) -> int:
    """How often `study` tells that something is done."""
    return len(chosen) * (len(settings.batches) * (len(departed(settings.reference)) + 1) + 1)


def study(
    reference: str, chosen: Sequence[Candidate], settings: Settings, resized: Resized, done: Callable[[], None]
) -> Study:
    """Measure candidates on all departures, then their costs, for which the reference is `resized`."""
    entries = table(chosen, departed(settings.reference), settings, done)
    measured, scalings = [], []
    for each in chosen:
        found = costs(each, resized, settings)
        measured += found
        scalings.append(scaling(each.label, found, settings))
        done()
    return Study(reference, settings, entries, measured, scalings)
