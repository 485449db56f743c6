"""The Sinkhorn divergence: transport between clouds, blurred by entropy, and freed from the blur's own bias."""

from __future__ import annotations

import importlib.util
import math
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from typing import Any, Literal

import agekit
import torch
from pydantic import model_validator
from torch import Tensor
from torch._compile import _disable_dynamo

TINY = 1e-30
"""A distance added to the blur, so that draws without spread have one."""
NARROW = 1e-6
"""By how much, relatively, the blur is lowered where it is as good as constant."""


def has_keops() -> bool:
    """Whether pykeops is installed; one that was removed may leave a folder of its name."""
    found = importlib.util.find_spec("pykeops")
    return found is not None and found.origin is not None


class Sinkhorn(agekit.Divergence):
    """Sinkhorn divergence: the cost of moving one cloud onto the other, blurred by entropy and without its bias.

    S = OT(p, q) − OT(p, p)/2 − OT(q, q)/2,   OT(p, q) = min_π E_π |x − y|^k / k + ε KL(π ‖ p ⊗ q),   ε = blur^k

    over all couplings π of the two clouds, k = 1 or 2 being the option `p`. It is 0 where the clouds are equal and
    never negative. A small blur gives the Wasserstein distance of two samples, W_1 or W_2²/2; a large one the energy
    distance, E|x − y| less half of those within (k = 1), or half the squared distance of the means alone (k = 2). Two
    draws of one law are apart, too, and the more so the smaller the blur and the higher the dimension: at the default
    blur, 64 codes in 64 dimensions contracted to 0.8 of their scale are *nearer* to draws than other draws are.

    By default geomloss iterates a fixed number of times at the blur itself, and each time takes off a share of what is
    left: at the default blur, for 64 codes on the sphere in 64 dimensions, the gradient is exact to 1e-12; at a fifth
    of that blur, to 1 %. With `scaling` it iterates once at each of a falling row of blurs, from the diameter down to
    the last: quicker where that is small, but at a scaling of 0.9 the value is good to 0.1 % and the gradient to 10 %
    there. All is computed in float64, in units of the blur. There are no second derivatives.

    Source: Genevay, Peyré and Cuturi 2018; Feydy et al. 2019, equation 3; the solver is Feydy's geomloss.
    Shapes: codes [n, d], draws [m, d] -> []. Raises ValueError where they are no two clouds of one dimension.
    """

    compares = "samples"
    p: Literal[1, 2] = agekit.option(2, help="the exponent k of the cost: the distance, or half its square")
    blur: float | None = agekit.option(
        None,
        help="a distance; by default half the root mean square distance of two draws of the second side",
        gt=0,
    )
    iterations: int = agekit.option(100, help="iterations at the blur, where there is no scaling", ge=1, le=100_000)
    scaling: float | None = agekit.option(
        None, help="ratio of two successive blurs, from the diameter down; by default the blur is constant", gt=0, lt=1
    )
    backend: Literal["tensorized", "online"] = agekit.option(
        "tensorized", help="with matrices of all pairs, or with memory n + m, which needs pykeops"
    )

    @classmethod
    def known(cls) -> Iterator[agekit.Known]:
        yield agekit.Known(cls(), ([[0.0, 0.0]], [[3.0, 4.0]]), 12.5)
        wide = 2 + math.log((1 + math.exp(-4)) / 2)  # of ε = 2, half the mean square distance of two draws
        yield agekit.Known(cls(), ([[0.0, 0.0]] * 3, [[-2.0, 0.0], [2.0, 0.0]]), wide)
        own = math.log((1 + math.exp(-2)) / 2) / 2
        yield agekit.Known(cls(blur=1.0), ([[0.0]], [[-1.0], [1.0]]), 0.5 + own)
        yield agekit.Known(cls(blur=1.0, p=1), ([[0.0]], [[-1.0], [1.0]]), 1.0 + own)
        if has_keops():
            yield agekit.Known(cls(blur=1.0, backend="online"), ([[0.0]], [[-1.0], [1.0]]), 0.5 + own)

    @model_validator(mode="after")
    def _installed(self) -> Sinkhorn:
        if self.backend == "online" and not has_keops():
            raise ValueError("online needs pykeops, which is not installed: pip install 'agekit-geomloss[online]'")
        return self

    @_disable_dynamo  # torch.compiler.disable would import the compiler, here and now
    def __call__(self, codes: Tensor, draws: Tensor) -> Tensor:
        if codes.ndim != 2 or draws.ndim != 2 or codes.shape[1] != draws.shape[1] or not len(codes) * len(draws):
            raise ValueError(f"clouds [n, d] and [m, d] fit, found {[*codes.shape]} and {[*draws.shape]}")
        x, y = codes.double(), draws.double()
        centre, blur = y.detach().mean(dim=0), self._blur(y.detach())
        # geomloss turns gradients on and leaves them on
        with torch.set_grad_enabled(torch.is_grad_enabled()):
            value: Tensor = self._in_units_of_the_blur((x - centre) / blur, (y - centre) / blur)
        return (blur**self.p * value).to(codes.dtype)

    def _blur(self, draws: Tensor) -> Tensor:
        if self.blur is not None:
            return draws.new_tensor(self.blur)
        return (draws.var(dim=0, correction=0).sum() / 2).sqrt() + TINY

    def _in_units_of_the_blur(self, x: Tensor, y: Tensor) -> Tensor:
        """The divergence at blur 1."""
        start, scaling = 1 + NARROW, (1 + NARROW) ** (-1 / self.iterations)
        if self.scaling is not None:
            start, scaling = max(start, 2 * torch.cat([x, y]).detach().norm(dim=1).amax().item()), self.scaling
        # geomloss's own distances are never below 1e-4
        cost = torch.cdist if self.p == 1 and self.backend == "tensorized" else None
        loss = _geomloss().SamplesLoss(
            p=self.p, blur=1.0, diameter=start, scaling=scaling, cost=cost, backend=self.backend
        )
        value: Tensor = loss(x, y)
        return value


def _geomloss() -> Any:
    """The package, imported where it is used: it brings pykeops along, which takes half a second, and prints."""
    with redirect_stdout(sys.stderr):
        import geomloss  # type: ignore[import-untyped]
    return geomloss
