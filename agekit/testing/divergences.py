"""Checks of divergences, reciprocities and adversarial losses: what each means."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ..contracts import Adversarial, Divergence, Law, Reference
from .losses import shown
from .operands import DIM, Batch, Example, N
from .subject import Broken, NotApplicable, Subject
from .worlds import examples, first_examples

CODES, DRAWS = 256, 3
MANY, REPEATS = 2048, 4
NEAR = 0.1
"""How far, as a share of itself, a value of many codes may be from what is known of it."""


def at_equality(subject: Subject) -> None:
    """Where codes follow a reference it is near its ideal, and far from it where they are shifted and squeezed."""
    compared = 0
    for example, reference in _against(subject):
        try:
            ideal = _divergence(example).ideal(reference)
        except ValueError:
            continue
        compared += 1
        draws = torch.Generator().manual_seed(0)
        equal, apart = [], []
        for _ in range(DRAWS):
            codes = reference.sample(CODES, generator=draws).double()
            equal.append(_value(example, codes, reference, draws))
            apart.append(_value(example, 0.5 * codes + 0.7, reference, draws))
        near, far = (sum(values) / DRAWS - ideal for values in (equal, apart))
        if not abs(near) <= 0.2 * abs(far):
            raise Broken(
                f"{example}: codes drawn from {_name(reference)} give {near + ideal:.4g}, where its ideal is"
                f" {ideal:.4g}, as ideal() says; shifted and squeezed ones give {far + ideal:.4g}"
            )
    if not compared:
        raise NotApplicable("its ideal is known at none of the references")


def limit(subject: Subject) -> None:
    """Many codes of a law come to what limit() says of it: normal codes, shifted, stretched and correlated."""
    compared = 0
    for example, reference in _against(subject):
        law, codes = _stretched()
        try:
            expected = _divergence(example).limit(reference, law)
        except ValueError:
            expected = None
        if expected is None:
            continue
        compared += 1
        found = _value(example, codes, reference, torch.Generator().manual_seed(1))
        if not abs(found - expected) <= NEAR * abs(expected):
            raise Broken(
                f"{example}: {MANY} normal codes give {found:.4g} against {_name(reference)}, where limit() says"
                f" {expected:.4g}"
            )
    if not compared:
        raise NotApplicable("limit() knows it of no law that was tried")


def forms(subject: Subject) -> None:
    """Against a reference itself it comes to what it does against many draws of it."""
    compared = 0
    _, codes = _stretched()
    for exact in first_examples(subject):
        for sampled in first_examples(subject):
            if len(exact.slots) < 2 or exact.slots[1].axes or not sampled.slots[1].axes:
                continue
            compared += 1
            reference = _reference(exact, subject)
            draws = torch.Generator().manual_seed(1)
            found = _value(exact, codes, reference, draws)
            drawn = sum(_value(sampled, part, reference, draws) for part in codes.chunk(REPEATS)) / REPEATS
            if not abs(found - drawn) <= NEAR * abs(drawn):
                raise Broken(
                    f"{exact}: it comes to {found:.4g} against {_name(reference)} itself, and to {drawn:.4g} against"
                    f" {MANY} draws of it"
                )
    if not compared:
        raise NotApplicable("it does not take both a reference and samples")


def _against(subject: Subject) -> Iterator[tuple[Example, Reference]]:
    """The default instance's examples, each with the references that it may be compared with."""
    for example in first_examples(subject):
        fixed = any(not slot.axes for slot in example.slots)
        for reference in (_reference(example, subject),) if fixed else (one(dim=DIM) for one in subject.references):
            yield example, reference


def _reference(example: Example, subject: Subject) -> Reference:
    """The reference that is an operand of an example."""
    (label,) = (slot.label for slot in example.slots if not slot.axes)
    return next(one(dim=DIM) for one in subject.references if one.__name__.lower() == label)


def _divergence(example: Example) -> Divergence:
    if not isinstance(example.measure, Divergence):
        raise NotApplicable("it is no divergence")
    return example.measure


def _name(reference: Reference) -> str:
    return type(reference).__name__.lower()


def _value(example: Example, codes: Tensor, reference: Reference, chance: torch.Generator) -> float:
    """The value of codes, against as many draws of the reference where it takes samples."""
    others = [reference.sample(len(codes), generator=chance).double() for slot in example.slots[1:] if slot.axes]
    return example.value(Batch((codes, *others), DIM)).item()


def _stretched() -> tuple[Law, Tensor]:
    """A normal law that is far from every reference, and many codes whose mean and covariance are exactly its own."""
    mean = torch.tensor([1.8, -1.2, 0.7], dtype=torch.float64)
    factor = torch.tensor([[1.6, 0.0, 0.0], [0.9, 1.2, 0.0], [-0.4, 0.5, 0.7]], dtype=torch.float64)
    noise = torch.randn(MANY, DIM, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    centred = noise - noise.mean(dim=0)
    white = torch.linalg.solve_triangular(torch.linalg.cholesky(centred.T @ centred / MANY), centred.T, upper=False).T
    return Law(mean, factor @ factor.T, normal=True), white @ factor.T + mean


def least_at_equality(subject: Subject) -> None:
    """A reciprocity is least, in every sample, where output and target are equal."""
    for example in examples(subject):
        output, target = example.draw(N, DIM).raws
        least, other = example.value(Batch((target, target), DIM)), example.value(Batch((output, target), DIM))
        if not (least <= other + 1e-9).all():
            raise Broken(f"{example}: equal samples cost {shown(least)}, and different ones {shown(other)}")


SLOPES = {"real": -1, "fake": 1, "fool": -1}
"""Whether the cost rises or falls with the score, by role."""


def roles(subject: Subject) -> None:
    """From a score of 0 to one of 1, real and fool fall and fake rises: a critic scores what is real higher."""
    for example in examples(subject):
        if isinstance(example.measure, Adversarial):
            low, high = example.value(Batch((torch.tensor([0.0, 1.0], dtype=torch.float64),), DIM)).tolist()
            if (high - low) * SLOPES[example.measure.role] <= 0:
                way = "rises" if SLOPES[example.measure.role] > 0 else "falls"
                raise Broken(
                    f"the role {example.measure.role} costs {low:.4g} at 0 and {high:.4g} at 1, where it {way}"
                )
