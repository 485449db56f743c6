"""Checks of metrics: rows of samples, and what is made of all of them; and of comparisons of whole sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..contracts import Comparison, Metric
from . import declared
from .losses import DIM, N, check_signature, close
from .numerics import ODD
from .operands import Batch, Example
from .subject import Broken, NotApplicable, Subject
from .worlds import examples


def contract(subject: Subject) -> None:
    """Its options, its signature, one row a sample where it has rows, and numbers by name."""
    declared.options(subject)
    check_signature(subject, _call(subject))
    try:
        every = examples(subject)
    except NotApplicable as reason:
        raise Broken(str(reason)) from reason
    for example in every:
        batch = example.draw(N, DIM)
        rows = None if isinstance(example.measure, Comparison) else example.value(batch)
        if rows is not None and (not isinstance(rows, Tensor) or len(rows) != N):
            raise Broken(f"{example} its rows are {[*rows.shape]} for {N} samples, where [n, …] fits")
        for name, value in judged(example, batch).items():
            if not isinstance(name, str) or not isinstance(value, float):
                raise Broken(f"{example} the value {name!r} is {value!r}, where a text names a float")


def _call(subject: Subject) -> Any:
    component = subject.component
    return component.rows if issubclass(component, Metric) else component.__call__


def judged(example: Example, batch: Batch) -> Mapping[str, float]:
    """The values of a batch."""
    made: Any = example.value(batch)
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
                raise Broken(f"{example} a sample's row depends on the rest of its batch")
        values, turned = judged(example, batch), judged(example, batch.rows(torch.arange(N - 1, -1, -1)))
        if not _same(values, turned, 1e-6):
            raise Broken(f"{example} {dict(values)} becomes {dict(turned)} when the rows change places")


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
                raise Broken(f"{example} {name} raise {type(error).__name__}: {error}") from error


@torch.no_grad()
def state(subject: Subject) -> None:
    """Nothing is kept between calls, and nothing is drawn from torch's global state."""
    for example in examples(subject):
        batch, before = example.draw(N, DIM), torch.get_rng_state()
        first = judged(example, batch)
        judged(example, example.draw(N + 4, DIM, seed=1))
        again = judged(example, batch)
        if not _same(first, again, 0.0):
            raise Broken(f"{example} {dict(first)} becomes {dict(again)} after other calls: state is kept")
        if not torch.equal(before, torch.get_rng_state()):
            raise Broken(f"{example} it draws from torch's global state")


def _same(a: Mapping[str, float], b: Mapping[str, float], tolerance: float) -> bool:
    pairs = torch.tensor([[a[name], b[name]] for name in a if name in b], dtype=torch.float64).reshape(-1, 2)
    return a.keys() == b.keys() and torch.allclose(pairs[:, 0], pairs[:, 1], tolerance, tolerance, equal_nan=True)
