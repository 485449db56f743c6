"""Diagonal Gaussians fitted to clouds of codes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor

from agekit.contracts import Divergence, Known, Law, Reference, option

from ..precision import full_precision
from .by_hand import CORNERS
from .clouds import FLOOR, check, check_dim

Direction = Literal["qp", "pq"]
DIRECTION = "qp: KL(codes ‖ reference); pq: KL(reference ‖ codes)"
"""The letters are the released AGE code's: q is the law of the codes, p the reference."""

Moments = tuple[Tensor, Tensor]
"""The mean and the log-variance of every coordinate: [d] and [d]."""


class GaussianKL(Divergence):
    """KL between the diagonal Gaussians fitted to the codes and to what they are compared with, mean over coordinates.

    KL(a ‖ b) = 1/(2d) Σ_j [ v_a/v_b − 1 − log(v_a/v_b) + (m_a − m_b)²/v_b ],

    with m and v the mean and the variance (1/n, maximum likelihood) of coordinate j; a reference stands with its own
    moments, 0 and its variance, and other codes with their fitted ones. It sees only means and variances: dependence
    between coordinates, and the shape of each, escape it. A finite batch raises it, by about 1/n against a reference.

    Source: Ulyanov, Vedaldi and Lempitsky 2018, equation 7, where the reference is N(0, I).
    Shapes: codes [n, d], and a reference or codes [m, d] -> []. Raises ValueError where n or m is below 2.
    """

    compares = "both"
    direction: Direction = option("qp", help=DIRECTION)

    @classmethod
    def known(cls) -> Iterator[Known]:
        yield Known(cls(), (CORNERS, "gaussian"), 4 - math.log(6) / 2)
        yield Known(cls(direction="pq"), (CORNERS, "gaussian"), (math.log(6) - 17 / 36) / 2)

    @full_precision
    def __call__(self, codes: Tensor, other: Reference | Tensor) -> Tensor:
        fit = fitted(codes)
        return directed(self.direction, fit, _against(other, codes, fit)).to(codes.dtype)

    def limit(self, reference: Reference, law: Law) -> float:
        fit = of_law(law)
        return directed(self.direction, fit, centred(reference.variance, fit)).item()


class SphereKL(Divergence):
    """KL between the diagonal Gaussian fitted to the codes and the unit sphere's, N(0, I/d), mean over coordinates.

    KL(codes ‖ sphere) = −1/2 + (1/d) Σ_j [ d (s_j² + m_j²)/2 − log(s_j √d) ],

    with m_j and s_j² the mean and the variance (1/n) of coordinate j; `pq` exchanges the two sides. It is 0 for codes
    uniform on the sphere, and for every other law with these moments, two antipodal clusters among them. On unit-norm
    codes and in direction qp its gradient is that of `kl_gaussian`; only the value is shifted.

    Source: Ulyanov, Vedaldi and Lempitsky 2018, equation 7, with the sphere's own variance in place of 1.
    Shapes: codes [n, d] -> []. Raises ValueError where n is below 2.
    """

    direction: Direction = option("qp", help=DIRECTION)

    @classmethod
    def known(cls) -> Iterator[Known]:
        yield Known(cls(), (CORNERS,), 17 / 2 - math.log(12) / 2)
        yield Known(cls(direction="pq"), (CORNERS,), math.log(12) / 2 - 9 / 32)

    @full_precision
    def __call__(self, codes: Tensor) -> Tensor:
        return self._of(fitted(codes)).to(codes.dtype)

    def ideal(self, reference: Reference) -> float:
        return ideal(self.direction, reference.variance, 1 / reference.dim)

    def limit(self, reference: Reference, law: Law) -> float:  # noqa: ARG002
        return self._of(of_law(law)).item()

    def _of(self, fit: Moments) -> Tensor:
        return directed(self.direction, fit, centred(1 / len(fit[0]), fit))


