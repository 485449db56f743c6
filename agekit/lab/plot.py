"""The plot: power as a heat map, a panel for each batch size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from ..errors import AgekitError
from ..files import replacing
from .entry import Entry
from .tables import ABSENT, short

BRIGHTEST = 100.0
"""Standard deviations at which the colours end."""

ABREAST = 2
"""Panels side by side: of more, a line of text no longer fits a screen."""

DARK = 0.75
"""The share of the colours from which on white is read better."""


def write_plot(path: Path, entries: Sequence[Entry], clouds: Sequence[str], title: str) -> None:
    """Write the plot, as PNG. Raises `AgekitError`, saying how to get it, where matplotlib is not installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise AgekitError(f"{path} needs matplotlib, which is not here: pip install 'agekit[plots]'") from None
    batches = list(dict.fromkeys(entry.batch for entry in entries))
    labels = list(dict.fromkeys(entry.label for entry in entries))
    across = min(ABREAST, len(batches))
    down = math.ceil(len(batches) / across)
    size = 2.4 + 0.6 * len(clouds) * across, 0.5 + down * (1.3 + 0.28 * len(labels))
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(down, across, sharey=True, squeeze=False).ravel()
    for empty in panels[len(batches) :]:
        empty.set_axis_off()
    for panel, batch in zip(panels, batches, strict=False):
        there = {entry.label: entry for entry in entries if entry.batch == batch}
        powers = [[there[label].power(cloud) for cloud in clouds] for label in labels]
        shades = [[brightness(power) for power in row] for row in powers]
        panel.imshow(shades, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
        for y, row in enumerate(powers):
            for x, power in enumerate(row):
                ink = "white" if abs(shades[y][x]) > DARK else "black"
                panel.text(x, y, short(power, ABSENT), ha="center", va="center", fontsize=7, color=ink)
        panel.set_title(f"n = {batch}", fontsize=9)
        panel.set_xticks(range(len(clouds)), clouds, rotation=45, ha="right", fontsize=8)
        panel.set_yticks(range(len(labels)), labels, fontsize=8)
    figure.suptitle(title, fontsize=10)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)


def brightness(power: float | None) -> float:
    """A power on a logarithmic scale from −1 to 1, nan where there is none.

    >>> round(brightness(100.0), 6), round(brightness(0.0), 6), brightness(-1e9)
    (1.0, 0.0, -1.0)
    """
    if power is None:
        return math.nan
    return math.copysign(min(1.0, math.log1p(abs(power)) / math.log1p(BRIGHTEST)), power)
