"""Small data sets in the layouts of the official archives: generated pictures, the published file formats.

`LAYOUTS` makes, by the registered name, a root folder that works with default options and holds at least `count`
training samples.
"""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from agekit.builtin.celeba import NAMES
from agekit.contracts import Dataset

Bytes = NDArray[np.uint8]


def random_pixels(*shape: int, seed: int = 0) -> Bytes:
    """Random bytes of a shape."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def smooth_picture(width: int, height: int, seed: int) -> Image.Image:
    """A picture that survives compression: four random colours, blended."""
    return Image.fromarray(random_pixels(2, 2, 3, seed=seed)).resize((width, height), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, kind: str = "JPEG") -> bytes:
    """The bytes of a picture's file."""
    stream = io.BytesIO()
    image.save(stream, kind)
    return stream.getvalue()


def samples(dataset: Dataset, field: str = "x") -> NDArray[Any]:
    """One field of all samples, as the source reads them."""
    source = dataset.open()
    return np.stack([source.read(index)[field] for index in range(len(source))])


def make_image_folder(folder: Path, count: int) -> None:
    """Pictures of several sizes and formats, in two sub-folders."""
    for index in range(count):
        suffix, kind = (("jpg", "JPEG"), ("png", "PNG"), ("webp", "WEBP"))[index % 3]
        path = folder / ("left", "right")[index % 2] / f"{index:04}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(smooth_picture(70 + index % 5, 80 - index % 7, index), kind))


def celeba_lists(partition: list[int]) -> dict[str, str]:
    """The two official lists for pictures 000001.jpg, …, of which each has its part of the partition."""
    names = [f"{index + 1:06}.jpg" for index in range(len(partition))]
    signs = np.where(random_pixels(len(names), 40, seed=1) % 2, 1, -1)
    rows = (" ".join([name, *(f"{sign:2}" for sign in row)]) for name, row in zip(names, signs, strict=True))
    titles = " ".join(NAMES)
    return {
        "list_eval_partition.txt": "".join(f"{name} {part}\n" for name, part in zip(names, partition, strict=True)),
        "list_attr_celeba.txt": "\n".join([str(len(names)), titles + " ", *rows]) + "\n",
    }


def make_celeba(folder: Path, count: int) -> None:
    """Aligned pictures of 178×218, `count` to train on and two more for each other split, with both lists."""
    partition = [0] * count + [1, 1, 2, 2]
    pictures = folder / "img_align_celeba"
    pictures.mkdir(parents=True, exist_ok=True)
    for index in range(len(partition)):
        (pictures / f"{index + 1:06}.jpg").write_bytes(encoded(smooth_picture(178, 218, index)))
    for name, text in celeba_lists(partition).items():
        (folder / name).write_text(text)


def idx(array: Bytes) -> bytes:
    """An IDX file: two zeros, the type of bytes, the sizes, the values."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def make_mnist(folder: Path, count: int) -> None:
    """Both splits in IDX files compressed with gzip; those to test with are ten."""
    folder.mkdir(parents=True, exist_ok=True)
    for prefix, size in (("train", count), ("t10k", 10)):
        images, labels = random_pixels(size, 28, 28, seed=size), np.arange(size, dtype=np.uint8) % 10
        (folder / f"{prefix}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images)))
        (folder / f"{prefix}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels)))


def cifar_batches(count: int) -> dict[str, tuple[list[int], Bytes]]:
    """Labels and pictures [n, 3072] of each batch, with at least `count` in the five to train on."""
    size = -(-count // 5)
    names = [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]
    labels = [(index * 3) % 10 for index in range(size)]
    return {name: (labels, random_pixels(size, 3072, seed=seed)) for seed, name in enumerate(names)}


def write_tar(path: Path, members: dict[str, bytes]) -> None:
    """A gzipped tar archive of these files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for name, blob in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(blob)
            archive.addfile(info, io.BytesIO(blob))


def make_cifar10_binary(folder: Path, count: int) -> None:
    """cifar-10-binary.tar.gz: records of a label's byte and 3072 bytes of picture."""
    members = {"cifar-10-batches-bin/batches.meta.txt": b"airplane\nautomobile\n"}
    for name, (labels, pictures) in cifar_batches(count).items():
        records = np.concatenate([np.array(labels, np.uint8)[:, None], pictures], axis=1)
        members[f"cifar-10-batches-bin/{name}.bin"] = records.tobytes()
    write_tar(folder / "cifar-10-binary.tar.gz", members)


