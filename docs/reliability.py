"""The part of docs/reliability.md that is written from what the attacks found, reliability_*.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

BEGINS = "<!-- from here on, written by `make docs` from reliability_*.json -->\n"
ENDS = "<!-- up to here -->\n"
COLUMNS = ("tried", "detected", "recovered", "lost", "seconds")


def page(folder: Path) -> str:
    """The page as it is, with the tables of all results in their place."""
    before, _, rest = (folder / "reliability.md").read_text(encoding="utf-8").partition(BEGINS)
    _, _, after = rest.partition(ENDS)
    results = (json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("reliability_*.json")))
    return "\n".join([before + BEGINS, *(_table(result) for result in results), ENDS + after])


def _table(result: dict[str, Any]) -> str:
    """What one command found, as a table."""
    told = result["machine"]
    rows = [
        f"| {attack['name']} | {' | '.join(_cell(attack[name]) for name in COLUMNS)} |" for attack in result["attacks"]
    ]
    where = f"{told['date']}, {told['processor']}, {told['system']}, {told['versions']}."
    head = [f"| `{result['command']}` | {' | '.join(COLUMNS)} |", f"|---|{'---:|' * len(COLUMNS)}"]
    return "\n".join([*head, *rows, "", where, ""])


def _cell(value: float) -> str:
    return f"{value:,}"
