"""Small plots as pixels, for TensorBoard, which draws none by itself."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

WIDTH, HEIGHT = 320, 220
LEFT, RIGHT, TOP, BOTTOM = 44, 10, 26, 26
BAR, LINE, INK, PALE = "#4477aa", "#cc3311", "#333333", "#dddddd"
DECADES = 6
"""At most so many powers of ten are shown below the largest value."""


def spectrum_plot(eigenvalues: Sequence[float], ideal: float | None, title: str) -> np.ndarray:
    """Eigenvalues as bars on a logarithmic scale, with a line where all would ideally be: uint8 [3, h, w]."""
    image = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw = ImageDraw.Draw(image)
    draw.text((6, 6), title, fill=INK)
    shown = [value for value in (*eigenvalues, *([ideal] if ideal else [])) if value > 0 and math.isfinite(value)]
    if shown:
        highest = math.ceil(math.log10(max(shown)) + 1e-9)
        lowest = max(math.floor(math.log10(min(shown)) - 1e-9), highest - DECADES)
        _Scale(draw, lowest, highest).plot(eigenvalues, ideal)
    return np.asarray(image).transpose(2, 0, 1)


class _Scale:
    """A logarithmic axis of powers of ten."""

    def __init__(self, draw: ImageDraw.ImageDraw, lowest: int, highest: int) -> None:
        self.draw, self.lowest, self.highest = draw, lowest, max(highest, lowest + 1)

    def height(self, value: float) -> float:
        """Where a value stands, in pixels from the top."""
        decade = min(max(math.log10(value), self.lowest), self.highest) if value > 0 else self.lowest
        share = (decade - self.lowest) / (self.highest - self.lowest)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    def plot(self, values: Sequence[float], ideal: float | None) -> None:
        """Draw the axis, a bar for each value, and the line."""
        right, floor = WIDTH - RIGHT, HEIGHT - BOTTOM
        for decade in range(self.lowest, self.highest + 1):
            y = self.height(10.0**decade)
            self.draw.line([(LEFT, y), (right, y)], fill=PALE)
            self.draw.text((LEFT - 6, y), f"1e{decade}", fill=INK, anchor="rm")
        step = (right - LEFT) / len(values)
        for index, value in enumerate(values):
            left = LEFT + index * step
            edges = left + min(1, step / 8), min(self.height(value), floor), left + max(step * 7 / 8, 1), floor
            self.draw.rectangle(edges, fill=BAR)
        self.draw.text((LEFT, floor + 6), "1", fill=INK)
        self.draw.text((right, floor + 6), f"{len(values)}", fill=INK, anchor="ra")
        if ideal and ideal > 0:
            y = self.height(ideal)
            self.draw.line([(LEFT, y), (right, y)], fill=LINE, width=2)
            self.draw.text((right, y - 4), f"of the reference: {ideal:.3g}", fill=LINE, anchor="rb")
