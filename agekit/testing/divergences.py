"""Checks of divergences, reciprocities and adversarial losses: what each means."""

from __future__ import annotations

import torch

from ..contracts import Adversarial, Divergence, Reference
from .losses import DIM, N, shown
from .operands import Batch, Example
from .subject import Broken, NotApplicable, Subject
from .worlds import examples, first_examples

CODES, DRAWS = 256, 3


def at_equality(subject: Subject) -> None:
    """Where codes follow a reference it is near its ideal, and far from it where they are shifted and squeezed."""
    compared = 0
    for reference in subject.references:
        for example in first_examples(subject):
            other = next((slot.label for slot in example.slots[1:] if not slot.axes), reference.__name__.lower())
            if other == reference.__name__.lower():
                compared += _check_equality(example, reference(dim=DIM))
    if not compared:
        raise NotApplicable("its ideal is known at none of the references")


def _check_equality(example: Example, reference: Reference) -> bool:
    """Whether there is an ideal to compare with. Raises `Broken` where it is missed."""
    divergence = example.measure
    try:
        ideal = divergence.ideal(reference) if isinstance(divergence, Divergence) else 0.0
    except ValueError:
        return False
    draws = torch.Generator().manual_seed(0)
    equal, apart = [], []
    for _ in range(DRAWS):
        clouds = [reference.sample(CODES, generator=draws).double() for slot in example.slots if slot.axes]
        equal.append(example.value(Batch(tuple(clouds), DIM)).item())
        apart.append(example.value(Batch((0.5 * clouds[0] + 0.7, *clouds[1:]), DIM)).item())
    near, far = (sum(values) / DRAWS - ideal for values in (equal, apart))
    if not abs(near) <= 0.2 * abs(far):
        raise Broken(
            f"{example} codes drawn from {type(reference).__name__.lower()} give {near + ideal:.4g}, where its ideal is"
            f" {ideal:.4g}, as ideal() says; shifted and squeezed ones give {far + ideal:.4g}"
        )
    return True


def least_at_equality(subject: Subject) -> None:
    """A reciprocity is least, in every sample, where output and target are equal."""
    for example in examples(subject):
        output, target = example.draw(N, DIM).raws
        least, other = example.value(Batch((target, target), DIM)), example.value(Batch((output, target), DIM))
        if not (least <= other + 1e-9).all():
            raise Broken(f"{example} equal samples cost {shown(least)}, and different ones {shown(other)}")


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
