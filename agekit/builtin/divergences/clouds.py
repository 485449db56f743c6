"""What every divergence asks of a cloud of codes."""

from __future__ import annotations

from torch import Tensor

from agekit.contracts import Reference

FLOOR = 1e-12
"""Added to every fitted variance, so that a collapsed coordinate has a finite divergence and a finite gradient."""


def check(codes: Tensor, like: Tensor | None = None, least: int = 2) -> None:
    """Raise ValueError unless the codes are a cloud [n, d] of at least so many, with the other's d."""
    if codes.ndim != 2 or len(codes) < least:
        raise ValueError(f"codes of shape {[*codes.shape]} have no spread; a batch [n, d] of n ≥ {least} vectors fits")
    if like is not None and codes.shape[1] != like.shape[1]:
        raise ValueError(f"codes of dimension {like.shape[1]} cannot be compared with codes of {codes.shape[1]}")


def check_dim(codes: Tensor, reference: Reference) -> None:
    """Raise ValueError unless the reference is on the space of the codes."""
    if codes.shape[1] != reference.dim:
        raise ValueError(f"codes of dimension {codes.shape[1]} cannot be compared with a reference of {reference.dim}")


def unknown(name: str, reference: Reference, known: str, *, samples: bool = True) -> ValueError:
    """What to raise where nothing is known in closed form about a reference; `samples` are taken in its place."""
    kind = type(reference).__name__.lower()
    instead = "; compare with its draws z2" if samples else ""
    return ValueError(f"{name} has no closed form for the reference {kind}, only for {known}{instead}")
