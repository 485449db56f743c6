"""Checks of operators: the space that one promises, and what it makes."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..contracts import Operator, Space, draws
from . import compiling, declared
from .instances import instances
from .layouts import laid_out, on_meta
from .losses import close
from .purity import undrawn, untouched
from .spaces import batch, offers
from .subject import Broken, NotApplicable, Subject

N = 6
KINDS = ("x", "z", "mask", "scores of mask", "label", "score", "l", "ab")
MOST = 3
"""Operands that are offered at most."""


@dataclass(frozen=True)
class Applied:
    """An operator, and spaces that it takes."""

    operator: Operator
    sees: tuple[Space, ...]

    def __str__(self) -> str:
        return f"of {', '.join(map(str, self.sees))}"

    def inputs(self) -> tuple[Tensor, ...]:
        """A batch of what it takes."""
        return tuple(batch(space, N, index) for index, space in enumerate(self.sees))

    def __call__(self, *inputs: Tensor) -> Tensor:
        """What it makes; what it draws is the same each time. The inputs themselves are out of its reach."""
        return self.apply(*(x.clone() for x in inputs))

    def apply(self, *inputs: Tensor) -> Tensor:
        """What it makes of these very inputs."""
        chance = {"generator": torch.Generator().manual_seed(0)} if draws(type(self.operator).__call__) else {}
        return self.operator(*inputs, **chance)


@functools.cache
def applied(subject: Subject) -> tuple[Applied, ...]:
    """The operands that the default operator takes, of those that are offered. Raises `NotApplicable` without any."""
    operator = instances(subject)[0]
    if not isinstance(operator, Operator):
        raise NotApplicable("it is no operator")
    found = [one for count in range(1, MOST + 1) for one in _taken(operator, count)]
    if not found:
        raise NotApplicable("space() refuses every operand that was offered")
    return tuple(found)


def _taken(operator: Operator, count: int) -> list[Applied]:
    found = []
    for kinds in itertools.product(KINDS, repeat=count):
        for spaces in offers(kinds):
            sees = tuple(spaces[kind] for kind in kinds)
            try:
                operator.space(*sees)
            except (ValueError, TypeError):
                continue
            found.append(Applied(operator, sees))
            break
    return found


def contract(subject: Subject) -> None:
    """Its options, and that it makes the space that it promises; what it does not take it refuses with ValueError."""
    declared.options(subject)
    try:
        every = applied(subject)
    except NotApplicable as reason:
        raise Broken(str(reason)) from reason
    for one in every:
        promised = one.operator.space(*one.sees)
        for n in (N, 1):
            _check_made(one, one(*(x[:n] for x in one.inputs())), promised, n)
        _check_unknown(one)


def _check_made(one: Applied, made: Tensor, promised: Space, n: int) -> None:
    if made.shape != (n, *promised.shape):
        raise Broken(f"{one}: it makes {[*made.shape]} of n = {n}, where {promised} is promised")
    if made.is_floating_point() and (made.dtype != torch.float32 or not made.isfinite().all()):
        raise Broken(f"{one}: it makes {made.dtype} or values that are not finite, where finite float32 fits")


def _check_unknown(one: Applied) -> None:
    """Sizes that only the data knows are None: space() takes them, or refuses them in words."""
    unknown = tuple(replace(space, shape=_unsized(space)) for space in one.sees)
    try:
        one.operator.space(*unknown)
    except ValueError:
        return
    except TypeError as error:
        shown = ", ".join(map(str, unknown))
        raise Broken(
            f"of {shown}: space() raises TypeError: {error}; None is a size that only the data knows"
        ) from error


def _unsized(space: Space) -> tuple[int | None, ...]:
    """An image's or a parse map's shape, its sides unknown."""
    return (*space.shape[:-2], None, None) if len(space.shape) > 1 else space.shape


def gradient(subject: Subject) -> None:
    """One that stops lets no gradient through; any other lets a right one through, where its operands have any."""
    checked = 0
    for one in applied(subject):
        inputs = tuple(x.double().requires_grad_() if x.is_floating_point() else x for x in one.inputs())
        leaves = [x for x in inputs if x.is_floating_point()]
        made = one(*inputs)
        if not leaves or not made.is_floating_point():
            continue
        checked += 1
        if one.operator.stops == made.requires_grad:
            passes = "a" if made.requires_grad else "no"
            raise Broken(f"{one}: it says stops = {one.operator.stops}, and {passes} gradient passes")
        if made.requires_grad:
            _check_slope(one, inputs, made)
    if not checked:
        raise NotApplicable("nothing that it takes or makes has a gradient")


def _check_slope(one: Applied, inputs: tuple[Tensor, ...], made: Tensor) -> None:
    chance = torch.Generator().manual_seed(1)
    out = torch.randn(made.shape, generator=chance, dtype=made.dtype)
    ways = [torch.randn(x.shape, generator=chance, dtype=x.dtype) if x.is_floating_point() else None for x in inputs]
    leaves = [x for x in inputs if x.is_floating_point()]
    slopes = torch.autograd.grad((made * out).sum(), leaves, allow_unused=True)
    said = sum(
        (slope * way).sum().item()
        for slope, way in zip(slopes, [w for w in ways if w is not None], strict=True)
        if slope is not None
    )

    def ahead(step: float) -> float:
        moved = [x if way is None else x.detach() + step * way for x, way in zip(inputs, ways, strict=True)]
        return (one(*moved) * out).sum().item()

    change = (ahead(1e-5) - ahead(-1e-5)) / 2e-5
    if abs(change - said) > 1e-5 * max(abs(change), abs(said)) + 1e-7:
        raise Broken(f"{one}: the slope is {change:.6g}, and the gradient says {said:.6g}")


def order(subject: Subject) -> None:
    """What it makes of a sample depends on no other sample."""
    if draws(type(instances(subject)[0]).__call__):
        raise NotApplicable("its draws belong to places in the batch")
    for one in applied(subject):
        inputs = one.inputs()
        halves = [one(*(x[rows] for x in inputs)) for rows in (slice(0, N // 2), slice(N // 2, N))]
        if not close(torch.cat(halves).double(), one(*inputs).double(), 1e-5):
            raise Broken(f"{one}: what it makes of a sample depends on the rest of the batch")


def layout(subject: Subject) -> None:
    """However its operands lie in memory, channels last above all, it makes the same."""
    for one in applied(subject):
        try:
            made = one.apply(*map(laid_out, one.inputs()))
        except RuntimeError as error:
            raise Broken(f"{one}: laid out channels last, or by columns, they raise {error}") from error
        if not close(made.double(), one(*one.inputs()).double(), 1e-5):
            raise Broken(f"{one}: it makes something else with another layout in memory")


def compiled(subject: Subject) -> None:
    """Compiled by torch.compile it makes the same."""
    for one in applied(subject)[:1]:
        with compiling.compiled(one.apply) as call:
            made = call(*one.inputs())
        if not close(made.double(), one(*one.inputs()).double(), 1e-4):
            raise Broken(f"{one}: it makes something else when it is compiled")


def device(subject: Subject) -> None:
    """What it makes is on its operands' device: on the meta device, which stands for any other than the CPU."""
    for one in applied(subject):
        if draws(type(one.operator).__call__):
            raise NotApplicable("it draws, and the meta device has no generator")
        on_meta(one, one.apply, one.inputs())


def state(subject: Subject) -> None:
    """A call leaves its operands and the component as they are, and makes no difference to later ones."""
    for one in applied(subject):
        inputs = one.inputs()
        with untouched(one.operator, {f"operand {i + 1}": x for i, x in enumerate(inputs)}, one):
            first = one.apply(*inputs)
        one(*(x.flip(0) for x in one.inputs()))
        if not torch.equal(first, one(*one.inputs())):
            raise Broken(f"{one}: it makes something else after other calls: state is kept")


def seed(subject: Subject) -> None:
    """What is drawn comes from the generator that is handed over, and from nothing else."""
    for one in applied(subject):
        with undrawn(one):
            first, again = one(*one.inputs()), one(*one.inputs())
        if not torch.equal(first, again):
            raise Broken(f"{one}: it makes something else with the same seed")
