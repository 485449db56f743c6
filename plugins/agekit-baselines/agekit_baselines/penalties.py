"""Penalties on the gradient of a critic's score."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import agekit
import torch
from torch import Tensor

OPERANDS = {"score": agekit.Operand(kind="score"), "at": agekit.Operand(differentiated=True)}


class GradientPenalty(agekit.Loss):
    """Squared distance of the gradient's norm from a target, on both sides of it.

    (|∇_at score| − target)², with `at` the very tensor that entered the critic:
    `score = "d(mix(x, g(z)))", at = "mix(x, g(z))"`. A critic with batch-norm makes each score depend on all samples;
    then the gradient is that of their sum, and no longer of a sample's own score.

    Source: Gulrajani et al. 2017, equation 3; with target 0, Thanh-Tung, Tran and Venkatesh 2019.
    Shapes: score [n] and at [n, …] -> [n]. Raises ValueError where the score does not depend on it.
    """

    samplewise: ClassVar[bool] = True
    operands = OPERANDS
    target: float = agekit.option(1.0, help="the norm that costs nothing", ge=0)

    @classmethod
    def known(cls) -> Iterator[agekit.Known]:
        at = torch.tensor([[3.0, 4.0], [6.0, 8.0]], requires_grad=True)
        yield agekit.Known(cls(), (at.square().sum(dim=1) / 2, at), [16.0, 81.0])

    def __call__(self, score: Tensor, at: Tensor) -> Tensor:
        norm: Tensor = torch.linalg.vector_norm(slope(score, at), dim=1)
        return (norm - self.target).square()


class R1(agekit.Loss):
    """Half the squared norm of the gradient, on real data: `score = "d(x)", at = "x"`.

    |∇_at score|² / 2, so that the weight is the paper's γ.

    Source: Mescheder, Geiger and Nowozin 2018, equation 9.
    Shapes: score [n] and at [n, …] -> [n]. Raises ValueError where the score does not depend on it.
    """

    samplewise: ClassVar[bool] = True
    operands = OPERANDS

    @classmethod
    def known(cls) -> Iterator[agekit.Known]:
        at = torch.tensor([[3.0, 4.0], [6.0, 8.0]], requires_grad=True)
        yield agekit.Known(cls(), (at.square().sum(dim=1) / 2, at), [12.5, 50.0])

    def __call__(self, score: Tensor, at: Tensor) -> Tensor:
        return slope(score, at).square().sum(dim=1) / 2


def slope(score: Tensor, at: Tensor) -> Tensor:
    """The gradient of each score, itself differentiable: [n] and [n, …] -> [n, d].

    Raises ValueError where the score does not depend on `at`.
    """
    gradient = None
    if score.requires_grad:
        (gradient,) = torch.autograd.grad(score.sum(), at, create_graph=True, allow_unused=True)
    if gradient is None:
        raise ValueError("the score does not depend on `at`; the expression that the critic was applied to fits there")
    return gradient.flatten(1)
