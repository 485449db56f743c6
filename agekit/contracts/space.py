"""What a value is: its kind and the shape of one sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CODE = "z"
"""The kind of codes: of the draws z, z2, …, of the reference y, and of what an encoder makes."""

SCORE = "score"
"""The kind of a critic's verdict: one number a sample, shape ()."""


@dataclass(frozen=True)
class Space:
    """The kind and the shape of one sample; the batch axis is never part of it.

    `kind` is `z`, `score` or the name of a data field. A size that only the data knows is None. `classes` names the
    classes where the values count them, or are their scores.
    """

    kind: str
    shape: tuple[int | None, ...]
    classes: tuple[str, ...] = ()

    def __str__(self) -> str:
        sizes = "×".join("?" if size is None else str(size) for size in self.shape)
        return f"{self.kind} [{sizes}]"

    def fits(self, other: Space) -> bool:
        """Whether a value of this space can stand where the other is expected: same kind, and no size that differs."""
        return (
            self.kind == other.kind
            and len(self.shape) == len(other.shape)
            and all(a is None or b is None or a == b for a, b in zip(self.shape, other.shape, strict=True))
        )


@dataclass(frozen=True)
class DataField:
    """How a field of a data set is stored, and what it means.

    `image` is uint8 [c, h, w] and is read as float in [−1, 1]; `classes` is uint8 of any shape (`()` for a label,
    [h, w] for a parse map) and is read as int64; `vector` is float32 [d] and is read as it is.
    `mirrored` lists pairs of classes (or of vector entries) that change places when a picture is flipped left to right.
    """

    values: Literal["image", "classes", "vector"]
    shape: tuple[int | None, ...]
    classes: tuple[str, ...] = ()
    mirrored: tuple[tuple[int, int], ...] = ()
