"""Checks of references: their draws, their space, and the way between two codes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ..contracts import Reference
from .instances import instances
from .layouts import on_meta
from .losses import close, shown
from .purity import undrawn, untouched
from .subject import Broken, Subject

N, DIM = 4096, 6


def every(subject: Subject, dim: int = DIM) -> Iterator[Reference]:
    """Every instance, in this dimension."""
    for made in instances(subject):
        if isinstance(made, Reference):
            yield type(made).model_validate({**dict(made), "dim": dim})


def draws(reference: Reference, n: int = N, seed: int = 0) -> Tensor:
    """Draws with this seed."""
    return reference.sample(n, generator=torch.Generator().manual_seed(seed))


def law(subject: Subject) -> None:
    """Draws are float32 [n, dim], centred, uncorrelated, of the variance and the law that it says.

    They are held to these within five deviations; to a law by its fourth moments, beside draws of ours of that law.
    """
    for dim in (2, DIM, 64):
        for reference in every(subject, dim):
            _check_moments(reference, draws(reference), dim)
    for reference in every(subject):
        for other in subject.references:
            if reference.law and other.law == reference.law:
                _check_law(reference, other(dim=DIM))


def _check_moments(reference: Reference, codes: Tensor, dim: int) -> None:
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


def _check_law(reference: Reference, other: Reference) -> None:
    """Raise `Broken` where E x_i² x_j² is not what it is of another reference of the same law."""
    ours, theirs = (_products(draws(one, seed=seed)) for one, seed in ((reference, 2), (other, 3)))
    noise = (ours.var(dim=0) / N + theirs.var(dim=0) / N).sqrt()
    gap = (ours.mean(dim=0) - theirs.mean(dim=0)).abs() - 5 * noise
    if gap.max() > 1e-6:
        i, j = divmod(int(gap.argmax()), DIM)
        found, wanted = (moments.mean(dim=0)[gap.argmax()].item() for moments in (ours, theirs))
        said = f"E x_{i + 1}² x_{j + 1}² of its draws is {found:.4g}, where {wanted:.4g} is that of"
        raise Broken(f"{said} {type(other).__name__.lower()}, whose law it says is its own: {reference.law}")


def _products(codes: Tensor) -> Tensor:
    squares = codes.double().square()
    return (squares.unsqueeze(2) * squares.unsqueeze(1)).flatten(1)


INSIDE: dict[str, Callable[[Tensor], Tensor]] = {
    "uniform on the sphere": lambda codes: (torch.linalg.vector_norm(codes, dim=1) - 1).abs().amax(),
    "uniform on the cube": lambda codes: (codes.abs() - 1).amax(),
}
"""How far codes are outside the space of a law that is known."""


def _check_inside(reference: Reference, what: str, codes: Tensor) -> None:
    if reference.law in INSIDE and not INSIDE[reference.law](codes) <= 1e-4:
        raise Broken(f"{what} are not in the space of a law {reference.law}: {shown(codes[0])}")


def space(subject: Subject) -> None:
    """Draws and projected codes lie in its space; where the projection keeps draws, it keeps what it has projected."""
    for reference in every(subject):
        codes = draws(reference)
        inside = reference.project(5 * codes + 1)
        _check_inside(reference, "draws", codes)
        _check_inside(reference, "projected codes", inside)
        if close(reference.project(codes), codes, 1e-5) and not close(reference.project(inside), inside, 1e-5):
            raise Broken("it keeps draws as they are, and projects codes elsewhere when they are projected again")


def way(subject: Subject) -> None:
    """The way between two codes begins at one, ends at the other, and keeps to the space, between antipodes too."""
    for reference in every(subject):
        a, b = draws(reference, 64), draws(reference, 64, seed=1)
        for name, end in (("another code", b), ("its antipode", -a), ("itself", a)):
            places = [reference.between(a, end, torch.full((64, 1), t)) for t in (0.0, 0.25, 0.5, 1.0)]
            if not all(place.isfinite().all() and place.shape == a.shape for place in places):
                raise Broken(f"the way from a code to {name} is not finite")
            if not close(places[0], a, 1e-4) or not close(places[-1], end, 1e-4):
                raise Broken(f"the way from a code to {name} does not begin and end there")
            for place in places:
                _check_inside(reference, f"codes on the way to {name}", place)


def order(subject: Subject) -> None:
    """A code's projection, and its way to another, depend on no other code of the batch."""
    for reference in every(subject):
        a, b, t = 3 * draws(reference, 8) + 1, draws(reference, 8, seed=1), torch.full((8, 1), 0.3)
        inside = reference.project(a)
        alone = [reference.project(a[i : i + 1]) for i in range(8)]
        ways = [reference.between(*(codes[i : i + 1] for codes in (inside, b, t))) for i in range(8)]
        if not close(torch.cat(alone), inside, 1e-5) or not close(
            torch.cat(ways), reference.between(inside, b, t), 1e-5
        ):
            raise Broken("the projection of a code, or its way to another, depends on the rest of its batch")


def degenerate(subject: Subject) -> None:
    """Zeros, huge and tiny codes have a finite projection with a finite gradient."""
    for reference in every(subject):
        for name, scale in (("zero", 0.0), ("huge", 1e6), ("tiny", 1e-18)):
            codes = (scale * torch.randn(8, DIM, generator=torch.Generator().manual_seed(0))).requires_grad_()
            projected = reference.project(codes.clone())
            (slope,) = torch.autograd.grad(projected.sum(), codes)
            if not projected.isfinite().all() or not slope.isfinite().all():
                raise Broken(f"the projection of {name} codes, or its gradient, is not finite")


def gradient(subject: Subject) -> None:
    """The gradient of the projection is that of its value, in float64."""
    for reference in every(subject):
        codes = torch.randn(4, DIM, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
        if not torch.autograd.gradcheck(lambda x, to=reference: to.project(x.clone()), (codes,), raise_exception=False):
            raise Broken("the gradient of the projection is not that of its value")


def device(subject: Subject) -> None:
    """What it makes of codes is on their device: on the meta device, which stands for any other than the CPU."""
    for reference in every(subject):
        codes, t = draws(reference, 8), torch.full((8, 1), 0.3)
        on_meta("project", reference.project, (codes,))
        on_meta("between", reference.between, (codes, codes, t))


def state(subject: Subject) -> None:
    """Projecting codes and going from one to another leaves them, and the component, as they are."""
    for reference in every(subject):
        a, b, t = 5 * draws(reference, 64) + 1, draws(reference, 64, seed=1), torch.full((64, 1), 0.3)
        with untouched(reference, {"codes": a, "a": b, "t": t}, "projecting, or between"):
            reference.between(b, reference.project(a), t)


def seed(subject: Subject) -> None:
    """Draws are a function of the generator alone."""
    for reference in every(subject):
        with undrawn("sample"):
            first, again = draws(reference), draws(reference)
        if not torch.equal(first, again):
            raise Broken("it draws from something else than the generator that it is handed")
        if torch.equal(first, draws(reference, seed=1)):
            raise Broken("another generator draws the same")
