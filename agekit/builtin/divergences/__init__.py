"""Divergences between a cloud of codes and a reference, or between two clouds: one family a file."""

from .covariance import Frechet, FullGaussianKL
from .diagonal import GaussianKL, SphereKL, StandardKL
from .mmd import MMD, EnergyDistance, Uniformity
from .sphere import VonMisesFisherKL

__all__ = [
    "MMD",
    "EnergyDistance",
    "Frechet",
    "FullGaussianKL",
    "GaussianKL",
    "SphereKL",
    "StandardKL",
    "Uniformity",
    "VonMisesFisherKL",
]
