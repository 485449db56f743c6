"""Checks of metrics: rows of samples, and what is made of all of them; and of comparisons of whole sets."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..contracts import Metric
from . import declared
from .losses import check_signature, close
from .numerics import ODD
from .operands import DIM, Batch, Example, N
from .purity import undrawn, untouched
from .subject import Broken, NotApplicable, Subject
from .worlds import examples


def contract(subject: Subject) -> None:
    """Its options, its signature, one row a sample where it has rows, and finite numbers by name."""
    declared.options(subject)
    check_signature(subject, _call(subject))
    try:
        every = examples(subject)
    except NotApplicable as reason:
        raise Broken(str(reason)) from reason
    for example in every:
        for n in (N, 1) if isinstance(example.measure, Metric) else ():
            rows: Any = example.value(example.draw(n, DIM))
            if not isinstance(rows, Tensor) or rows.ndim < 1 or len(rows) != n:
                found = [*rows.shape] if isinstance(rows, Tensor) else type(rows).__name__
                raise Broken(f"{example}: its rows are {found} for n = {n} samples, where [n, …] fits")
        values = judged(example, example.draw(N, DIM))
        for name, value in values.items():
            if not isinstance(name, str) or not isinstance(value, float) or not math.isfinite(value):
                raise Broken(f"{example}: the value {name!r} is {value!r}, where a text names a finite float")
        if not values:
            raise Broken(f"{example}: it makes no value at all")


def _call(subject: Subject) -> Any:
    component = subject.component
    return component.rows if issubclass(component, Metric) else component.__call__


def judged(example: Example, batch: Batch) -> Mapping[str, float]:
    """The values of a batch."""
    return _judged(example, example.operands(batch))


def _judged(example: Example, operands: list[Any]) -> Mapping[str, float]:
    made: Any = example.of(operands)
    return example.measure.values(made, example.spaces(DIM)) if isinstance(example.measure, Metric) else made


@torch.no_grad()
def order(subject: Subject) -> None:
    """A sample's row depends on no other sample, and the values not on the order of samples."""
    for example in examples(subject):
        batch = example.draw(N, DIM)
        if isinstance(example.measure, Metric):
            whole = example.value(batch)
            halves = [example.value(batch.rows(rows)) for rows in (slice(0, N // 2), slice(N // 2, N))]
            if not close(torch.cat(halves).double(), whole.double(), 1e-9):
                raise Broken(f"{example}: a sample's row depends on the rest of its batch")
        values, turned = judged(example, batch), judged(example, batch.rows(torch.arange(N - 1, -1, -1)))
        if not _same(values, turned, 1e-6):
            raise Broken(f"{example}: {dict(values)} becomes {dict(turned)} when the rows change places")


@torch.no_grad()
def degenerate(subject: Subject) -> None:
    """Odd input is judged, if not finitely, or refused with ValueError."""
    for example in examples(subject):
        for name, change in ODD.items():
            batch = example.draw(N, DIM).rows(slice(0, {"one sample": 1, "two samples": 2}.get(name, N))).each(change)
            try:
                judged(example, batch)
            except ValueError:
                continue
            except ArithmeticError as error:
                raise Broken(f"{example}: {name} raise {type(error).__name__}: {error}") from error


@torch.no_grad()
def state(subject: Subject) -> None:
    """Judging leaves its operands and the component as they are, and makes no difference to later times."""
    for example in examples(subject):
        batch = example.draw(N, DIM)
        operands = example.operands(batch)
        with untouched(example.measure, example.named(operands), example):
            first = _judged(example, operands)
        judged(example, example.draw(N + 4, DIM, seed=1))
        again = judged(example, batch)
        if not _same(first, again, 0.0):
            raise Broken(f"{example}: {dict(first)} becomes {dict(again)} after other calls: state is kept")


@torch.no_grad()
def seed(subject: Subject) -> None:
    """What is drawn comes from the generator that is handed over, and from nothing else."""
    for example in examples(subject):
        with undrawn(example):
            judged(example, example.draw(N, DIM))


def _same(a: Mapping[str, float], b: Mapping[str, float], tolerance: float) -> bool:
    pairs = torch.tensor([[a[name], b[name]] for name in a if name in b], dtype=torch.float64).reshape(-1, 2)
    return a.keys() == b.keys() and torch.allclose(pairs[:, 0], pairs[:, 1], tolerance, tolerance, equal_nan=True)
