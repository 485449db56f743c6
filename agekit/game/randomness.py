"""Every draw as a function of what it is for, so that nothing depends on what was drawn before."""

from __future__ import annotations

import hashlib

import torch

Part = str | int


def seed_of(*parts: Part) -> int:
    """A seed in [0, 2⁶³) that is a function of these parts and of nothing else.

    >>> seed_of(0, "encoder", 1, "z") == seed_of(0, "encoder", 1, "z") != seed_of(0, "encoder", 11, "z")
    True
    """
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def seed_networks(device: torch.device, *parts: Part) -> None:
    """Seed the state from which networks, and the distributions they make, draw on a device.

    `torch.manual_seed` would do as well, and takes a millisecond to note who called it where CUDA sleeps.
    """
    seed = seed_of(*parts)
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].manual_seed(seed)


def generator(device: torch.device, *parts: Part) -> torch.Generator:
    """A generator on a device, seeded by these parts."""
    return torch.Generator(device).manual_seed(seed_of(*parts))
