"""Pictures: from a file's bytes to upright 8-bit pixels of one size."""

from __future__ import annotations

import io
import warnings
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from agekit.contracts import BrokenSample

Channels = Literal["rgb", "grey"]
Pixels = NDArray[np.uint8]

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"})
"""The file names that are taken for pictures, in lower case."""

_KINDS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
"""What is decoded, whatever a file's name says: Pillow also knows kinds that it hands to other programs."""

_MODES = {"rgb": "RGB", "grey": "L"}


def decode(blob: bytes, channels: Channels = "rgb") -> Image.Image:
    """Read a picture as 8-bit RGB or grey, turned upright as its EXIF says, its transparent parts white.

    Of an animation, the first frame is read; 16-bit grey is scaled to 8. Raises `BrokenSample` where the bytes are cut
    short, are no picture, or would unpack to more pixels than Pillow's limit against decompression bombs.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a remark on odd metadata says nothing of the pixels
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(io.BytesIO(blob), formats=_KINDS) as opened:
                return _flat(ImageOps.exif_transpose(opened)).convert(_MODES[channels])
        except UnidentifiedImageError as error:
            raise BrokenSample("not a picture of a known format") from error
        except BrokenSample:
            raise
        except Exception as error:  # decoders of broken files raise nearly anything
            raise BrokenSample(str(error) or type(error).__name__) from error


def _flat(image: Image.Image) -> Image.Image:
    """Bring a picture to 8 bits a channel, without transparency."""
    if image.mode.startswith("I;16"):
        return Image.fromarray(((np.asarray(image).astype(np.uint32) + 128) // 257).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise BrokenSample("32-bit pixels, whose range is not known; 8 or 16 bits fit")
    if image.has_transparency_data:
        seen = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen)
    return image


def centre_square(image: Image.Image) -> Image.Image:
    """Cut the largest square out of the middle."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))


def resize(image: Image.Image, width: int, height: int) -> Image.Image:
    """Resize with Lanczos' filter, antialiased; a picture that has the size already is left as it is."""
    size = (width, height)
    return image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)


def pixels(image: Image.Image) -> Pixels:
    """Lay an RGB or grey picture out as data sets store it: uint8 [c, h, w]."""
    array = np.asarray(image, dtype=np.uint8)
    return np.ascontiguousarray(np.atleast_3d(array).transpose(2, 0, 1))


def resize_pixels(array: Pixels, size: int) -> Pixels:
    """Resize pixels [c, h, w] to [c, size, size], as `resize` does."""
    if array.shape[1:] == (size, size):
        return array
    channels = (Image.fromarray(np.ascontiguousarray(channel)) for channel in array)
    return np.stack([np.asarray(resize(channel, size, size)) for channel in channels])
