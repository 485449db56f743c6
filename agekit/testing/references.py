"""Checks of references: their draws, their space, and the way between two codes."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ..contracts import Reference
from .instances import instances
from .losses import close, shown
from .subject import Broken, NotApplicable, Subject

N, DIM = 4096, 6


def of(subject: Subject, dim: int = DIM) -> Reference:
    """The default instance, in this dimension."""
    made = instances(subject)[0]
    if not isinstance(made, Reference):
        raise NotApplicable("it is no reference")
    return type(made).model_validate({**dict(made), "dim": dim})


def draws(reference: Reference, n: int = N, seed: int = 0) -> Tensor:
    """Draws with this seed."""
    return reference.sample(n, generator=torch.Generator().manual_seed(seed))


def law(subject: Subject) -> None:
    """Draws are float32 [n, dim], centred, uncorrelated, of the variance that it says: within five deviations."""
    for dim in (2, DIM, 64):
        reference = of(subject, dim)
        codes = draws(reference)
        if codes.shape != (N, dim) or codes.dtype != torch.float32:
            raise Broken(f"{N} draws are {codes.dtype} {[*codes.shape]}, where float32 {[N, dim]} fits")
        codes = codes.double()
        deviation = math.sqrt(reference.variance / N)
        if codes.mean(dim=0).abs().max() > 5 * deviation:
            raise Broken(f"in dimension {dim} its draws are not centred: {shown(codes.mean(dim=0))}")
        covariance = codes.T @ codes / N
        expected = reference.variance * torch.eye(dim, dtype=torch.float64)
        noise = 5 * codes.square().var(dim=0).max().sqrt().item() / math.sqrt(N) + 5 * reference.variance / math.sqrt(N)
        if (covariance - expected).abs().max() > noise:
            found = covariance.diagonal().mean().item()
            raise Broken(f"in dimension {dim} its covariance is not {reference.variance:.4g} I: variance {found:.4g}")


INSIDE: dict[str, Callable[[Tensor], Tensor]] = {
    "uniform on the sphere": lambda codes: (torch.linalg.vector_norm(codes, dim=1) - 1).abs().amax(),
    "uniform on the cube": lambda codes: (codes.abs() - 1).amax(),
}
"""How far codes are outside the space of a law that is known."""


def space(subject: Subject) -> None:
    """Draws and projected codes lie in its space; where the projection keeps draws, it keeps what it has projected."""
    reference = of(subject)
    codes = draws(reference)
    inside = reference.project(5 * codes + 1)
    for name, found in (("draws", codes), ("projected codes", inside)):
        if reference.law in INSIDE and not INSIDE[reference.law](found) <= 1e-5:
            raise Broken(f"{name} are not in the space of a law {reference.law}: {shown(found[0])}")
    if close(reference.project(codes), codes, 1e-5) and not close(reference.project(inside), inside, 1e-5):
        raise Broken("it keeps draws as they are, and projects codes elsewhere when they are projected again")


def way(subject: Subject) -> None:
    """The way between two codes begins at one, ends at the other, and keeps to the space, between antipodes too."""
    reference = of(subject)
    a, b = draws(reference, 64), draws(reference, 64, seed=1)
    for name, end in (("another code", b), ("its antipode", -a), ("itself", a)):
        places = [reference.between(a, end, torch.full((64, 1), t)) for t in (0.0, 0.25, 0.5, 1.0)]
        if not all(place.isfinite().all() and place.shape == a.shape for place in places):
            raise Broken(f"the way from a code to {name} is not finite")
        if not close(places[0], a, 1e-4) or not close(places[-1], end, 1e-4):
            raise Broken(f"the way from a code to {name} does not begin and end there")


def degenerate(subject: Subject) -> None:
    """Zeros, huge and tiny codes have a finite projection with a finite gradient."""
    reference = of(subject)
    for name, scale in (("zero", 0.0), ("huge", 1e6), ("tiny", 1e-18)):
        codes = (scale * torch.randn(8, DIM, generator=torch.Generator().manual_seed(0))).requires_grad_()
        projected = reference.project(codes)
        (slope,) = torch.autograd.grad(projected.sum(), codes)
        if not projected.isfinite().all() or not slope.isfinite().all():
            raise Broken(f"the projection of {name} codes, or its gradient, is not finite")


def gradient(subject: Subject) -> None:
    """The gradient of the projection is that of its value, in float64."""
    codes = torch.randn(4, DIM, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    if not torch.autograd.gradcheck(of(subject).project, (codes,), raise_exception=False):
        raise Broken("the gradient of the projection is not that of its value")


def seed(subject: Subject) -> None:
    """Draws are a function of the generator alone."""
    reference, before = of(subject), torch.get_rng_state()
    if not torch.equal(draws(reference), draws(reference)) or not torch.equal(before, torch.get_rng_state()):
        raise Broken("it draws from something else than the generator that it is handed")
    if torch.equal(draws(reference), draws(reference, seed=1)):
        raise Broken("another generator draws the same")
