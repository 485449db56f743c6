"""Matching: the weight at which one divergence pulls as hard as another."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from ..contracts import Reference
from ..errors import AgekitError, RecipeError
from ..registry import Registries
from .candidates import Candidate, reference_of
from .clouds import Cloud
from .measure import Settings, measure

ZERO = 1e-9
"""What an ideal may be off by, in rounding."""


@dataclass(frozen=True)
class Match:
    """The norms of two divergences' gradients, (old, new), by cloud and batch size."""

    norms: Mapping[tuple[str, int], tuple[float, float]]

    @property
    def weights(self) -> list[float]:
        """For each cloud and batch size, the weight of the new one that gives it the old one's norm."""
        return [old / new for old, new in self.norms.values()]

    @property
    def weight(self) -> float:
        """The median of all."""
        return statistics.median(self.weights)


def match(
    old: Candidate, new: Candidate, clouds: Sequence[Cloud], settings: Settings, done: Callable[[], None]
) -> Match:
    """Compare the norms of the gradients by the codes, each a root mean square over repetitions.

    Noise of the batch is part of them, as it is of what an encoder is given. `done` is told of each that is measured.
    Raises `AgekitError` where one does not take a batch, or has no gradient.
    """
    norms = {}
    for batch in settings.batches:
        for cloud in clouds:
            norms[cloud.name, batch] = (
                _norm(old, cloud, settings, batch, done),
                _norm(new, cloud, settings, batch, done),
            )
    return Match(norms)


def _norm(candidate: Candidate, cloud: Cloud, settings: Settings, batch: int, done: Callable[[], None]) -> float:
    try:
        gradient = measure(candidate, cloud, settings, batch).gradient
    except ValueError as error:
        raise AgekitError(f"{candidate.label}: {error}") from error
    if not gradient > 0:
        raise AgekitError(f"{candidate.label} has no gradient on {batch} codes of {cloud.name}")
    done()
    return gradient


def home_of(candidate: Candidate, dim: int, names: Iterable[str], registries: Registries) -> tuple[str, Reference]:
    """The first of these references at which a divergence is 0. Raises `AgekitError` where it is 0 at none."""
    for name in names:
        with suppress(ValueError, RecipeError):  # it may know none for this one, which may need options
            reference = reference_of(name, dim, registries)
            with candidate.blamed():
                ideal = candidate.divergence.ideal(reference)
            if abs(ideal) < ZERO:
                return name, reference
    raise AgekitError(f"{candidate.label} is 0 at no reference: --reference names the one that is meant")
