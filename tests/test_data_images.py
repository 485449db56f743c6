"""Pictures: decoded upright to 8 bits a channel, cut, and resized without aliasing."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from agekit.contracts import BrokenSample
from agekit.data import centre_square, decode, pixels, resize, resize_pixels
from tests.layouts import encoded, random_pixels, smooth_picture


def test_lossless_pixels_come_through_as_they_are():
    array = random_pixels(5, 7, 3)
    assert np.array_equal(pixels(decode(encoded(Image.fromarray(array), "PNG"))), array.transpose(2, 0, 1))


def test_grey_pictures_have_one_channel():
    array = random_pixels(5, 7)
    assert np.array_equal(pixels(decode(encoded(Image.fromarray(array), "PNG"), "grey")), array[None])


def test_a_picture_is_turned_upright():
    array = random_pixels(5, 7, 3)
    stream, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6  # turn by 90° clockwise
    Image.fromarray(array).save(stream, "PNG", exif=exif)
    assert np.array_equal(pixels(decode(stream.getvalue())), np.rot90(array, -1).transpose(2, 0, 1))


def test_a_palette_is_looked_up():
    picture = Image.fromarray(np.array([[0, 1]], np.uint8), mode="P")
    picture.putpalette([10, 20, 30, 40, 50, 60])
    assert pixels(decode(encoded(picture, "PNG")))[:, 0, :].T.tolist() == [[10, 20, 30], [40, 50, 60]]


def test_transparent_parts_become_white():
    rgba = np.array([[[9, 8, 7, 255], [9, 8, 7, 0]]], np.uint8)
    assert pixels(decode(encoded(Image.fromarray(rgba), "PNG")))[:, 0, :].T.tolist() == [[9, 8, 7], [255, 255, 255]]


def test_cmyk_becomes_rgb():
    assert pixels(decode(encoded(Image.new("CMYK", (4, 4), (0, 0, 0, 0)), "TIFF"))).tolist() == [[[255] * 4] * 4] * 3


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled(kind):
    levels = np.array([[0, 257, 257 * 128, 65535]], np.uint16)
    assert pixels(decode(encoded(Image.fromarray(levels), kind), "grey")).tolist() == [[[0, 1, 128, 255]]]


def test_floating_point_pictures_are_refused():
    with pytest.raises(BrokenSample, match="range is not known"):
        decode(encoded(Image.new("F", (3, 3)), "TIFF"))


def png_of_size(width: int, height: int) -> bytes:
    """A PNG that claims a size and has no pixels."""

    def block(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + block(b"IHDR", header) + block(b"IDAT", zlib.compress(b"")) + block(b"IEND", b"")


JPEG = encoded(smooth_picture(64, 64, 0))


@pytest.mark.parametrize(
    ("blob", "reason"),
    [
        (b"", "not a picture"),
        (b"a text", "not a picture"),
        (JPEG[: len(JPEG) // 2], "(?i)truncated"),
        (encoded(smooth_picture(64, 64, 0), "PNG")[:-200], "."),
        (png_of_size(10_000, 10_000), "decompression bomb"),
        (png_of_size(60_000, 60_000), "decompression bomb"),
    ],
    ids=["empty", "text", "half a JPEG", "cut PNG", "large", "enormous"],
)
def test_what_is_no_whole_picture_is_a_broken_sample(blob, reason):
    with pytest.raises(BrokenSample, match=reason):
        decode(blob)


def test_the_centre_is_cut_out():
    array = random_pixels(6, 11, 3)
    assert np.array_equal(np.asarray(centre_square(Image.fromarray(array))), array[:, 2:8])
    assert np.array_equal(np.asarray(centre_square(Image.fromarray(array[:, :4]))), array[1:5, :4])


def test_resizing_does_not_alias():
    stripes = np.zeros((64, 64), np.uint8)
    stripes[:, ::2] = 255
    small = np.asarray(resize(Image.fromarray(stripes), 16, 16)).astype(int)
    assert abs(small[:, 2:-2] - 127.5).max() < 1  # nearer the border the filter is cut off


def test_pixels_are_resized_as_pictures_are():
    array = random_pixels(3, 32, 32)
    picture = Image.fromarray(array.transpose(1, 2, 0))
    assert np.array_equal(resize_pixels(array, 20), pixels(resize(picture, 20, 20)))
    assert resize_pixels(array, 32) is array
