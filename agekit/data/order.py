"""The order of samples, as a pure function of the seed, the stream and the step."""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from agekit.errors import DataError


def indices(length: int, batch: int, *, seed: int, stream: str, step: int) -> NDArray[np.int64]:
    """Say which samples make the batch of a step: [batch].

    An epoch is ⌊length / batch⌋ steps and shows no sample twice. Its permutation is a function of seed, stream and
    epoch alone, and the batch is a slice of it, so nothing has to be stored to go on from any step. Raises `DataError`
    where the data set is smaller than one batch.
    """
    if length < batch:
        raise DataError(f"the data set has {length} samples, which is less than one batch of {batch}")
    epoch, position = divmod(step, length // batch)
    start = position * batch
    return _permutation(length, seed, stream, epoch)[start : start + batch].copy()


@lru_cache(maxsize=16)
def _permutation(length: int, seed: int, stream: str, epoch: int) -> NDArray[np.int64]:
    key = hashlib.blake2b(f"{seed} {epoch} {stream}".encode(), digest_size=16).digest()
    # Raw bits and a stable sort: numpy promises the same bits in every version, but not the same permutation().
    bits = np.random.Philox(key=int.from_bytes(key, "little")).random_raw(length)
    return np.argsort(bits, kind="stable").astype(np.int64, copy=False)
