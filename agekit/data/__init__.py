"""The data room: data sets prepared once, and read from memory maps. What is named here is for authors of data sets."""

from .archives import Files, Folder, Zip, read_file, read_tar
from .images import SUFFIXES, Channels, Pixels, centre_square, decode, pixels, resize, resize_pixels
from .local import LocalDataset
from .sources import Arrays, Pictures

__all__ = [
    "SUFFIXES",
    "Arrays",
    "Channels",
    "Files",
    "Folder",
    "LocalDataset",
    "Pictures",
    "Pixels",
    "Zip",
    "centre_square",
    "decode",
    "pixels",
    "read_file",
    "read_tar",
    "resize",
    "resize_pixels",
]
