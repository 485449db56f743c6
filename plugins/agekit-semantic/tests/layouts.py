"""Faces with parse maps in both layouts: generated pictures, the published file formats."""

import io

import numpy as np
from PIL import Image

from agekit_semantic.celebamask import ANNOTATIONS, EVERY, MAPPING, PARTS, PICTURES


def picture(side, seed):
    """A picture that survives compression: four random colours, blended."""
    colours = np.random.default_rng(seed).integers(0, 256, (2, 2, 3), dtype=np.uint8)
    return Image.fromarray(colours).resize((side, side), Image.Resampling.BICUBIC)


def save(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    stream = io.BytesIO()
    image.save(stream, {".jpg": "JPEG", ".png": "PNG"}[path.suffix])
    path.write_bytes(stream.getvalue())


def whole(side, seed, classes=19):
    """A palette picture of random classes, in blocks of 4×4."""
    values = np.random.default_rng(seed).integers(0, classes, (side // 4, side // 4), dtype=np.uint8)
    image = Image.fromarray(values.repeat(4, axis=0).repeat(4, axis=1), "P")
    image.putpalette(bytes(range(256)) * 3)
    return image


def make_folders(root, count, side=32):
    """Pairs 00000.jpg and 00000.png in images and masks."""
    for index in range(count):
        save(root / "images" / f"{index:05}.jpg", picture(side, index))
        save(root / "masks" / f"{index:05}.png", whole(side, index))


def part(side, seed, top, mode="RGB"):
    """The map of one part: white in a few rows from `top` on, black elsewhere."""
    values = np.zeros((side, side), np.uint8)
    values[top : top + 4, seed % 4 :] = 255
    return Image.fromarray(values).convert(mode)


def make_official(root, originals, side=64):
    """The official tree of pictures 0.jpg, …, each with its number in CelebA; parts are half as large as pictures."""
    root = root / "CelebAMask-HQ"
    lines = ["idx\torig_idx\torig_file"]
    for index, original in enumerate(originals):
        save(root / PICTURES / f"{index}.jpg", picture(side, index))
        for place, name in enumerate(PARTS if index % 2 else PARTS[:6]):
            mode = "RGB" if place % 2 else "L"
            save(root / ANNOTATIONS / "0" / f"{index:05}_{name}.png", part(side // 2, index, place, mode))
        lines.append(f"{index}\t\t{original - 1}\t{original:06}.jpg")
    (root / MAPPING).write_text("\n".join(lines) + "\n")


def tested(count):
    """How many of so many pairs in folders are for tests."""
    return count // EVERY
