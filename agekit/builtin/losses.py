"""Losses that are neither a divergence nor a reciprocity."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from agekit.contracts import Known, Loss, Operand, option

from .precision import full_precision


class CrossEntropy(Loss):
    """Cross-entropy of class scores with the classes, of a label or of every pixel, mean over the elements of a sample.

    ℓ(s, c) = −(1/D) Σ_i w_{c_i} log softmax(s_i)_{c_i}, with D elements in a sample (a label has one) and w = 1, or,
    balanced, w_c = N / (K N_c) for the N elements of the batch, of which N_c are of class c, and the K classes that
    occur: each of these then has the same share of the batch's mean, and the weights' mean is 1.

    Source: Good 1952, the logarithmic score.
    Shapes: scores [n, classes, …] and classes [n, …], int64 -> [n].
    """

    operands = {"of": Operand(scores="to"), "to": Operand()}
    balanced: bool = option(False, help="every class that occurs in the batch counts the same, however rare it is")

    @classmethod
    def known(cls) -> Iterator[Known]:
        zeros = [[0.0, 0.0], [0.0, 0.0]]  # all chances are 1/3, but at the second pixel, whose class has 1/4
        operands = [[zeros, [[0.0, math.log(2)], [0.0, 0.0]], zeros]], torch.tensor([[[0, 0], [0, 1]]])
        yield Known(cls(), operands, [(3 * math.log(3) + math.log(4)) / 4])
        yield Known(cls(balanced=True), operands, [(2 / 3 * (2 * math.log(3) + math.log(4)) + 2 * math.log(3)) / 4])

    @property
    def samplewise(self) -> bool:
        return not self.balanced

    @full_precision
    def __call__(self, scores: Tensor, classes: Tensor) -> Tensor:
        kinds = torch.arange(scores.shape[1], device=classes.device).reshape(-1, *[1] * (classes.ndim - 1))
        chosen = classes.unsqueeze(1) == kinds  # a mask, since gathering has no deterministic gradient on every device
        surprise = torch.where(chosen, -scores.log_softmax(dim=1), 0)
        if self.balanced:
            surprise = surprise * balance(chosen, scores.dtype).reshape(kinds.shape)
        return surprise.sum(dim=1).reshape(len(scores), -1).mean(dim=1)


def balance(chosen: Tensor, dtype: torch.dtype) -> Tensor:
    """The weight of each class that gives all that occur the same share: [n, classes, …] -> [classes]."""
    counts = chosen.transpose(0, 1).flatten(1).sum(dim=1).to(dtype)
    return counts.sum() / ((counts > 0).sum() * counts.clamp_min(1))
