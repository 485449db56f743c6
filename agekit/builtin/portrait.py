"""A cartoon face, drawn from its factors."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from .drawing import Canvas, band, box, ellipse, grid, palette, ramp, shade

CLASSES = (
    "background", "skin", "hair", "left_eye", "right_eye", "left_brow", "right_brow", "left_ear", "right_ear",
    "nose", "mouth", "glasses", "neck", "clothes",
)  # fmt: skip
"""What a pixel of the parse map shows; left and right are those of the picture."""

KIND = {name: index for index, name in enumerate(CLASSES)}

STYLES = ("short", "parted", "bob", "long", "curly", "bun")
"""The hair styles."""

BARE_EARS = ("short", "parted", "bun")

HAIRLINES = {
    "short": (0.34, 0.5, 0.0),
    "parted": (0.42, 0.8, 0.3),
    "bob": (0.24, 0.2, 0.0),
    "long": (0.46, 1.1, 0.2),
    "curly": (0.32, 0.3, 0.0),
    "bun": (0.38, 0.4, 0.0),
}
"""How high the hair begins above the middle of the face, how fast it falls aside, and how far its parting moves."""

BACKGROUNDS = palette("a9d6f5", "b5e3d0", "f3ecb4", "fbd0b0", "f5bccb", "cfc3ee")
SKINS = palette("fde0cc", "f8d2b0", "eab887", "cf9660", "a5693f", "6f4429")
HAIRS = palette("241c1c", "4a2e22", "7c4a26", "b4602a", "d9963c", "ecc86a", "c9ccd2")
IRISES = palette("3a251a", "6a4526", "4f7a4a", "3f78b5")
CLOTHES = palette("2f4b7c", "2a9d8f", "7fb069", "f2b134", "e4572e", "8e4a8b")
WHITE, INK, LIPS, INSIDE = palette("ffffff", "2b2430", "c8524f", "6b1f2a")


class Portrait:
    """One face: a frame of coordinates that moves, leans and scales with the head, and the parts painted in it.

    `at` gives each factor in [0, 1]; `style` is a hair style. Factors come in pairs where left and right differ, and
    enter only as the pair's difference, so that exchanging the two draws the mirror image exactly.
    """

    def __init__(self, at: Mapping[str, float], style: str, size: int) -> None:
        self.at, self.style = at, style
        zoom = 1.04 + 0.14 * at["zoom"]
        x, y = grid(size)
        x = (x - 0.12 * self.turn("shift")) / zoom
        y = (y - 0.08 + 0.12 * at["lift"]) / zoom
        lean = 0.07 * self.turn("tilt")  # the tangent of half the angle: sine and cosine follow without their series
        sine, cosine = 2 * lean / (1 + lean * lean), (1 - lean * lean) / (1 + lean * lean)
        self.body_x, self.body_y = x, y  # the shoulders stay level
        self.x, self.y = cosine * x + sine * y, cosine * y - sine * x
        self.side = np.sign(self.x)
        self.eye_gap = 0.19 + 0.04 * at["eye_spacing"]
        self.width, self.height = 0.43 + 0.09 * at["width"], 0.54 + 0.08 * at["length"]
        self.skin, self.hair = ramp(SKINS, at["skin"]), ramp(HAIRS, at["hair"])
        self.canvas = Canvas(size, ramp(BACKGROUNDS, at["background"]), pixel=2 / size / zoom)

    def turn(self, pair: str) -> float:
        """How far a pair is turned to the right: in [−1, 1]."""
        return self.at[f"{pair}_right"] - self.at[f"{pair}_left"]

    def sided(self, part: str) -> NDArray[np.uint8]:
        """The class of each pixel that belongs to one of two such parts."""
        return np.where(self.side > 0, np.uint8(KIND[f"right_{part}"]), np.uint8(KIND[f"left_{part}"]))

    def draw(self) -> Canvas:
        """Paint everything, from back to front."""
        self.draw_back_hair()
        self.draw_body()
        self.draw_head()
        self.draw_nose()
        self.draw_mouth()
        self.draw_eyes()
        self.draw_front_hair()
        self.draw_brows()
        if self.at["glasses"] > 0.5:
            self.draw_glasses()
        return self.canvas

    def draw_back_hair(self) -> None:
        x, y, a, b = self.x, self.y, self.width, self.height
        if self.style == "bob":
            self.canvas.paint(box(x, y + 0.02, a + 0.12, b + 0.04, 0.42), shade(self.hair, 0.12), KIND["hair"])
        elif self.style == "long":
            self.canvas.paint(box(x, y - 0.32, a + 0.11, b + 0.4, 0.5), shade(self.hair, 0.12), KIND["hair"])
        elif self.style == "curly":
            self.canvas.paint(ellipse(x, y + 0.2, a + 0.2, 0.64), self.hair, KIND["hair"])
        elif self.style == "bun":
            self.canvas.paint(ellipse(x, y + b + 0.1, 0.21, 0.18), self.hair, KIND["hair"])

    def draw_body(self) -> None:
        x, y = self.body_x, self.body_y
        shirt = ramp(CLOTHES, self.at["clothes"])
        self.canvas.paint(box(x, y - 0.7, 0.19, 0.5, 0.1), shade(self.skin, 0.2), KIND["neck"])
        collar = ellipse(x, y - 0.64, 0.19, 0.16)
        self.canvas.paint(np.maximum(ellipse(x, y - 1.25, 0.86, 0.6), -collar), shirt, KIND["clothes"])

    def draw_head(self) -> None:
        x, y, a, b = self.x, self.y, self.width, self.height
        if self.style in BARE_EARS:
            ears = ellipse(np.abs(x) - a, y - 0.06, 0.09, 0.13)
            self.canvas.paint(ears, shade(self.skin, 0.1), self.sided("ear"))
        chin = 1 + 0.22 * np.maximum(y, 0)
        self.canvas.paint(ellipse(x * chin, y, a, b), self.skin, KIND["skin"])
        cheeks = ellipse(np.abs(x) - 0.58 * a, y - 0.2, 0.15, 0.12)
        self.canvas.tint(np.clip(-2.5 * cheeks, 0, 0.22), LIPS)

    def draw_nose(self) -> None:
        size = 0.75 + 0.5 * self.at["nose"]
        tip = ellipse(self.x, self.y - 0.13, 0.075 * size, 0.055 * size)
        self.canvas.paint(tip, shade(self.skin, 0.22), KIND["nose"])

    def draw_mouth(self) -> None:
        half = 0.15 + 0.07 * self.at["mouth_width"]
        curl, gape = 0.16 * self.at["smile"] - 0.04, 0.01 + 0.12 * self.at["mouth_open"]
        u = self.x / half
        arch = 1 - u * u
        y = self.y - (0.33 - 0.4 * curl)
        upper, lower = y - curl * arch, y - (curl + gape) * arch
        inside = np.maximum(np.maximum(-upper, lower), np.abs(self.x) - half)
        self.canvas.paint(inside - 0.03, LIPS, KIND["mouth"])
        self.canvas.paint(inside, INSIDE)

    def draw_eyes(self) -> None:
        size = 0.085 + 0.03 * self.at["eye_size"]
        x, y = self.x - self.side * self.eye_gap, self.y + 0.04
        self.canvas.paint(ellipse(x, y, 1.15 * size, size), WHITE, self.sided("eye"))
        x, y = x - 0.042 * self.turn("gaze"), y + 0.06 * (self.at["gaze_up"] - 0.5)
        self.canvas.paint(ellipse(x, y, 0.68 * size, 0.68 * size), ramp(IRISES, self.at["iris"]))
        self.canvas.paint(ellipse(x, y, 0.38 * size, 0.38 * size), INK)

    def draw_brows(self) -> None:
        x = np.abs(self.x) - self.eye_gap
        y = self.y + (0.19 + 0.06 * self.at["brow_height"])
        y = y - 0.6 * (self.at["brow_slant"] - 0.5) * x + 1.5 * x * x
        self.canvas.paint(box(x, y, 0.12, 0.03, 0.02), shade(self.hair, 0.45), self.sided("brow"))

    def draw_front_hair(self) -> None:
        x, y = self.x, self.y
        base, fall, swing = HAIRLINES[self.style]
        across = x - swing * self.turn("part")
        line = y + base - fall * across * across
        scalp = ellipse(x, y + 0.05, self.width + 0.05, self.height + 0.03)
        shadow = np.maximum(np.maximum(scalp, line - 0.05), ellipse(x, y, self.width, self.height))
        self.canvas.paint(shadow, shade(self.skin, 0.2))
        self.canvas.paint(np.maximum(scalp, line), self.hair, KIND["hair"])

    def draw_glasses(self) -> None:
        x, y = np.abs(self.x) - (self.eye_gap + 0.01), self.y + 0.03
        rims = band(ellipse(x, y, 0.165, 0.15), 0.05)
        bridge = box(self.x, self.y + 0.06, self.eye_gap - 0.14, 0.025, 0.02)
        self.canvas.paint(np.minimum(rims, bridge), INK, KIND["glasses"])
