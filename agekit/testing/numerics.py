"""Checks of a loss's numbers: shapes that must not broadcast, layouts, odd input, scale, precision, compilation."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..contracts import Divergence, draws
from . import compiling
from .layouts import laid_out, on_meta
from .losses import close, shown, value_and_slope
from .operands import DIM, Batch, Example, N
from .subject import Broken, NotApplicable, Subject
from .worlds import examples, first_examples

TRAPS: dict[str, Callable[[Tensor], Tensor]] = {
    "[n, d, 1, 1]": lambda x: x[..., None, None],
    "[d]": lambda x: x[0],
    "[n, 1]": lambda x: x[:, :1],
    "[n, n, d]": lambda x: x.expand(len(x), *x.shape),
}
ALONE: dict[str, Callable[[Tensor], Tensor]] = {"[1, d]": lambda x: x[:1]}
"""A trap for what pairs samples; a cloud of one is one."""


def shapes(subject: Subject) -> None:
    """Shapes that torch would broadcast are refused: [n, d] against [n, d, 1, 1], [d], [n, 1], [n, n, d], [1, d]."""
    trapped = 0
    for example in examples(subject):
        operands = example.operands(example.draw(N, DIM))
        clouds = isinstance(example.measure, Divergence)
        for index in _alike(example, operands):
            for name, trap in {**TRAPS, **({} if clouds else ALONE)}.items():
                trapped += 1
                if index == 0 and name == "[n, 1]":
                    continue  # alone, it is a batch of codes of dimension 1
                _check_refused(example, operands, index, trap(operands[index]), name)
    if not trapped:
        raise NotApplicable("no two of its operands are declared to be of one shape")


def _check_refused(example: Example, operands: list[Any], index: int, bait: Tensor, name: str) -> None:
    try:
        value = example.of([*operands[:index], bait, *operands[index + 1 :]])
    except (ValueError, RuntimeError, IndexError):
        return
    operand = [*example.measure.operands][index]
    taken = f"as {operand!r} it takes {[*bait.shape]}, a {name}, and gives {[*value.shape]}"
    raise Broken(f"{example}: {taken}, where ValueError fits")


def _alike(example: Example, operands: list[Any]) -> list[int]:
    """The operands that are like another; of a divergence from a reference, the codes."""
    declared = [*example.measure.operands.values()]
    alike = [i for i, operand in enumerate(declared) if operand.like and isinstance(operands[i], Tensor)]
    return alike or ([0] if isinstance(example.measure, Divergence) else [])


def layout(subject: Subject) -> None:
    """However its operands lie in memory, channels last above all, the value is the same."""
    for example in examples(subject):
        batch = example.draw(N, DIM)
        try:
            value = example.at(*map(laid_out, batch.raws))
        except RuntimeError as error:
            raise Broken(f"{example}: laid out channels last, or by columns, they raise {error}") from error
        if not close(value, plain := example.value(batch), 1e-9):
            raise Broken(f"{example}: {shown(plain)} becomes {shown(value)} with another layout in memory")


ODD: dict[str, Callable[[Tensor], Tensor]] = {
    "one sample": lambda x: x[:1],
    "two samples": lambda x: x[:2],
    "zeros": torch.zeros_like,
    "equal samples": lambda x: x[:1].expand_as(x),
    "duplicated samples": lambda x: x[torch.arange(len(x)) // 2],
    "equal coordinates": lambda x: x.reshape(len(x), -1)[:, :1].reshape(len(x), *[1] * (x.ndim - 1)).expand_as(x),
    "huge values": lambda x: 1e6 * x,
    "tiny values": lambda x: 1e-18 * x,
}


def degenerate(subject: Subject) -> None:
    """Odd input gives finite values and gradients, or is refused with ValueError: never NaN in silence."""
    for example in examples(subject):
        for dtype in (torch.float32, torch.float64):
            whole = example.draw(N, DIM, dtype=dtype)
            for name, change in ODD.items():
                batch = whole.rows(slice(0, {"one sample": 1, "two samples": 2}.get(name, N))).each(change)
                if issubclass(subject.component, Divergence) and len(whole.raws) == 2:
                    _check_finite(example, Batch((batch.raws[0], whole.raws[1]), DIM), f"{name} against others")
                _check_finite(example, batch, name)


def _check_finite(example: Example, batch: Batch, name: str) -> None:
    leaves = batch.each(lambda raw: raw.clone().requires_grad_())
    try:
        value = example.value(leaves)
    except ValueError:
        return
    floating = [raw for raw in leaves.raws if raw.is_floating_point()]
    slopes = torch.autograd.grad(value.sum(), floating, allow_unused=True) if value.requires_grad else ()
    if not value.isfinite().all():
        raise Broken(f"{example}: {name} in {floating[0].dtype} give {shown(value)}")
    if not all(slope is None or slope.isfinite().all() for slope in slopes):
        raise Broken(f"{example}: {name} in {floating[0].dtype} give a gradient that is not finite")


def scaling(subject: Subject) -> None:
    """A value settles with the number of samples, and grows with their dimension no faster than its square."""
    for example in first_examples(subject):
        if example.value(example.draw(N, DIM)).ndim:
            raise NotApplicable("one value a sample depends on no other sample")
        by_count = [_size(example, n, 4) for n in (64, 512)]
        if exponent := _growth(by_count, 8, 0.5):
            raise Broken(
                f"{example}: it grows as n^{exponent:.1f}: {by_count[0]:.4g} for 64 samples, {by_count[1]:.4g} for 512;"
                " a mean over samples does not"
            )
        by_dim = [_size(example, 64, dim) for dim in (4, 32)]
        if (exponent := _growth(by_dim, 8, 2.2)) > 0:
            raise Broken(f"{example}: it grows as d^{exponent:.1f}: {by_dim[0]:.4g} for d = 4, {by_dim[1]:.4g} for 32")


def _size(example: Example, n: int, dim: int) -> float:
    """How large the value is where the samples are far from everything."""
    batch = example.draw(n, dim)
    shifted = batch.with_raw(0, 2 * batch.raws[0] + 1.5) if batch.raws[0].is_floating_point() else batch
    value = example.value(shifted).detach().double().abs().mean().item()
    if not math.isfinite(value):
        raise Broken(f"{example}: {n} samples of dimension {dim} give {value}")
    return value


def _growth(sizes: list[float], times: int, most: float) -> float:
    """The exponent of growth where it is, on either side, more than it may be; else 0."""
    small, large = (max(size, 1e-12) for size in sizes)
    exponent = math.log(large / small) / math.log(times)
    return exponent if abs(exponent) > most else 0.0


def float32(subject: Subject) -> None:
    """In float32 it returns float32 or better, within 1e-3 of its value in float64."""
    for example in first_examples(subject):
        found = _check_precision(example, torch.float32, 1e-3)
        if found.dtype not in (torch.float32, torch.float64):
            raise Broken(f"{example}: of float32 it returns {found.dtype}, where float32 or better fits")


def bfloat16(subject: Subject) -> None:
    """Within autocast to bfloat16 it returns its value within 5 %."""
    for example in first_examples(subject):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            _check_precision(example, torch.bfloat16, 5e-2)


def _check_precision(example: Example, dtype: torch.dtype, tolerance: float) -> Tensor:
    rounded = example.draw(64, 8).each(lambda raw: (1.0 + raw).to(dtype).double())
    with torch.autocast("cpu", enabled=False):
        exact = example.value(rounded).detach()
    found = example.value(rounded.each(lambda raw: raw.float())).detach()
    if not found.isfinite().all() or not close(found.double(), exact, tolerance):
        raise Broken(f"{example}: {shown(exact)} becomes {shown(found)} in {dtype}")
    return found


def compiled(subject: Subject) -> None:
    """Compiled by torch.compile it has the same value and the same gradient."""
    if any(o.differentiated for e in first_examples(subject)[:1] for o in e.measure.operands.values()):
        raise NotApplicable("torch.compile has no second derivatives, and this loss differentiates")
    for example in first_examples(subject)[:1]:
        batch = example.draw(N, DIM, dtype=torch.float32)
        with compiling.compiled(example.value) as call:
            (value, slope), (other, turned) = (value_and_slope(of, batch) for of in (example.value, call))
        if not close(other, value, 1e-4) or not close(turned, slope, 1e-3):
            raise Broken(f"{example}: {shown(value)} becomes {shown(other)} when it is compiled")


def device(subject: Subject) -> None:
    """What it makes by itself is on its operands' device: the meta device stands for any other than the CPU."""
    if draws(subject.component.__call__):
        raise NotApplicable("it draws, and the meta device has no generator")
    for example in first_examples(subject):
        on_meta(example, example.at, example.draw(N, DIM, dtype=torch.float32).raws)
