"""Measuring: a divergence on one cloud after another, its gradient with it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from ..contracts import Reference
from ..errors import AgekitError
from ..game.randomness import generator
from ..plugins import BUILTIN
from ..registry import Registries
from . import memory
from .candidates import Candidate, candidate, candidates
from .clouds import NULL, Cloud, null, placing
from .entry import Entry, Measurement

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Settings:
    """What a table is measured against: the reference, batch sizes, repetitions, and the seed of every draw.

    Growth is measured from the largest batch on, or from `grown` codes on, where these are more.
    """

    reference: Reference
    batches: tuple[int, ...]
    repetitions: int
    seed: int
    grown: int = 0

    @property
    def largest(self) -> int:
        """The batch size from which growth is measured."""
        return max(*self.batches, self.grown)


def table(
    chosen: Sequence[Candidate], clouds: Sequence[Cloud], settings: Settings, done: Callable[[], None]
) -> list[Entry]:
    """Measure each candidate at each batch size, on the null and on these clouds; `done` is told of each cloud.

    Several are measured at once, each in a thread: that uses the cores better than to share out one after the other.
    """
    pairs = [(each, batch) for each in chosen for batch in settings.batches]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(lambda pair: _entry(pair[0], clouds, settings, pair[1], done), pairs))
    finally:
        torch.set_num_threads(threads)


def takers(
    names: Sequence[str], settings: Settings, registries: Registries
) -> tuple[list[Candidate], list[tuple[str, str]]]:
    """The candidates of these names; of no names, agekit's own that take the reference, and why others are left out.

    Raises `RecipeError` where a name, or an option, is none, `AgekitError` where a named one, or all, take no batch.
    """
    if names:
        named = candidates(names, registries)
        for each in named:
            if why := refusal(each, settings):
                raise AgekitError(f"{each.label}: {why}")
        return named, []
    chosen, left_out = [], []
    for name, entry in registries.divergences.entries.items():
        if entry.owner not in BUILTIN:
            left_out.append((name, f"it is of {entry.owner}, and measured where it is named"))
        elif why := refusal(each := candidate(name, registries), settings):
            left_out.append((name, why))
        else:
            chosen.append(each)
    if not chosen:
        raise AgekitError("\n".join(f"{name}: {why}" for name, why in left_out))
    return chosen, left_out


def refusal(each: Candidate, settings: Settings) -> str:
    """Why a candidate takes none of the batches; empty where it takes one."""
    said = ""
    for batch in settings.batches:
        try:
            with _fitting(settings, batch):
                each.value(_draw(null(settings.reference), settings, batch, 0), settings.reference, settings.seed)
        except ValueError as error:
            said = str(error)
        else:
            return ""
    return said


def _entry(
    candidate: Candidate, clouds: Sequence[Cloud], settings: Settings, batch: int, done: Callable[[], None]
) -> Entry:
    measured: dict[str, Measurement] = {}
    try:
        for cloud in (null(settings.reference), *clouds):
            measured[cloud.name] = measure(candidate, cloud, settings, batch)
            done()
    except ValueError as error:
        for _ in range(len(clouds) + 1 - len(measured)):
            done()
        return Entry(candidate.label, batch, refused=str(error))
    return Entry(candidate.label, batch, measured, known_values(candidate, clouds, settings.reference))


def known_values(candidate: Candidate, clouds: Sequence[Cloud], reference: Reference) -> dict[str, float]:
    """What a candidate comes to on many codes: its ideal under the null, and elsewhere its limit."""
    divergence, known = candidate.divergence, {}
    asked: dict[str, Callable[[], float | None]] = {NULL: partial(divergence.ideal, reference)}
    asked |= {cloud.name: partial(divergence.limit, reference, cloud.law) for cloud in clouds if cloud.law}
    for name, value in asked.items():
        with candidate.blamed(), suppress(ValueError):  # it may know none for this reference
            if (found := value()) is not None:
                known[name] = float(found)
    return known


def measure(candidate: Candidate, cloud: Cloud, settings: Settings, batch: int) -> Measurement:
    """One divergence on one cloud. Draws are functions of the seed, so that all see the same ones.

    Raises `ValueError` where the divergence does not take these codes.
    """
    place, sums = placing(settings.reference), Sums()
    with _fitting(settings, batch):
        for repetition in range(settings.repetitions):
            codes = _draw(cloud, settings, batch, repetition).requires_grad_()
            value = candidate.value(place(codes), settings.reference, settings.seed, "lab", batch, repetition)
            sums.add(value.item(), codes.detach(), candidate.gradient(value, codes))
    return sums.measurement()


def _fitting(settings: Settings, batch: int) -> AbstractContextManager[None]:
    return memory.refusing(f"a call on {batch:,} codes of dimension {settings.reference.dim}")


def _draw(cloud: Cloud, settings: Settings, batch: int, repetition: int) -> Tensor:
    return cloud.draw(batch, generator(CPU, settings.seed, "lab", batch, repetition, "codes"))


@dataclass
class Sums:
    """What is summed up over repetitions."""

    values: list[float] = field(default_factory=list)
    squares: float = 0.0
    layer: Tensor = field(default_factory=lambda: torch.zeros(()))
    layer_squares: float = 0.0

    def add(self, value: float, codes: Tensor, gradient: Tensor) -> None:
        """Add a value with its gradient, at codes [n, d]."""
        gradient, codes = gradient.double(), codes.double()
        layer = torch.cat([gradient.T @ codes, gradient.sum(dim=0, keepdim=True).T], dim=1)
        self.values.append(value)
        self.squares += gradient.square().sum().item()
        self.layer = self.layer + layer
        self.layer_squares += layer.square().sum().item()

    def measurement(self) -> Measurement:
        """The statistics of all."""
        count = len(self.values)
        raw = (self.layer / count).square().sum().item()
        variance = (self.layer_squares - count * raw) / (count - 1)
        signal = max(0.0, raw - variance / count)
        ratio = math.sqrt(signal / variance) if variance > 0 else math.nan
        return Measurement(tuple(self.values), math.sqrt(self.squares / count), ratio)
