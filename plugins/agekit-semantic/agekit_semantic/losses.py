"""Losses on parse maps, as a parser scores them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar, Literal

import agekit
from torch import Tensor

SCORES = "scores of mask"
"""The kind of what a parser makes."""


class ParseAgreement(agekit.Loss):
    """How far the parse of one picture is from the parse of another, pixel by pixel: `of = "s(g(e(x)))", to = "s(x)"`.

    kl:             (1/P) Σ_i w_i Σ_k p_ik (log p_ik − log q_ik), 0 where the parses agree
    cross_entropy:  (1/P) Σ_i w_i Σ_k p_ik (−log q_ik), which is kl and what the target itself leaves open

    with P pixels, q the softmax of `of` and p that of `to`, and w = 1; or, balanced, w_i = Σ_k p_ik N / (K N_k), where
    N_k is the number of the batch's N pixels that the target gives to class k, each by its probability, and K how many
    classes have one pixel at least: each of these then has about the same share of the batch's mean. Weights belong to
    pixels, so that what is best at each remains q = p. Where `to` depends on nothing that is trained, both have the
    same gradient.

    Source: the divergence of Hinton, Vinyals and Dean 2015, section 2, at temperature 1, taken at every pixel.
    Shapes: scores [n, classes, h, w] twice -> [n]. Raises ValueError where the shapes differ.
    """

    operands = {"of": agekit.Operand(kind=SCORES), "to": agekit.Operand(kind=SCORES, like="of")}
    formula: Literal["kl", "cross_entropy"] = agekit.option("kl", help="whether the target's own entropy is taken off")
    balanced: bool = agekit.option(False, help="every class in the batch counts about the same, however rare it is")

    @classmethod
    def known(cls) -> Iterator[agekit.Known]:
        zeros = [[0.0, 0.0], [0.0, 0.0]]  # two pixels of four are wanted as they are, at 1/2
        operands = [[zeros, zeros]], [[[[math.log(3), math.log(4)], [0.0, 0.0]], zeros]]
        first, second = (p * math.log(2 * p) + (1 - p) * math.log(2 - 2 * p) for p in (0.75, 0.8))
        yield agekit.Known(cls(), operands, [(first + second) / 4])
        yield agekit.Known(cls(formula="cross_entropy"), operands, [math.log(2)])
        ours, theirs = 2 / 2.55, 2 / 1.45  # the weights of classes that have 2.55 and 1.45 pixels of four
        weighed = first * (0.75 * ours + 0.25 * theirs) + second * (0.8 * ours + 0.2 * theirs)
        yield agekit.Known(cls(balanced=True), operands, [weighed / 4])

    @property
    def samplewise(self) -> bool:
        return not self.balanced

    def __call__(self, scores: Tensor, target: Tensor) -> Tensor:
        if scores.shape != target.shape:
            raise ValueError(f"scores {[*scores.shape]} have no counterpart in a target {[*target.shape]}")
        wanted, found = target.log_softmax(dim=1), scores.log_softmax(dim=1)
        chances = wanted.exp()
        gap = wanted - found if self.formula == "kl" else -found
        cost = (chances * gap).sum(dim=1)
        if self.balanced:
            cost = cost * (chances * balance(chances)).sum(dim=1)
        return cost.flatten(1).mean(dim=1)


class ParseConfidence(agekit.Loss):
    """How unsure the parser is of a picture, mean over its pixels: what confidence lacks.

    entropy:  −(1/P) Σ_i Σ_k q_ik log q_ik, in nats: from 0, where every pixel is sure, to log K
    margin:   (1/P) Σ_i (1 − max_k q_ik)

    with P pixels and q the softmax of the scores.

    Source: Grandvalet and Bengio 2004, equation 1, for the entropy.
    Shapes: scores [n, classes, h, w] -> [n].
    """

    samplewise: ClassVar[bool] = True
    operands = {"of": agekit.Operand(kind=SCORES)}
    formula: Literal["entropy", "margin"] = agekit.option("entropy", help="what is taken of each pixel's probabilities")

    @classmethod
    def known(cls) -> Iterator[agekit.Known]:
        zeros = [[0.0, 0.0], [0.0, 0.0]]
        scores = [
            [[[0.0, math.log(3)], [0.0, 0.0]], zeros]
        ]  # of chances 1/2, but 3/4 and 1/4 at the second of four pixels
        yield agekit.Known(cls(), (scores,), [(3 * math.log(2) + math.log(4) - 0.75 * math.log(3)) / 4])
        yield agekit.Known(cls(formula="margin"), (scores,), [(3 / 2 + 1 / 4) / 4])

    def __call__(self, scores: Tensor) -> Tensor:
        logs = scores.log_softmax(dim=1)
        doubt = -(logs.exp() * logs).sum(dim=1) if self.formula == "entropy" else 1 - logs.exp().amax(dim=1)
        return doubt.flatten(1).mean(dim=1)


def balance(chances: Tensor) -> Tensor:
    """The weight of each class, [1, classes, 1, 1], of class probabilities [n, classes, h, w]: N / (K N_k).

    A class of less than one pixel in the batch is weighed as if it had one: what nobody sees does not count.
    """
    pixels = chances.sum(dim=(0, 2, 3), keepdim=True)
    seen = (pixels >= 1).sum()
    return pixels.sum() / (seen * pixels.clamp_min(1))
