"""Divergences between a cloud of codes and a reference, or between two clouds: one family a file."""

from .covariance import Frechet, FullGaussianKL
from .cramer_wold import CramerWold
from .diagonal import GaussianKL, SphereKL, StandardKL
from .mmd import MMD, EnergyDistance, Uniformity
from .moments import MomentMatching
from .neighbours import NeighbourKL
from .slices import SIGReg, SlicedWasserstein
from .sphere import VonMisesFisherKL
from .stein import KernelStein

__all__ = [
    "MMD",
    "CramerWold",
    "EnergyDistance",
    "Frechet",
    "FullGaussianKL",
    "GaussianKL",
    "KernelStein",
    "MomentMatching",
    "NeighbourKL",
    "SIGReg",
    "SlicedWasserstein",
    "SphereKL",
    "StandardKL",
    "Uniformity",
    "VonMisesFisherKL",
]