def python2_pickle(value: object) -> bytes:
    """A pickle in protocol 2 as Python 2 and numpy wrote it for the official archive, byte strings as `str`."""
    return b"\x80\x02" + _opcodes(value) + b"."


def _opcodes(value: object) -> bytes:
    match value:
        case None:
            return b"N"
        case bool():
            return b"\x88" if value else b"\x89"
        case int():
            return b"J" + struct.pack("<i", value)
        case bytes():
            return b"T" + struct.pack("<i", len(value)) + value
        case list() | tuple():
            return b"(" + b"".join(map(_opcodes, value)) + (b"l" if isinstance(value, list) else b"t")
        case dict():
            return b"(" + b"".join(_opcodes(key) + _opcodes(item) for key, item in value.items()) + b"d"
        case np.dtype():
            state = (3, b"|", None, None, None, -1, -1, 0)
            return b"cnumpy\ndtype\n" + _opcodes((value.str[1:].encode(), 0, 1)) + b"R" + _opcodes(state) + b"b"
        case np.ndarray():
            objects = value.dtype == object
            columns_first = value.ndim > 1 and not value.flags.c_contiguous
            raw = value.ravel().tolist() if objects else value.tobytes("F" if columns_first else "C")
            made = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n" + _opcodes((0,)) + _opcodes(b"b") + b"tR"
            return made + _opcodes((1, value.shape, value.dtype, columns_first, raw)) + b"b"
        case _:
            raise TypeError(type(value))


def make_cifar10_python(folder: Path, count: int) -> None:
    """cifar-10-python.tar.gz: a pickled dictionary for each batch."""
    members = {
        f"cifar-10-batches-py/{name}": python2_pickle(
            {b"data": pictures, b"labels": labels, b"batch_label": b"a batch"}
        )
        for name, (labels, pictures) in cifar_batches(count).items()
    }
    write_tar(folder / "cifar-10-python.tar.gz", members)


def make_svhn(folder: Path, count: int) -> None:
    """train_32x32.mat and test_32x32.mat: X [32, 32, 3, n] and y [n, 1], in which 10 means zero."""
    from scipy.io import savemat  # type: ignore[import-untyped]

    folder.mkdir(parents=True, exist_ok=True)
    for split, size in (("train", count), ("test", 10)):
        labels = (np.arange(size, dtype=np.uint8) % 10 + 1)[:, None]
        pictures = random_pixels(32, 32, 3, size, seed=size)
        savemat(folder / f"{split}_32x32.mat", {"X": pictures, "y": labels}, do_compression=True)


TINY_CLASSES = ("n01443537", "n01629819", "n12267677")


def make_tiny_imagenet(folder: Path, count: int) -> None:
    """tiny-imagenet-200.zip with three of the classes; one picture of each to validate with."""
    folder.mkdir(parents=True, exist_ok=True)
    top, annotations = "tiny-imagenet-200", ""
    with zipfile.ZipFile(folder / f"{top}.zip", "w") as archive:
        for index in range(count):
            name = TINY_CLASSES[index % 3]
            picture = encoded(smooth_picture(64, 64, index))
            archive.writestr(f"{top}/train/{name}/images/{name}_{index}.JPEG", picture)
        for index, name in enumerate(TINY_CLASSES):
            archive.writestr(f"{top}/val/images/val_{index}.JPEG", encoded(smooth_picture(64, 64, 1000 + index)))
            annotations += f"val_{index}.JPEG\t{name}\t0\t32\t44\t62\n"
        archive.writestr(f"{top}/val/val_annotations.txt", annotations)
        archive.writestr(f"{top}/wnids.txt", "\n".join(TINY_CLASSES))


LAYOUTS: dict[str, Callable[[Path, int], None]] = {
    "celeba": make_celeba,
    "cifar10": make_cifar10_binary,
    "fashion_mnist": make_mnist,
    "image_folder": make_image_folder,
    "mnist": make_mnist,
    "svhn": make_svhn,
    "tiny_imagenet": make_tiny_imagenet,
}
