"""Which operands a loss or a metric is tried with: every form that it declares, of what it takes."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence

from torch import Tensor
from torch.distributions import Independent, Normal

from ..contracts import CODE, SCORE, DataField, Dataset, Measure, Reference
from .instances import instances
from .operands import Axes, Example, Slot
from .spaces import CHANNELS, CLASSES, SCORES
from .subject import NotApplicable, Subject

World = dict[str, Slot]
"""What the samples of each operand are."""

SIDE = 32
"""Of pictures whose size only the data knows."""


@functools.cache
def examples(subject: Subject) -> tuple[Example, ...]:
    """Examples of every instance of a loss or a metric, those of the default one first.

    Raises `NotApplicable` where it refuses all that its operands' declaration admits.
    """
    found: list[Example] = []
    for index, made in enumerate(instances(subject)):
        taken, refusals = taken_by(made, subject) if isinstance(made, Measure) else ([], [])
        if not taken and not index:
            said = "; ".join(dict.fromkeys(refusals))
            raise NotApplicable(f"it refuses every example that the declaration of its operands admits: {said}")
        found += taken
    return tuple(found)


def first_examples(subject: Subject) -> tuple[Example, ...]:
    """Examples of the default instance."""
    every = examples(subject)
    return tuple(example for example in every if example.measure is every[0].measure)


def taken_by(measure: Measure, subject: Subject) -> tuple[list[Example], list[str]]:
    """The examples that it takes, in the first world of each group where it takes any, and why it refused others."""
    taken: list[Example] = []
    refusals: list[str] = []
    for group in _worlds(measure, subject.datasets):
        inside = (_in(world, measure, subject.references, refusals) for world in group)
        taken += next((found for found in inside if found), [])
    return taken, refusals


def _in(world: World, measure: Measure, references: Sequence[type[Reference]], refusals: list[str]) -> list[Example]:
    """The examples that it takes in one world; why it refuses others is added to the refusals."""
    taken = []
    for slots in itertools.product(*(_forms(measure, name, world, references) for name in world)):
        example = Example(measure, slots)
        try:
            example.value(example.draw(8, 4))
            taken.append(example)
        except ValueError as error:
            refusals.append(str(error))
        except Exception:  # noqa: BLE001 - only a refusal in words is one; the checks will meet it again
            taken.append(example)
    return taken


def _forms(measure: Measure, name: str, world: World, references: Sequence[type[Reference]]) -> Iterator[Slot]:
    """The forms that an operand may have."""
    operand = measure.operands[name]
    if "reference" in operand.takes:
        yield from (given(reference) for reference in references)
    if "distribution" in operand.takes:
        yield Slot("a normal distribution", lambda dim: (2 * dim,), _normal)
    if "samples" in operand.takes:
        yield world[name]


def given(reference: type[Reference]) -> Slot:
    """The operand that is a reference itself."""
    return Slot(reference.__name__.lower(), None, lambda _, dim: reference(dim=dim))


def _worlds(measure: Measure, datasets: Sequence[type[Dataset]]) -> Iterator[Iterator[World]]:
    """What samples are: those of a data set that has the fields named; or else vectors, and images of all channels."""
    kinds = {operand.kind.removeprefix(SCORES) for operand in measure.operands.values() if operand.kind}
    anything = dict.fromkeys(measure.operands, _anything)
    for dataset in datasets if kinds - {CODE, SCORE} else ():
        fields = dataset().fields()
        if kinds - {CODE, SCORE} <= fields.keys():
            yield iter([_world(measure, anything, fields)])
            return
    vectors = _world(measure, anything, {})
    yield iter([vectors])
    if any(slot.axes is _anything for slot in vectors.values()):
        yield _images(measure)


def _images(measure: Measure) -> Iterator[World]:
    """Images of every number of channels where an operand may be anything."""
    for side in (8, SIDE):
        for channels in itertools.product(CHANNELS, repeat=len(measure.operands)):
            images = (_image(count, side) for count in channels)
            yield _world(measure, dict(zip(measure.operands, images, strict=True)), {})


def _world(measure: Measure, anything: Mapping[str, Axes], fields: Mapping[str, DataField]) -> World:
    scored = {operand.scores for operand in measure.operands.values()}
    world: World = {}
    for name, operand in measure.operands.items():
        kind = operand.kind or ""
        if operand.like in world:
            world[name] = world[operand.like]
        elif kind.removeprefix(SCORES) in fields:
            world[name] = _of_field(fields[kind.removeprefix(SCORES)], scores=kind.startswith(SCORES))
        elif operand.scores or kind.startswith(SCORES):
            world[name] = Slot("scores", lambda _: (len(CLASSES), 4, 4), _itself)
        elif name in scored:
            world[name] = Slot("classes", lambda _: (4, 4), _itself, CLASSES)
        elif kind == SCORE:
            world[name] = Slot("scores", lambda _: (), _itself)
        else:
            world[name] = Slot("", _vector if operand.vectors or kind == CODE else anything[name], _itself)
    return world


def _of_field(field: DataField, *, scores: bool) -> Slot:
    """Samples of a data set's field, or scores of its classes."""
    shape = tuple(size or SIDE for size in field.shape)
    if scores:
        return Slot("scores", lambda _: (len(field.classes), *shape), _itself)
    return Slot("", lambda _: shape, _itself, field.classes if field.values == "classes" else ())


def _vector(dim: int) -> tuple[int, ...]:
    return (dim,)


def _anything(dim: int) -> tuple[int, ...]:
    """As a vector; it stands where any shape may."""
    return (dim,)


def _image(channels: int, side: int) -> Axes:
    return lambda _: (channels, side, side)


def _itself(raw: Tensor, _: int) -> Tensor:
    return raw


def _normal(raw: Tensor, _: int) -> Independent[Normal]:
    mean, scale = raw.chunk(2, dim=1)
    return Independent(Normal(mean, 0.1 + scale.abs(), validate_args=False), 1, validate_args=False)
