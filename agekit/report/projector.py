"""TensorBoard's projector: codes as points in space, each with its picture and what is known of it.

Plain files beside the events: tab-separated text, a picture, and the list of them. torch's `add_embedding` writes the
same four, one after the other into place; here each is there whole or not at all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ..files import replacing, write_text

TENSORS, LABELS, SPRITE, CONFIG = "codes.tsv", "labels.tsv", "sprite.png", "projector_config.pbtxt"
CONFIGURATION = f"""embeddings {{{{
  tensor_name: "{{name}}"
  tensor_path: "{TENSORS}"
  metadata_path: "{LABELS}"
  sprite {{{{
    image_path: "{SPRITE}"
    single_image_dim: {{side}}
    single_image_dim: {{side}}
  }}}}
}}}}
"""
SIDE = 48
"""A picture in the sprite is so wide and high at most."""


def write_projector(
    folder: Path, name: str, codes: np.ndarray, pictures: np.ndarray, labels: Mapping[str, Sequence[str]]
) -> None:
    """Write codes [n, d], their pictures uint8 [n, c, h, w] and labels, n of each name. Raises `OSError`."""
    side = _write_sprite(folder / SPRITE, pictures)
    write_text(folder / TENSORS, "".join("\t".join(f"{v:.6g}" for v in code) + "\n" for code in codes.tolist()))
    named = {"sample": [str(index) for index in range(len(codes))], **labels}
    rows = [list(named), *zip(*named.values(), strict=True)]
    write_text(folder / LABELS, "".join("\t".join(map(_cell, row)) + "\n" for row in rows))
    write_text(folder / CONFIG, CONFIGURATION.format(name=_cell(name).replace("\\", "").replace('"', "'"), side=side))


def _cell(text: str) -> str:
    return " ".join(text.split())


def _write_sprite(path: Path, pictures: np.ndarray) -> int:
    """All pictures in one, in rows of a square, as the projector takes it; the side of each."""
    side = min(SIDE, int(pictures.shape[2]), int(pictures.shape[3]))
    columns = math.isqrt(len(pictures) - 1) + 1
    whole = Image.new("RGB", (columns * side, columns * side), "white")
    for index, picture in enumerate(np.broadcast_to(pictures, (len(pictures), 3, *pictures.shape[2:]))):
        tile = Image.fromarray(np.ascontiguousarray(picture.transpose(1, 2, 0))).resize((side, side))
        whole.paste(tile, (index % columns * side, index // columns * side))
    with replacing(path) as temporary:
        whole.save(temporary, "PNG")
    return side
