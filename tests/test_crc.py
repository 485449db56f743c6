"""The checksum of TensorBoard's records is theirs, of messages of any length."""

import numpy as np
import pytest

from agekit.report.crc import LANE, SHORT, masked_crc32c


@pytest.mark.parametrize(
    "length", [0, 1, 8, SHORT - 1, SHORT, SHORT + 1, 2 * SHORT - LANE, 2 * SHORT + 1, 100 * LANE - 1, 300_001]
)
@pytest.mark.parametrize("fill", ["random", "zeros", "ones"])
def test_it_is_what_tensorboard_computes_byte_by_byte(length, fill):
    from tensorboard.compat.tensorflow_stub import pywrap_tensorflow  # type: ignore[import-untyped]

    drawn = np.random.default_rng(length).integers(0, 256, length, dtype=np.uint8)
    blob = {"random": drawn.tobytes(), "zeros": bytes(length), "ones": b"\xff" * length}[fill]
    assert masked_crc32c(blob) == pywrap_tensorflow.masked_crc32c(blob)


def test_every_bit_counts():
    blob = bytearray(np.random.default_rng(0).integers(0, 256, 3 * SHORT, dtype=np.uint8).tobytes())
    found = {masked_crc32c(bytes(blob))}
    for place in range(0, len(blob), 97):
        blob[place] ^= 1 << place % 8
        found.add(masked_crc32c(bytes(blob)))
        blob[place] ^= 1 << place % 8
    assert len(found) == 1 + len(range(0, len(blob), 97))
