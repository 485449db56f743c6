"""What shapes the built-in networks are built for."""

from __future__ import annotations

from agekit.contracts import Space


def length_of(space: Space) -> int:
    """The length of a vector; raises ValueError where the space is none."""
    match space.shape:
        case (int(length),):
            return length
    raise ValueError(f"it has a place for vectors [d] there, and none for {space}")


def image_of(space: Space) -> tuple[int, int]:
    """The channels and the side of a square image; raises ValueError where its side is no power of two from 8 on."""
    match space.shape:
        case (int(channels), int(height), int(width)) if height == width >= 8 and width.bit_count() == 1:
            return channels, width
    raise ValueError(f"it takes square images with a side of 8, 16, 32, … pixels, found {space}")


def images_of(spaces: tuple[Space, ...]) -> tuple[int, int]:
    """The joint channels and the side of images; raises ValueError where their sides differ."""
    channels, sides = zip(*map(image_of, spaces), strict=True)
    if len(set(sides)) > 1:
        raise ValueError(f"it takes images of one size, found {', '.join(map(str, spaces))}")
    return sum(channels), sides[0]


def halvings(side: int) -> int:
    """How often a side, a power of two, is halved down to 4."""
    return side.bit_length() - 3
