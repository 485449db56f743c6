"""Files of data as nobody should make them: pictures and archives."""

from __future__ import annotations

import io
import struct
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

MODES = {
    "JPEG": ("RGB", "L", "CMYK"),
    "PNG": ("RGB", "RGBA", "L", "LA", "P", "1", "I;16"),
    "WEBP": ("RGB", "RGBA"),
    "BMP": ("RGB", "L", "P", "1"),
    "GIF": ("P", "L", "RGB"),
    "TIFF": ("RGB", "RGBA", "L", "CMYK", "P", "I;16", "1", "LAB"),
    "PPM": ("RGB", "L", "1"),
}
"""Every kind of picture that a folder is searched for, and the modes that it has."""


def picture(mode: str = "RGB", size: tuple[int, int] = (24, 24), seed: int = 0) -> Image.Image:
    """A picture of noise, of any mode."""
    random = np.random.default_rng(seed)
    whole = Image.fromarray(random.integers(0, 256, (*size, 3), dtype=np.uint8))
    return whole.convert(mode)


def of_mode(mode: str) -> Image.Image:
    """A picture of a mode that some kind has."""
    if mode == "I;16":
        return Image.fromarray(np.arange(24 * 24, dtype=np.uint16).reshape(24, 24) * 100)
    return picture({"LA": "RGBA", "LAB": "RGB"}.get(mode, mode)).convert("RGB" if mode == "LAB" else mode)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def damaged(blob: bytes, random: np.random.Generator) -> bytes:
    """The bytes with something done to them: cut, flipped, filled, grown, or their beginning kept alone."""
    some = bytearray(blob)
    place = int(random.integers(len(some)))
    match int(random.integers(6)):
        case 0:
            return bytes(some[:place])
        case 1:
            some[place] ^= 1 << int(random.integers(8))
        case 2:
            some[place : place + 16] = b"\xff" * 16
        case 3:
            some[place:place] = random.bytes(32)
        case 4:
            some[min(place, 40) : min(place, 40) + 4] = b"\x7f\xff\xff\xff"
        case 5:
            del some[place : place + int(random.integers(1, 64))]
    return bytes(some)


def damages(blob: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    random = np.random.default_rng(seed)
    return (damaged(blob, random) for _ in range(count))


def png_of(width: int, height: int) -> bytes:
    """A PNG that says how large it is, and holds next to nothing."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")
    )


NAMES = (
    "plain.png",
    "a\nb.png",
    "\x1b[31mred.png",
    "back\\slash.png",
    "spa ce.png",
    "é.png",
    "\u202egnp.exe.png",
    "'\".png",
)
"""Names that a file can have."""

RAW_NAME = b"\xff\xfe.png"
"""A name that is no text."""


def zip_of(path: Path, members: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, blob in members.items():
            archive.writestr(name, blob)


def zip_of_twins(path: Path) -> None:
    """A zip with two members of one name."""
    with zipfile.ZipFile(path, "w") as archive, warnings.catch_warnings(action="ignore"):
        for seed in range(2):
            archive.writestr("one.png", encoded(picture(seed=seed), "PNG"))


def zip_of_links(path: Path) -> None:
    """A zip with a member that says it is a symbolic link to a file outside."""
    info = zipfile.ZipInfo("link.png")
    info.create_system, info.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(info, "/etc/passwd")
        archive.writestr("good.png", encoded(picture(), "PNG"))


def zip_bomb(path: Path, megabytes: int) -> None:
    """A zip whose one picture unpacks to so much."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.png", b"\0" * (megabytes << 20))


def zip_that_lies(path: Path, said: int) -> None:
    """A zip whose directory and header say another size of its member than it has."""
    zip_of(path, {"liar.png": encoded(picture(), "PNG")})
    blob = bytearray(path.read_bytes())
    local, central = blob.index(b"PK\x03\x04"), blob.index(b"PK\x01\x02")
    blob[local + 22 : local + 26] = blob[central + 24 : central + 28] = struct.pack("<I", said)
    path.write_bytes(blob)


def zip_encrypted(path: Path) -> None:
    """A zip whose member is marked as encrypted."""
    zip_of(path, {"secret.png": encoded(picture(), "PNG")})
    blob = bytearray(path.read_bytes())
    local, central = blob.index(b"PK\x03\x04"), blob.index(b"PK\x01\x02")
    blob[local + 6] |= 1
    blob[central + 8] |= 1
    path.write_bytes(blob)


def zip_of_many(path: Path, count: int) -> None:
    """A zip of very many empty members, written by hand: the module would take minutes."""
    locals_, central, at = [], [], 0
    for number in range(count):
        name = b"%07d.png" % number
        fields = struct.pack("<HHHHHIIIHH", 20, 0, 0, 0, 0x21, 0, 0, 0, len(name), 0)
        locals_.append(b"PK\x03\x04" + fields + name)
        central.append(b"PK\x01\x02" + struct.pack("<H", 20) + fields + struct.pack("<HHHII", 0, 0, 0, 0, at) + name)
        at += len(locals_[-1])
    body, directory = b"".join(locals_), b"".join(central)
    end64 = b"PK\x06\x06" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, count, count, len(directory), len(body))
    locator = b"PK\x06\x07" + struct.pack("<IQI", 0, len(body) + len(directory), 1)
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    path.write_bytes(body + directory + end64 + locator + end)


def tar_of(path: Path, *members: tuple[str, bytes, str]) -> None:
    """A tar of members: name, contents, and what they link to, where they do."""
    with tarfile.open(path, "w") as archive:
        for name, blob, target in members:
            info = tarfile.TarInfo(name)
            info.size = len(blob)
            if target:
                info.type, info.linkname, info.size = tarfile.SYMTYPE, target, 0
            archive.addfile(info, io.BytesIO(blob))