class StandardKL(Divergence):
    """KL between the diagonal Gaussian fitted to the codes and the standard normal N(0, I), mean over coordinates.

    exact:     KL(codes ‖ N(0, I)) = −1/2 + (1/d) Σ_j [ (s_j² + m_j²)/2 − log s_j ]
    age-2018:  the same with the variance v_j in the place of s_j: −1/2 + (1/d) Σ_j [ (v_j² + m_j²)/2 − log v_j ]

    with m_j, s_j and v_j = s_j² the mean, the standard deviation and the variance (1/n) of coordinate j; `pq` exchanges
    the two sides. The second is what the released code computes: in direction qp, on unit-norm codes and near the
    optimum, its gradient is twice the exact one, so that a weight w of it is 2w of the exact formula. Elsewhere nothing
    is equivalent. Codes on the unit sphere cannot be N(0, I), so that neither reaches 0 there: at dimensions 16, 64 and
    128 the least values are 0.918, 1.587 and 1.930, or 2.275, 3.659 and 4.352 in the formula of 2018.

    Source: Ulyanov, Vedaldi and Lempitsky 2018, equation 7, and their released code.
    Shapes: codes [n, d] -> []. Raises ValueError where n is below 2.
    """

    direction: Direction = option("qp", help=DIRECTION)
    formula: Literal["exact", "age-2018"] = option("exact", help="as in the paper, or as in the released code")

    @classmethod
    def known(cls) -> Iterator[Known]:
        yield Known(cls(), (CORNERS,), 4 - math.log(6) / 2)
        yield Known(cls(direction="pq"), (CORNERS,), (math.log(6) - 17 / 36) / 2)
        yield Known(cls(formula="age-2018"), (CORNERS,), 25 - math.log(6))

    @full_precision
    def __call__(self, codes: Tensor) -> Tensor:
        return self._of(fitted(codes)).to(codes.dtype)

    def ideal(self, reference: Reference) -> float:
        return ideal(self.direction, reference.variance**self._power, 1.0)

    def limit(self, reference: Reference, law: Law) -> float:  # noqa: ARG002
        return self._of(of_law(law)).item()

    def _of(self, fit: Moments) -> Tensor:
        raised = fit[0], self._power * fit[1]
        return directed(self.direction, raised, centred(1.0, raised))

    @property
    def _power(self) -> int:
        """The variance taken for a standard deviation is the variance squared."""
        return 2 if self.formula == "age-2018" else 1


def fitted(codes: Tensor) -> Moments:
    """Fit a diagonal Gaussian by maximum likelihood, in float64: [n, d] -> [d] and [d]."""
    check(codes)
    variance, mean = torch.var_mean(codes.double(), dim=0, correction=0)
    return mean, (variance + FLOOR).log()


def of_law(law: Law) -> Moments:
    """The fit to endlessly many codes of a law."""
    return law.mean, (law.covariance.diagonal() + FLOOR).log()


def centred(variance: float, like: Moments) -> Moments:
    """The moments of a centred Gaussian of this variance, shaped like others."""
    return torch.zeros_like(like[0]), torch.full_like(like[1], math.log(variance))


def _against(other: Reference | Tensor, codes: Tensor, fit: Moments) -> Moments:
    """The moments of a reference, or those fitted to other codes, in the dimension of these."""
    if isinstance(other, Reference):
        check_dim(codes, other)
        return centred(other.variance, fit)
    check(other, like=codes)
    return fitted(other)


def directed(direction: Direction, codes: Moments, reference: Moments) -> Tensor:
    """The divergence in one of its two directions."""
    return kl(codes, reference) if direction == "qp" else kl(reference, codes)


def kl(a: Moments, b: Moments) -> Tensor:
    """KL(a ‖ b) of diagonal Gaussians, mean over coordinates: 1/2 mean[eʳ − 1 − r + (m_a − m_b)²/v_b], r = log v_a/v_b.

    From logarithms eʳ − 1 − r is found without cancellation.
    """
    ratio = a[1] - b[1]
    return (ratio.expm1() - ratio + (a[0] - b[0]).square() * (-b[1]).exp()).mean() / 2


def ideal(direction: Direction, codes: float, reference: float) -> float:
    """The divergence of centred Gaussians of these two variances."""
    like = torch.zeros(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    return directed(direction, centred(codes, like), centred(reference, like)).item()
