"""Write docs/components.md from the docstrings of what is registered, or check that it is what they say.

python docs/write.py [--check]
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

from agekit.cli.components import described_operand, described_option
from agekit.contracts import SHELVES, Component, Measure
from agekit.plugins import BUILTIN, Loaded, load
from agekit.registry import Registry

PAGE = Path(__file__).parent / "components.md"
HEAD = """# Components

Everything that agekit itself brings, as recipes name it. This page is written from the docstrings by `make docs`;
`agekit show divergence kl_sphere` prints the same in a terminal, with what plugins add.
"""


def page(loaded: Loaded) -> str:
    """The whole page."""
    return HEAD + "".join(f"\n{part}" for shelf in SHELVES for part in _shelf(loaded.registries.shelves[shelf.name]))


def _shelf(registry: Registry) -> Iterator[str]:
    entries = [entry for entry in registry.entries.values() if entry.owner in BUILTIN]
    if entries:
        contract = registry.shelf.contract
        yield f'## {registry.shelf.name}\n\n`{registry.shelf.key} = "…"`. {contract.summary()}\n'
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


def main() -> int:
    """Write the page, or compare it."""
    text = page(load())
    if "--check" not in sys.argv:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    if PAGE.read_text(encoding="utf-8") == text:
        return 0
    print(f"{PAGE} is not what the docstrings say: run make docs", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
