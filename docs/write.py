"""Write docs/components.md and docs/divergences.md from the docstrings of what is registered, and the tables of
docs/reliability.md from what attacks found; or check them.

python docs/write.py [--check]
"""

from __future__ import annotations

import csv
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

from reliability import page as reliability

from agekit.cli.components import described_operand, described_option
from agekit.contracts import SHELVES, Component, Measure
from agekit.lab.tables import uncertain
from agekit.plugins import BUILTIN, Loaded, load
from agekit.registry import Entry, Registry

DOCS = Path(__file__).parent
COMPONENTS = """# Components

Everything that agekit itself brings, as recipes name it. This page is written from the docstrings by `make docs`;
`agekit show divergence kl_sphere` prints the same in a terminal, with what plugins add.
"""
DIVERGENCES = """# Divergences

Every divergence that agekit itself brings, with its formula and its source. This page is written from the docstrings by
`make docs`, and from the measurements of [the lab](lab.md): power is how far a departure moves the mean, in standard
deviations of the null, ± its standard error; below 1, a divergence is as good as blind to it, and below 0 it takes the
departure for better than the reference. The bias under the null stands beside the standard deviation. The lab says what
the departures are, and measures the same at other sizes, and for divergences of your own.

Values and gradients are finite, in float32 and float64, for clouds of any sort: a single point, duplicates, coordinates
without spread, numbers as small as 1e-30. Too few codes are refused. Numbers may be as large as 1e30, and where a value
is then larger than its type can hold, it is infinite, which the sentinel of a run sees and names. Not a number is the
value of codes of which one is none, and of no others.
"""
SEEN = {"gaussian": DOCS / "lab_gaussian.csv", "sphere": DOCS / "lab_sphere.csv"}
"""What the lab measured, by reference."""

BLIND = 1.0
"""The power below which a departure counts as not seen."""


def components(loaded: Loaded) -> str:
    """The page of all components; divergences have a page of their own."""
    parts = [_shelf(loaded.registries.shelves[shelf.name]) for shelf in SHELVES]
    return COMPONENTS + "".join(f"\n{part}" for shelf in parts for part in shelf)


def divergences(loaded: Loaded) -> str:
    """The page of divergences."""
    entries = _own(loaded.registries.divergences)
    parts = [f"## {entry.name}\n\n{_body(entry.component)}{_seen(entry.name)}" for entry in entries]
    return DIVERGENCES + "".join(f"\n{part}" for part in parts)


def _own(registry: Registry) -> list[Entry]:
    return [entry for entry in registry.entries.values() if entry.owner in BUILTIN]


def _shelf(registry: Registry) -> Iterator[str]:
    entries, shelf = _own(registry), registry.shelf
    if entries:
        yield f'## {shelf.name}\n\n`{shelf.key} = "…"`. {shelf.contract.summary()}\n'
    if entries and shelf.name == "divergences":
        names = ", ".join(f"[{entry.name}](divergences.md#{entry.name})" for entry in entries)
        yield f"They are on [a page of their own](divergences.md): {names}.\n"
        return
    for entry in entries:
        yield f"### {entry.name}\n\n{_body(entry.component)}"


def _body(component: type[Component]) -> str:
    lines = [f"```text\n{inspect.getdoc(component)}\n```\n"]
    if issubclass(component, Measure):
        lines.append(f"Operands: {', '.join(described_operand(name, component) for name in component.operands)}.\n")
    rows = [described_option(name, field) for name, field in component.model_fields.items()]
    if rows:
        table = ["| option | takes | default | unit | meaning |", "|---|---|---|---|---|"]
        table += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
        lines.append("\n".join(table) + "\n")
    return "\n".join(lines)


def _seen(name: str) -> str:
    """What the lab measured of a divergence, and of its variants."""
    lines = []
    for reference, file in SEEN.items():
        with file.open(encoding="utf-8", newline="") as stream:
            rows = [row for row in csv.DictReader(stream) if row["divergence"].partition(":")[0] == name]
        for label in dict.fromkeys(row["divergence"] for row in rows):
            own = {row["codes"]: row for row in rows if row["divergence"] == label}
            powers = {codes: (float(row["power"]), _power(row)) for codes, row in own.items() if row["power"]}
            null = " ± ".join(f"{float(own['null'][column]):.2g}" for column in ("error", "sd"))
            cells = _as_option(label), reference, null, _seen_of(powers), _missed_of(powers)
            lines.append(f"| {' | '.join(cells)} |\n")
    if not lines:
        return ""
    return f"\n| n = d = 64 | against | bias ± sd | power | hardly seen |\n|---|---|---|---|---|\n{''.join(lines)}"


def _as_option(label: str) -> str:
    options = label.partition(":")[2]
    return f"`{options}`" if options else "as it is"


def _power(row: dict[str, str]) -> str:
    return uncertain(float(row["power"]), float(row["power_standard_error"]))


def _seen_of(powers: dict[str, tuple[float, str]]) -> str:
    seen = [f"{cloud} {shown}" for cloud, (power, shown) in powers.items() if abs(power) >= BLIND]
    return ", ".join(seen) or "nothing"


def _missed_of(powers: dict[str, tuple[float, str]]) -> str:
    return ", ".join(cloud for cloud, (power, _) in powers.items() if abs(power) < BLIND)


def main() -> int:
    """Write the pages, or compare them."""
    loaded = load()
    stale = []
    pages = {
        "components.md": components(loaded),
        "divergences.md": divergences(loaded),
        "reliability.md": reliability(DOCS),
    }
    for name, text in pages.items():
        page = DOCS / name
        if "--check" not in sys.argv:
            page.write_text(text, encoding="utf-8")
        elif not page.exists() or page.read_text(encoding="utf-8") != text:
            stale.append(page)
    for page in stale:
        print(f"{page} is not what the docstrings, the lab and the attacks say: run make docs", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
