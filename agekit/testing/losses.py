"""Checks of every loss: what it takes and gives, what it is known to be, and that it is a pure function of samples."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..contracts import Adversarial, Divergence, Loss, Measure, Reciprocity, draws
from . import declared
from .operands import DIM, Batch, Example, N
from .purity import undrawn, untouched
from .subject import Broken, NotApplicable, Subject
from .worlds import examples, first_examples

STEP = 1e-5
"""Of central differences in float64."""


def contract(subject: Subject) -> None:
    """Its options, its signature, and the shape and type of what it returns, for every form of its operands."""
    declared.options(subject)
    check_signature(subject, subject.component.__call__)
    try:
        every = examples(subject)
    except NotApplicable as reason:
        raise Broken(str(reason)) from reason
    for example in every:
        _check_returned(subject, example, example.value(example.draw(N, DIM)), N)
        try:
            alone = example.value(example.draw(1, DIM))
        except ValueError:  # one sample has no spread
            continue
        _check_returned(subject, example, alone, 1)


def _check_returned(subject: Subject, example: Example, value: Any, n: int) -> None:
    if not isinstance(value, Tensor) or not value.is_floating_point():
        raise Broken(f"{example}: it returns {type(value).__name__}, where a tensor of numbers fits")
    scalar, each = value.shape == (), value.shape == (n,)
    one_each = is_samplewise(example.measure) or issubclass(subject.component, Reciprocity | Adversarial)
    if not (each if one_each else scalar if issubclass(subject.component, Divergence) else scalar or each):
        fitting = "one value a sample, [n]," if one_each else "a scalar"
        raise Broken(f"{example}: it returns {[*value.shape]} for n = {n} samples, where {fitting} fits")


def check_signature(subject: Subject, call: Any) -> None:
    """Raise `Broken` unless a call takes as many operands as are declared."""
    kinds = inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
    component = subject.component
    parameters = [*inspect.signature(call).parameters.values()][1:]
    taken = [parameter.name for parameter in parameters if parameter.kind in kinds]
    operands = [*component.operands] if issubclass(component, Measure) else []
    open_ended = any(parameter.kind is inspect.Parameter.VAR_POSITIONAL for parameter in parameters)
    if len(taken) != len(operands) and not open_ended:
        raise Broken(f"its call takes {', '.join(taken)}, where its operands are {', '.join(operands)}")


def gradient(subject: Subject) -> None:
    """The gradient is that of the value, in float64, and reaches all samples.

    It is compared with a central difference along a random direction: for the first operand, or for that which the loss
    itself differentiates by, and for both of a reciprocity; for others of a loss where any reaches them. The second of
    a divergence may enter as a constant in part.
    """
    for example in examples(subject):
        batch = example.draw(6, DIM)
        floating = [index for index, raw in enumerate(batch.raws) if raw.is_floating_point()]
        watched = [i for i, operand in enumerate(example.measure.operands.values()) if operand.differentiated]
        first = (watched or floating)[:1]
        for index in floating:
            needed = index in first or issubclass(subject.component, Divergence | Reciprocity)
            reached = slope_of(example, batch, index, needed=needed)
            if reached and (index in first or not issubclass(subject.component, Divergence)):
                _check_slope(example, batch, index, *reached)


def slope_of(example: Example, batch: Batch, index: int, *, needed: bool) -> tuple[Tensor, Tensor] | None:
    """The value, summed, and its gradient by the raw numbers of one operand; None, or `Broken`, where there is none."""
    leaf = batch.raws[index].clone().requires_grad_()
    value = example.value(batch.with_raw(index, leaf)).sum()
    slope = torch.autograd.grad(value, leaf, allow_unused=True)[0] if value.requires_grad else None
    if slope is None and needed:
        raise Broken(f"{example}: no gradient reaches {example.sampled[index]!r}: something on the way is detached")
    return None if slope is None else (value.detach(), slope)


def _check_slope(example: Example, batch: Batch, index: int, value: Tensor, slope: Tensor) -> None:
    way = torch.randn(slope.shape, generator=torch.Generator().manual_seed(0), dtype=slope.dtype)

    def ahead(step: float) -> float:
        return example.value(batch.with_raw(index, batch.raws[index] + step * way)).sum().item()

    change, said = (ahead(STEP) - ahead(-STEP)) / (2 * STEP), (slope * way).sum().item()
    if not abs(change - said) <= 1e-5 * max(abs(change), abs(said)) + 1e-7 * max(1, abs(value.item())):
        name = example.sampled[index]
        raise Broken(f"{example}: along {name!r} the slope is {change:.6g}, and the gradient says {said:.6g}")


def order(subject: Subject) -> None:
    """Samples have no order: a scalar stays the same, one value a sample moves with its sample."""
    # an option may ask for an estimator that pairs neighbours; the default may not
    for example in first_examples(subject):
        batch = example.draw(N, DIM)
        turned = torch.randperm(N, generator=torch.Generator().manual_seed(1))
        straight, other = example.value(batch), example.value(batch.rows(turned))
        expected = straight if straight.ndim == 0 else straight[turned]
        if not close(other, expected, 1e-9):
            raise Broken(f"{example}: {shown(expected)} becomes {shown(other)} when the samples change places")


def samplewise(subject: Subject) -> None:
    """One that is declared samplewise gives each sample the value that it has in any other batch."""
    declaring = [example for example in examples(subject) if is_samplewise(example.measure)]
    if not declaring:
        raise NotApplicable("it does not declare that it is samplewise: a divided batch is put together for it")
    for example in declaring:
        batch = example.draw(N, DIM)
        whole = example.value(batch)
        parts = [example.value(batch.rows(rows)) for rows in (slice(N // 3), slice(N // 3, N))]
        if whole.shape != (N,) or (not _draws(example) and not close(torch.cat(parts), whole, 1e-9)):
            found = shown(torch.cat([part.reshape(-1) for part in parts]))
            raise Broken(f"{example}: {shown(whole)} becomes {found} in two portions, and it is declared samplewise")


def is_samplewise(measure: Measure) -> bool:
    """Whether a loss is declared samplewise."""
    return isinstance(measure, Loss) and measure.samplewise


def _draws(example: Example) -> bool:
    return draws(type(example.measure).__call__)


def state(subject: Subject) -> None:
    """A call leaves its operands and the component as they are, and makes no difference to later ones."""
    for example in examples(subject):
        batch = example.draw(N, DIM)
        operands = example.operands(batch)
        with untouched(example.measure, example.named(operands), example):
            first = example.of(operands)
        for seed in (1, 2):
            example.value(example.draw(N + 4, DIM, seed=seed).each(lambda raw: 2 * raw - 1))
        again = example.value(batch)
        if not torch.equal(first, again):
            raise Broken(f"{example}: {shown(first)} becomes {shown(again)} after other calls: state is kept")


def seed(subject: Subject) -> None:
    """What is drawn comes from the generator that is handed over, and from nothing else."""
    for example in examples(subject):
        batch = example.draw(N, DIM)
        with undrawn(example):
            first, again = example.value(batch), example.value(batch)
        if not torch.equal(first, again):
            raise Broken(f"{example}: {shown(first)} becomes {shown(again)} with the same seed")


def value_and_slope(call: Callable[[Batch], Tensor], batch: Batch) -> tuple[Tensor, Tensor]:
    """The value of a batch, and the gradient of its sum by the first numbers that have one: zeros without any."""
    leaves = batch.each(lambda raw: raw.clone().requires_grad_())
    value = call(leaves)
    first = next(raw for raw in leaves.raws if raw.is_floating_point())
    slope = torch.autograd.grad(value.sum(), first, allow_unused=True)[0] if value.requires_grad else None
    return value.detach(), torch.zeros_like(first) if slope is None else slope


def close(a: Tensor, b: Tensor, tolerance: float) -> bool:
    """Whether two values agree, relative to the larger of them and to 1e-3."""
    if a.shape != b.shape:
        return False
    scale = float(b.detach().abs().max()) if b.numel() else 0.0
    return bool(((a - b).detach().abs() <= tolerance * max(scale, 1e-3)).all())


def shown(value: Any) -> str:
    """A value, short."""
    if value.numel() == 1:
        return f"{value.item():.6g}"
    return f"[{', '.join(f'{one:.4g}' for one in value.detach().flatten()[:3].tolist())}, …]"
