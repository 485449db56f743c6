"""The parts of evidence bounds: the KL of each sample's posterior to the reference, and what is made of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar

import agekit
import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

from .vmf import VonMisesFisher

POSTERIOR = agekit.Operand(kind="z", takes=frozenset({"distribution"}))
PRIOR = agekit.Operand(kind="z", default="y", takes=frozenset({"reference"}))


class KLPrior(agekit.Loss):
    """KL of each sample's posterior to the reference, in closed form, summed over coordinates, in nats.

    N(m, diag v) against the standard normal:            ½ Σ_j (v_j + m_j² − 1 − log v_j)
    von Mises–Fisher against the uniform law on a sphere:  κ E[w] − log E₀[exp(κw)]

    Source: Kingma and Welling 2014, appendix B; Davidson et al. 2018, section 3.2.
    Shapes: a distribution over [n, M], and the reference -> [n]. Raises ValueError for any other pair.
    """

    samplewise: ClassVar[bool] = True
    operands = {"of": POSTERIOR, "to": PRIOR}

    @classmethod
    def known(cls) -> Iterator[agekit.Known]:
        yield agekit.Known(cls(), (posterior(), "gaussian"), [21 / 2 - math.log(6)])

    def __call__(self, posterior: Distribution, reference: agekit.Reference) -> Tensor:
        return kl(posterior, reference)


class KLMargin(agekit.Loss):
    """How far the KL of a sample's posterior to the reference stays below a margin: max(0, m − KL), in nats.

    Source: Huang et al. 2018, equation 11.
    Shapes: a distribution over [n, M], and the reference -> [n]. Raises ValueError for pairs that `kl_prior` refuses.
    """

    samplewise: ClassVar[bool] = True
    operands = {"of": POSTERIOR, "to": PRIOR}
    margin: float = agekit.option(help="m, a little above the KL of data", unit="nats", gt=0)

    @classmethod
    def known(cls) -> Iterator[agekit.Known]:
        yield agekit.Known(cls(margin=12.0), (posterior(), "gaussian"), [3 / 2 + math.log(6)])

    def __call__(self, posterior: Distribution, reference: agekit.Reference) -> Tensor:
        return (self.margin - kl(posterior, reference)).clamp_min(0)


class ExpELBO(agekit.Loss):
    """The exponential of the evidence bound of a sample that is to be improbable.

    (1/α) exp(−(α/D) (β_rec |output − target|² + β_neg KL(code ‖ reference))), with D elements in a sample:
    `code = "e(g(z))", of = "g(e(g(z)))", to = "g(z)"` for imitations; the same draw of the code is decoded.

    Source: Daniel and Tamar 2021, equation 4 and algorithm 1, where α = 2.
    Shapes: a distribution over [n, M], output and target [n, …], and the reference -> [n]. Raises ValueError for pairs
    that `kl_prior` refuses, and where output and target differ in shape.
    """

    samplewise: ClassVar[bool] = True
    operands = {"code": POSTERIOR, "of": agekit.Operand(), "to": agekit.Operand(like="of"), "prior": PRIOR}
    alpha: float = agekit.option(2.0, help="α, the sharpness", gt=0)
    beta_rec: float = agekit.option(1.0, help="β_rec, weight of the reconstruction error", ge=0)
    beta_neg: float = agekit.option(1.0, help="β_neg, weight of the KL", ge=0)

    @classmethod
    def known(cls) -> Iterator[agekit.Known]:
        bound = 5 + 21 / 2 - math.log(6)
        yield agekit.Known(
            cls(alpha=0.5), (posterior(), [[1.0, 3.0]], [[0.0, 1.0]], "gaussian"), [2 * math.exp(-bound / 4)]
        )

    def __call__(self, code: Distribution, output: Tensor, target: Tensor, reference: agekit.Reference) -> Tensor:
        if output.shape != target.shape:
            raise ValueError(f"an output {[*output.shape]} has no counterpart in a target {[*target.shape]}")
        gap = (output - target).flatten(1)
        cost = self.beta_rec * gap.square().sum(dim=1) + self.beta_neg * kl(code, reference)
        return (-self.alpha / gap.shape[1] * cost).exp() / self.alpha


def posterior() -> Distribution:
    """One posterior of means 1 and 3 and deviations 2 and 3, 21/2 − log 6 nats from the standard normal."""
    mean, scale = torch.tensor([[1.0, 3.0]]).double(), torch.tensor([[2.0, 3.0]]).double()
    return Independent(Normal(mean, scale), 1)


def kl(posterior: Distribution, reference: agekit.Reference) -> Tensor:
    """KL of each posterior to the reference, [n]. Raises ValueError for a pair of which no closed form is known."""
    match posterior, reference.law:
        case Independent(base_dist=Normal() as normal), "standard normal":
            log_variance = 2 * normal.scale.log()
            nats: Tensor = (normal.variance + normal.mean.square() - 1 - log_variance).sum(dim=1) / 2
            return nats
        case VonMisesFisher(), "uniform on the sphere":
            return posterior.kl_to_uniform()
    found = "codes without a distribution" if isinstance(posterior, Tensor) else type(posterior).__name__
    law = reference.law or type(reference).__name__
    raise ValueError(
        f"no KL in closed form is known of {found} to the reference, {law}; an encoder `gaussian` with the reference "
        "`gaussian` fits, or `vmf` with `sphere`"
    )
