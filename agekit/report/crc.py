"""CRC-32C, the checksum of TensorBoard's records, many bytes at a time: some hundred MB a second."""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # tensorboard's own use of what numpy and protobuf deprecate
    from tensorboard.compat.tensorflow_stub import pywrap_tensorflow  # type: ignore[import-untyped]

LANE = 64
"""So many bytes are gone through one after the other, of all lanes at once."""

SHORT = 4096
"""Shorter messages are gone through byte by byte, which is as quick."""

Operator = np.ndarray
"""A map of registers that is linear over bits, uint32 [4, 256]: what each value of each of the four bytes comes to."""


def masked_crc32c(blob: bytes) -> int:
    """The checksum of bytes as records have it: rotated by 15 bits, and a constant added.

    The register of one message after another is the first's, moved on by the length of the second, xor the second's;
    so lanes of equal length are computed side by side, and joined two by two.
    """
    if len(blob) < SHORT:
        short: int = pywrap_tensorflow.masked_crc32c(blob)
        return short
    count = -(-len(blob) // LANE)
    padded = np.zeros((1 << (count - 1).bit_length()) * LANE, np.uint8)  # zeros before a message change nothing
    padded[-len(blob) :] = np.frombuffer(blob, np.uint8)
    padded[-len(blob) :][:4] ^= 0xFF  # as a register of ones does
    registers = np.zeros(len(padded) // LANE, np.uint32)
    for column in np.ascontiguousarray(padded.reshape(-1, LANE).T):
        registers = TABLE[(registers ^ column) & 0xFF] ^ (registers >> 8)
    level = 0
    while len(registers) > 1:
        registers = _applied(_moved(level), registers[::2]) ^ registers[1::2]
        level += 1
    crc = int(registers[0]) ^ 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


@cache
def _moved(level: int) -> Operator:
    """What a register comes to by LANE × 2 ** level zeros."""
    if level:
        half = _moved(level - 1)
        return _applied(half, half)
    registers = np.arange(256, dtype=np.uint32) << (8 * np.arange(4, dtype=np.uint32)[:, None])
    for _ in range(LANE):
        registers = TABLE[registers & 0xFF] ^ (registers >> 8)
    return registers


def _applied(operator: Operator, registers: np.ndarray) -> np.ndarray:
    first, second, third, fourth = (operator[place][registers >> (8 * place) & 0xFF] for place in range(4))
    made: np.ndarray = first ^ second ^ third ^ fourth
    return made


def _table() -> np.ndarray:
    """What each byte comes to, by the polynomial of Castagnoli (RFC 3720), bits reflected."""
    registers: np.ndarray = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        registers = registers >> 1 ^ (registers & 1) * np.uint32(0x82F63B78)
    return registers


TABLE = _table()
