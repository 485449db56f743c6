"""Checks of metrics: rows of samples, and what is made of all of them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ..contracts import Metric
from . import declared
from .losses import DIM, N, check_signature, close
from .numerics import ODD
from .operands import Example
from .subject import Broken, NotApplicable, Subject
from .worlds import examples


def contract(subject: Subject) -> None:
    """Its options, its signature, one row a sample, and numbers by name."""
    declared.options(subject)
    check_signature(subject, subject.component.rows if issubclass(subject.component, Metric) else None)
    try:
        every = examples(subject)
    except NotApplicable as reason:
        raise Broken(str(reason)) from reason
    for example in every:
        rows = example.value(example.draw(N, DIM))
        if not isinstance(rows, Tensor) or len(rows) != N:
            raise Broken(f"{example} its rows are {[*rows.shape]} for {N} samples, where [n, …] fits")
        for name, value in judged(example, rows).items():
            if not isinstance(name, str) or not isinstance(value, float):
                raise Broken(f"{example} the value {name!r} is {value!r}, where a text names a float")


def judged(example: Example, rows: Tensor) -> Mapping[str, float]:
    """The values of rows."""
    return example.measure.values(rows, example.spaces(DIM)) if isinstance(example.measure, Metric) else {}


@torch.no_grad()
def order(subject: Subject) -> None:
    """A sample's row depends on no other sample, and the values not on the order of rows."""
    for example in examples(subject):
        batch = example.draw(N, DIM)
        whole = example.value(batch)
        halves = [example.value(batch.rows(rows)) for rows in (slice(0, N // 2), slice(N // 2, N))]
        if not close(torch.cat(halves).double(), whole.double(), 1e-9):
            raise Broken(f"{example} a sample's row depends on the rest of its batch")
        values, turned = judged(example, whole), judged(example, whole.flip(0))
        if not _same(values, turned, 1e-6):
            raise Broken(f"{example} {dict(values)} becomes {dict(turned)} when the rows change places")


@torch.no_grad()
def degenerate(subject: Subject) -> None:
    """Odd input is judged, if not finitely, or refused with ValueError."""
    for example in examples(subject):
        for name, change in ODD.items():
            batch = example.draw(N, DIM).rows(slice(0, {"one sample": 1, "two samples": 2}.get(name, N))).each(change)
            try:
                judged(example, example.value(batch))
            except ValueError:
                continue
            except ArithmeticError as error:
                raise Broken(f"{example} {name} raise {type(error).__name__}: {error}") from error


@torch.no_grad()
def state(subject: Subject) -> None:
    """Nothing is kept between calls, and nothing is drawn."""
    for example in examples(subject):
        batch, before = example.draw(N, DIM), torch.get_rng_state()
        first = judged(example, example.value(batch))
        judged(example, example.value(example.draw(N + 4, DIM, seed=1)))
        again = judged(example, example.value(batch))
        if not _same(first, again, 0.0):
            raise Broken(f"{example} {dict(first)} becomes {dict(again)} after other calls: state is kept")
        if not torch.equal(before, torch.get_rng_state()):
            raise Broken(f"{example} it draws from torch's global state")


def _same(a: Mapping[str, float], b: Mapping[str, float], tolerance: float) -> bool:
    pairs = torch.tensor([[a[name], b[name]] for name in a if name in b], dtype=torch.float64).reshape(-1, 2)
    return a.keys() == b.keys() and torch.allclose(pairs[:, 0], pairs[:, 1], tolerance, tolerance, equal_nan=True)
