"""Grids of pictures, as PNG files."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ..errors import RunError
from ..files import replacing

GAP = 2
BACKGROUND = 255
COMPRESSED = 3
"""Of zlib's levels: half the time of the usual 6, for photographs a fortieth larger."""
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def grid(images: np.ndarray, beside: np.ndarray | None = None, columns: int | None = None) -> np.ndarray:
    """Lay uint8 images [n, c, h, w] out in rows: one picture [3, H, W].

    With `beside`, each image stands to the right of the one it belongs to, and pairs stand apart. By default the grid
    is about square, with 8 columns at least, or 4 with `beside`.
    """
    tiles = np.broadcast_to(images, (len(images), 3, *images.shape[2:]))
    if beside is not None:
        tiles = np.concatenate([np.broadcast_to(beside, tiles.shape), tiles], axis=3)
    count, _, height, width = tiles.shape
    square = math.isqrt((count - 1) // (2 if beside is not None else 1)) + 1
    columns = min(columns or max(square, 4 if beside is not None else 8), count)
    rows = -(-count // columns)
    gap = GAP * (2 if beside is not None else 1)
    picture = np.full((3, rows * (height + GAP) + GAP, columns * (width + gap) + gap), BACKGROUND, np.uint8)
    for index, tile in enumerate(tiles):
        top, left = (index // columns) * (height + GAP) + GAP, (index % columns) * (width + gap) + gap
        picture[:, top : top + height, left : left + width] = tile
    return picture


def enlarged(picture: np.ndarray, height: int) -> np.ndarray:
    """A picture repeated pixel by pixel until an image that is `height` high is at least 64."""
    factor = max(1, 64 // height)
    return picture.repeat(factor, axis=1).repeat(factor, axis=2)


def as_png(picture: np.ndarray, said: Mapping[str, str]) -> bytes:
    """A picture, uint8 [3, H, W], as a PNG file has it, with texts in it that say what it shows."""
    texts, made = PngInfo(), BytesIO()
    for key, text in said.items():
        texts.add_text(key, text)
    Image.fromarray(picture.transpose(1, 2, 0)).save(made, "PNG", pnginfo=texts, compress_level=COMPRESSED)
    return made.getvalue()


def save_png(path: Path, png: bytes) -> None:
    """Write a PNG file whole."""
    with replacing(path) as temporary:
        temporary.write_bytes(png)


def size_of(png: bytes) -> tuple[int, int]:
    """The width and the height of a picture, by the head of its PNG file."""
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def check_png(path: Path) -> None:
    """Raises `RunError` where a PNG file is not as it was written, by the checksums of its parts."""
    blob = path.read_bytes()
    place, kind = len(SIGNATURE), b""
    if not blob.startswith(SIGNATURE):
        raise RunError(f"{path} is damaged: it is no PNG file")
    while kind != b"IEND":
        length = int.from_bytes(blob[place : place + 4], "big")
        kind, end = blob[place + 4 : place + 8], place + 12 + length
        if end > len(blob) or zlib.crc32(blob[place + 4 : end - 4]) != int.from_bytes(blob[end - 4 : end], "big"):
            raise RunError(f"{path} is damaged: its part at byte {place:,} is not as it was written, by its checksum")
        place = end
    if place != len(blob):
        raise RunError(f"{path} is damaged: something follows its end")
