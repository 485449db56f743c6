"""The contract of references: distributions on code space."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from .component import Component, option

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Reference(Component):
    """A distribution on code space: its space, its draws, and what is known of it in closed form.

    `law` is its name among distributions, by which a loss knows the closed forms that hold for it: "standard normal",
    "uniform on the sphere", "uniform on the cube"; empty where it has none. References of one law are one distribution.
    """

    law: ClassVar[str] = ""
    dim: int = option(64, help="dimension of the code space, M in the paper", ge=1, le=65536)

    @abstractmethod
    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        """Draw n codes [n, dim], float32, on the generator's device."""

    @abstractmethod
    def project(self, codes: Tensor) -> Tensor:
        """Map raw codes [n, dim] into the space of this reference (sphere: normalise; Gaussian: as they are)."""

    def inside(self, codes: Tensor) -> Tensor:
        """Bring codes [n, dim] that were moved out of this space back into it, and leave those within as they are.

        By default as `project` does; where that moves codes that are within already, another way is to be said.
        """
        return self.project(codes)

    @abstractmethod
    def between(self, a: Tensor, b: Tensor, t: Tensor) -> Tensor:
        """The way from a to b within this space: [n, dim], [n, dim], [n, 1] in [0, 1] -> [n, dim]."""

    @property
    @abstractmethod
    def variance(self) -> float:
        """The variance of one coordinate; every reference is centred, and its coordinates are uncorrelated."""
