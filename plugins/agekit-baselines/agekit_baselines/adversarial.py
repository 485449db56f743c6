"""Adversarial losses: what a critic's score costs the one who plays a role."""

from __future__ import annotations

import math
from collections.abc import Iterator

import agekit
from torch import Tensor
from torch.nn import functional


class NonSaturating(agekit.Adversarial):
    """Binary cross-entropy of the score as a logit; who fools maximises log D of the imitation.

    real: −log D = softplus(−s)     fake: −log(1 − D) = softplus(s)     fool: −log D = softplus(−s),     D = sigmoid(s).

    Source: Goodfellow et al. 2014, equation 1 and the remark on saturation in section 3.
    Shapes: score [n] -> [n].
    """

    @classmethod
    def known(cls) -> Iterator[agekit.Known]:
        yield agekit.Known(cls(role="real"), ([math.log(2)],), [math.log(1.5)])
        yield agekit.Known(cls(role="fake"), ([math.log(2)],), [math.log(3)])
        yield agekit.Known(cls(role="fool"), ([math.log(2)],), [math.log(1.5)])

    def __call__(self, score: Tensor) -> Tensor:
        return functional.softplus(score if self.role == "fake" else -score)


class Saturating(agekit.Adversarial):
    """Binary cross-entropy of the score as a logit; who fools minimises log(1 − D), the critic's own term.

    real: softplus(−s)     fake: softplus(s)     fool: −softplus(s).

    Source: Goodfellow et al. 2014, equation 1. Shapes: score [n] -> [n].
    """

    @classmethod
    def known(cls) -> Iterator[agekit.Known]:
        yield agekit.Known(cls(role="real"), ([math.log(2)],), [math.log(1.5)])
        yield agekit.Known(cls(role="fake"), ([math.log(2)],), [math.log(3)])
        yield agekit.Known(cls(role="fool"), ([math.log(2)],), [-math.log(3)])

    def __call__(self, score: Tensor) -> Tensor:
        if self.role == "fool":
            return -functional.softplus(score)
        return functional.softplus(score if self.role == "fake" else -score)


class Hinge(agekit.Adversarial):
    """Hinges at the scores 1 and −1 for the critic, the plain score for who fools.

    real: max(0, 1 − s)     fake: max(0, 1 + s)     fool: −s.

    Source: Lim and Ye 2017; Miyato et al. 2018, equations 16 and 17. Shapes: score [n] -> [n].
    """

    @classmethod
    def known(cls) -> Iterator[agekit.Known]:
        yield agekit.Known(cls(role="real"), ([0.5, 3.0],), [0.5, 0.0])
        yield agekit.Known(cls(role="fake"), ([0.5, 3.0],), [1.5, 4.0])
        yield agekit.Known(cls(role="fool"), ([0.5, 3.0],), [-0.5, -3.0])

    def __call__(self, score: Tensor) -> Tensor:
        if self.role == "fool":
            return -score
        return functional.relu(1 + score if self.role == "fake" else 1 - score)


class LeastSquares(agekit.Adversarial):
    """Half the squared distance of the score from 1 for what is to be real, from 0 for what is to be fake.

    real: (s − 1)²/2     fake: s²/2     fool: (s − 1)²/2.

    Source: Mao et al. 2017, equation 9. Shapes: score [n] -> [n].
    """

    @classmethod
    def known(cls) -> Iterator[agekit.Known]:
        yield agekit.Known(cls(role="real"), ([3.0],), [2.0])
        yield agekit.Known(cls(role="fake"), ([3.0],), [4.5])
        yield agekit.Known(cls(role="fool"), ([3.0],), [2.0])

    def __call__(self, score: Tensor) -> Tensor:
        return (score if self.role == "fake" else score - 1).square() / 2


class Wasserstein(agekit.Adversarial):
    """The score itself; it says something only of a critic that is Lipschitz, by a gradient penalty for instance.

    real: −s     fake: s     fool: −s.

    Source: Arjovsky, Chintala and Bottou 2017, equation 2. Shapes: score [n] -> [n].
    """

    @classmethod
    def known(cls) -> Iterator[agekit.Known]:
        yield agekit.Known(cls(role="real"), ([3.0],), [-3.0])
        yield agekit.Known(cls(role="fake"), ([3.0],), [3.0])
        yield agekit.Known(cls(role="fool"), ([3.0],), [-3.0])

    def __call__(self, score: Tensor) -> Tensor:
        return score if self.role == "fake" else -score
