"""Optimizers: torch's own, with this field's defaults."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import torch
from torch import Tensor

from agekit.contracts import Optimizer, Schedule, option

Rate = Annotated[float, option(help="decay rate of a running mean", ge=0, lt=1)]
BETAS = "decay rates of the running means of gradients and of their squares"
EPS = "added to the root of the running mean of squares"


class Adam(Optimizer):
    """Adam, with the first decay rate that adversarial training is used to.

    Source: Kingma and Ba 2015, algorithm 1; β₁ = 0.5 from Radford, Metz and Chintala 2016, section 3.
    """

    betas: tuple[Rate, Rate] = option((0.5, 0.999), help=BETAS)
    eps: float = option(1e-8, help=EPS, ge=0)
    weight_decay: float = option(0.0, help="weight of half the squared parameters, added to the loss", ge=0)

    def build(self, parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
        owned = list(parameters)
        return torch.optim.Adam(
            owned, starting(self), self.betas, self.eps, weight_decay=self.weight_decay, fused=fusible(owned)
        )


class AdamW(Optimizer):
    """Adam with decoupled weight decay.

    Source: Loshchilov and Hutter 2019, algorithm 2.
    """

    betas: tuple[Rate, Rate] = option((0.5, 0.999), help=BETAS)
    eps: float = option(1e-8, help=EPS, ge=0)
    weight_decay: float = option(0.01, help="share of a parameter taken off in a step, times the learning rate", ge=0)

    def build(self, parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
        owned = list(parameters)
        return torch.optim.AdamW(
            owned, starting(self), self.betas, self.eps, weight_decay=self.weight_decay, fused=fusible(owned)
        )


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum on request.

    v ← momentum · v + gradient; θ ← θ − lr · v.

    Source: Robbins and Monro 1951; Sutskever et al. 2013, section 2, for momentum, with lr outside v.
    """

    momentum: float = option(0.0, help="share of the last update that is kept", ge=0, lt=1)
    weight_decay: float = option(0.0, help="weight of half the squared parameters, added to the loss", ge=0)

    def build(self, parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
        owned = list(parameters)
        return torch.optim.SGD(
            owned, starting(self), self.momentum, weight_decay=self.weight_decay, fused=fusible(owned)
        )


def starting(optimizer: Optimizer) -> float:
    """The learning rate where it is a number; 0 where a schedule is to write it, so that forgetting to is seen."""
    return 0.0 if isinstance(optimizer.lr, Schedule) else optimizer.lr


def fusible(parameters: Iterable[Tensor]) -> bool:
    """Whether torch has one kernel for the whole update here; on two CPU cores it is five times faster."""
    return all(parameter.device.type in ("cpu", "cuda") for parameter in parameters)
