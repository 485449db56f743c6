"""What the lab's tests share: divergences of their own, settings, clouds, and figures known before."""

import csv
import math
import runpy
from pathlib import Path

import torch
from torch import Tensor

from agekit.builtin.references import Gaussian, Sphere
from agekit.contracts import Divergence, Law, Reference, option
from agekit.lab.clouds import Cloud, departed
from agekit.lab.measure import Settings
from agekit.plugins import BUILTIN, load

GAUSSIAN, SPHERE = Gaussian(dim=64), Sphere(dim=64)


class Coral(Divergence):
    """Mean squared difference of covariance entries, times a factor."""

    compares = "samples"
    factor: float = option(1.0, help="a factor")

    def __call__(self, p: Tensor, q: Tensor) -> Tensor:
        return self.factor * (torch.cov(p.T) - torch.cov(q.T)).square().mean()


class Detached(Divergence):
    """A divergence that nothing can be learnt from."""

    def __call__(self, p: Tensor) -> Tensor:
        return p.detach().square().mean()


class Conditional(Divergence):
    """A divergence that needs more than codes."""

    operands = {**Coral.operands, "label": Coral.operands["of"]}

    def __call__(self, *operands: Tensor) -> Tensor:
        raise NotImplementedError


class Needy(Coral):
    """A divergence with an option that has no default."""

    factor: float = option(help="a factor")


class Raising(Divergence):
    """A divergence with a mistake: in its value, in its gradient, or in what it says of it."""

    compares = "reference"
    place: str = option("value", help="where the mistake is")

    def __call__(self, p: Tensor, reference: Reference) -> Tensor:
        if self.place == "value":
            raise KeyError("a mistake")
        value = p.exp()
        return (value if self.place != "gradient" else value.add_(p)).mean()  # exp needs its own value again

    def ideal(self, reference: Reference) -> float:
        if self.place == "ideal":
            raise KeyError("a mistake")
        return 1.0

    def limit(self, reference: Reference, law: Law) -> float:
        raise KeyError("a mistake") if self.place == "limit" else ValueError("not known")


ADDED = {
    "coral": ("divergences", Coral),
    "detached": ("divergences", Detached),
    "conditional": ("divergences", Conditional),
    "needy": ("divergences", Needy),
    "raising": ("divergences", Raising),
}


def nothing() -> None:
    """Nobody is told how far it is."""


def settings(reference: Reference, batch: int = 64, repetitions: int = 60, seed: int = 0) -> Settings:
    return Settings(reference, (batch,), repetitions, seed)


def cloud(reference: Reference, name: str) -> Cloud:
    return {cloud.name: cloud for cloud in departed(reference)}[name]


DOCS = Path(__file__).parent.parent / "docs"

EXACT = {"mmd": (14.04, 16.91, 2.87)}
"""Power at d = n = 64 that a test computes without drawing."""

KNOWN = runpy.run_path(str(DOCS / "lab.py"))["EARLIER"] | EXACT
"""Power at d = n = 64 that was known before."""

SEEN = ("shift", "scale", "duplicates")


def standard_error(power: float, ratio: float, repetitions: int) -> float:
    """Of a power, over pairs of clouds; `ratio` is the standard deviation there over that of the null."""
    return math.sqrt((1 + ratio**2) / repetitions + power**2 / (2 * repetitions))


def rows_of(path: str | Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with Path(path).open(newline="") as stream:
        return list(csv.DictReader(stream))


def builtin_divergences() -> list[str]:
    """The names of the divergences that agekit itself brings."""
    return [entry.name for entry in load().registries.divergences.entries.values() if entry.owner in BUILTIN]
