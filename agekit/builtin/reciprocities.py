"""Reciprocities: how far each output is from its target."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

from torch import Tensor
from torch.nn import functional

from agekit.contracts import Known, Reciprocity, option

from .precision import full_precision


class L1(Reciprocity):
    """Absolute error of each sample, mean over its elements.

    ℓ(x̂, x) = (1/D) Σ_i |x̂_i − x_i|, with D elements in a sample. (A sum, as in the letter of the paper's equation 3,
    is D times this.)

    Source: Ulyanov, Vedaldi and Lempitsky 2018, equation 3, scaled as in their released code.
    Shapes: output [n, …] and target [n, …] -> [n]. Raises ValueError where the shapes differ.
    """

    @classmethod
    def known(cls) -> Iterator[Known]:
        yield Known(cls(), ([[1.0, 2.0]], [[0.0, 4.0]]), [1.5])

    @full_precision
    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        output, target = flattened(output, target)
        return (output - target).abs().mean(dim=1)


class L2(Reciprocity):
    """Squared error of each sample, mean over its elements.

    ℓ(x̂, x) = (1/D) Σ_i (x̂_i − x_i)², with D elements in a sample. Between unit vectors it is 2/D times `cosine`.

    Source: Ulyanov, Vedaldi and Lempitsky 2018, equation 4, where it is summed: D times this.
    Shapes: output [n, …] and target [n, …] -> [n]. Raises ValueError where the shapes differ.
    """

    @classmethod
    def known(cls) -> Iterator[Known]:
        yield Known(cls(), ([[1.0, 2.0]], [[0.0, 4.0]]), [2.5])

    @full_precision
    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        output, target = flattened(output, target)
        return (output - target).square().mean(dim=1)


class Cosine(Reciprocity):
    """One minus the cosine of the angle between each output and its target.

    exact:     ℓ(ẑ, z) = 1 − ẑ·z / (|ẑ||z|), half the squared distance of the two directions; in [0, 2]
    age-2018:  ℓ(ẑ, z) = 2 − ẑ·z / (|ẑ||z| M), with M elements in a sample: the released code averages the products over
               them, so that its weight λ is λ/M of the exact formula

    Source: Ulyanov, Vedaldi and Lempitsky 2018, equation 4 on the sphere, and their released code.
    Shapes: output [n, …] and target [n, …] -> [n]. Raises ValueError where the shapes differ.
    """

    formula: Literal["exact", "age-2018"] = option("exact", help="1 − cos, or 2 − cos/M as in the released code")

    @classmethod
    def known(cls) -> Iterator[Known]:
        yield Known(cls(), ([[1.0, 0.0]], [[3.0, 3.0]]), [1 - math.sqrt(0.5)])
        yield Known(cls(formula="age-2018"), ([[1.0, 0.0]], [[3.0, 3.0]]), [2 - math.sqrt(0.5) / 2])

    @full_precision
    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        output, target = flattened(output, target)
        cosine = functional.cosine_similarity(output, target, dim=1)
        return 2 - cosine / output.shape[1] if self.formula == "age-2018" else 1 - cosine


def flattened(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Both as [n, D]. Raises ValueError where their shapes differ, instead of broadcasting one along the other."""
    if output.shape != target.shape:
        raise ValueError(f"an output {[*output.shape]} has no counterpart in a target {[*target.shape]}")
    return output.reshape(len(output), -1), target.reshape(len(target), -1)
