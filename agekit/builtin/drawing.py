"""Drawing with soft edges: a canvas that keeps the picture and its parse map, and the shapes to paint on it.

A shape is a signed distance [h, w], negative inside. One distance gives a pixel both its coverage (the picture) and its
class (the parse map), so the two cannot disagree. Only +, −, ×, ÷ and the square root are used: IEEE 754 fixes their
results, so a picture is the same on every machine.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[Any]
"""One number a pixel, [h, w] float32."""

Colour = NDArray[Any]
"""Red, green and blue in [0, 1], [3] float32."""


class Canvas:
    """A square picture and its parse map, painted over from back to front.

    `pixel` is the size of a pixel in the units of the distances.
    """

    def __init__(self, size: int, colour: Colour, *, pixel: float) -> None:
        self.picture = np.empty((3, size, size), np.float32)
        self.picture[:] = colour[:, None, None]
        self.classes = np.zeros((size, size), np.uint8)
        self.pixel = pixel

    def paint(self, distance: Plane, colour: Colour, kind: int | NDArray[np.uint8] | None = None) -> None:
        """Lay a colour over where the distance is negative; its edge is one pixel soft.

        Pixels whose centre is inside become of this class; None leaves them what they are, as for a reflection.
        """
        self.tint(np.clip(0.5 - distance / self.pixel, 0, 1), colour)
        if kind is not None:
            np.copyto(self.classes, kind, where=distance <= 0)

    def tint(self, cover: Plane, colour: Colour) -> None:
        """Lay a colour over with this opacity, [h, w] in [0, 1]."""
        self.picture += cover * (colour[:, None, None] - self.picture)

    def pixels(self) -> NDArray[np.uint8]:
        """The picture as uint8 [3, h, w], rounded."""
        return (self.picture * 255 + 0.5).astype(np.uint8)


@cache
def grid(size: int) -> tuple[Plane, Plane]:
    """The pixel centres x (to the right) and y (downwards), [h, w] each; the picture is [−1, 1] × [−1, 1]."""
    centres = (2 * np.arange(size, dtype=np.float32) + 1) / np.float32(size) - 1
    x, y = np.meshgrid(centres, centres)
    return x, y


def ellipse(x: Plane, y: Plane, a: float, b: float) -> Plane:
    """Distance to an ellipse of half axes a and b about the origin: exact for a circle, else along the shorter axis.

    min(a, b) (√((x / a)² + (y / b)²) − 1)
    """
    u, v = x / a, y / b
    radius: Plane = np.sqrt(u * u + v * v)
    return (radius - 1) * min(a, b)


def box(x: Plane, y: Plane, a: float, b: float, corner: float) -> Plane:
    """Distance to a rectangle of half sides a and b about the origin, its corners rounded by that radius."""
    u = np.maximum(np.abs(x) - (a - corner), 0)
    v = np.maximum(np.abs(y) - (b - corner), 0)
    radius: Plane = np.sqrt(u * u + v * v)
    return radius - corner


def band(distance: Plane, width: float) -> Plane:
    """Distance to the outline of a shape, drawn with a pen of this width."""
    middle: Plane = np.abs(distance)
    return middle - width / 2


def palette(*colours: str) -> NDArray[Any]:
    """Colours, written `rrggbb`, as float32 [n, 3] in [0, 1]."""
    values: NDArray[Any] = np.array([list(bytes.fromhex(colour)) for colour in colours], np.float32) / 255
    return values


def ramp(colours: NDArray[Any], t: float) -> Colour:
    """The colour at t in [0, 1] on the straight way through these, [n, 3]."""
    place = t * (len(colours) - 1)
    first = min(int(place), len(colours) - 2)
    share = place - first
    between: Colour = (1 - share) * colours[first] + share * colours[first + 1]
    return between


def shade(colour: Colour, amount: float) -> Colour:
    """The colour made darker, up to black at 1."""
    darker: Colour = (1 - amount) * colour
    return darker
