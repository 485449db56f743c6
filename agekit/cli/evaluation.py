"""`agekit eval`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ..compare.marks import letters
from ..errors import AgekitError
from ..evaluate import Evaluation, Wanted, evaluate
from ..evaluate.evaluation import Value
from ..printable import json_line
from ..report.console import RunConsole, clock, make_console, shorten
from ..train.folder import open_run
from . import common

HEADLINE = 3
"""So many seeds a number has that is quoted elsewhere."""

SHOWN = 4
"""So many numbers of a metric are shown; the file has all."""


def evaluate_run(given: argparse.Namespace) -> int:
    """Judge a run: its metrics, and what its views suggest, each number with its protocol."""
    for flag, value in (("--seeds", given.seeds), ("--count", given.count), ("--generated", given.generated)):
        if value is not None and value < 1:
            raise AgekitError(f"{flag} {value}: one at least fits")
    settings = [*given.set, *([f"compute.device={given.device}"] if given.device else [])]
    wanted = Wanted(
        metrics=tuple(given.metrics or ()),
        seeds=given.seeds,
        count=given.count,
        generated=given.generated,
        split=given.split,
        statistics=given.batch_norm,
        which=given.which,
        weights=given.weights,
        extractor=given.extractor,
        settings=tuple(settings),
    )
    console = RunConsole(make_console(stderr=given.json))
    told = console.judging
    try:
        found = evaluate(
            open_run(given.run),
            wanted,
            common.plugins(),
            trust=given.trust,
            preparing=console.preparing,
            progress=lambda _, done, total: told(done, total),
        )
        _told(list(found), console, as_json=given.json)
    finally:
        console.stop(keep=False)
    return 0


def _told(found: Sequence[tuple[Evaluation, Path]], console: RunConsole, *, as_json: bool) -> None:
    """Show the numbers of all checkpoints side by side, each with a letter for how it was taken."""
    console.stop(keep=False)
    evaluations = [one for one, _ in found]
    if as_json:
        print("\n".join(json_line(one.model_dump(mode="json")) for one in evaluations))
        return
    marks = _marks(evaluations)
    table = [_head(evaluations), *(row for name in evaluations[0].metrics for row in _rows(name, evaluations, marks))]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        console.console.print("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
    console.console.print()
    console.facts(
        [
            *((mark, said) for said, mark in marks.items()),
            *(("left out", f"{name}: {why}") for name, why in evaluations[0].left_out.items()),
            *_warned(evaluations),
            ("device", evaluations[0].device),
            ("took", clock(sum(one.seconds for one in evaluations))),
            *(("file" if not index else "", shorten(path)) for index, (_, path) in enumerate(found)),
        ]
    )


def _marks(evaluations: Sequence[Evaluation]) -> dict[str, str]:
    """A letter for each way in which numbers were taken."""
    said = dict.fromkeys(one.protocol.said for evaluation in evaluations for one in evaluation.metrics.values())
    return dict(zip(said, letters(), strict=False))


def _warned(evaluations: Sequence[Evaluation]) -> Iterator[tuple[str, str]]:
    """What to say of numbers with too few seeds."""
    fewest = min(len(one.protocol.seeds) for evaluation in evaluations for one in evaluation.metrics.values())
    if fewest < HEADLINE:
        yield "seeds", f"{fewest}; a number that is quoted takes {HEADLINE} or more"


def _head(evaluations: Sequence[Evaluation]) -> tuple[str, ...]:
    chosen = (f" ({one.chosen_by})" if one.chosen_by else "" for one in evaluations)
    steps = (f"{one.checkpoint}, step {one.step:,}{by}" for one, by in zip(evaluations, chosen, strict=True))
    return ("metric", "value", *steps, "taken", "of")


def _rows(name: str, evaluations: Sequence[Evaluation], marks: Mapping[str, str]) -> Iterator[tuple[str, ...]]:
    """The lines of a metric: its first numbers, at every checkpoint."""
    first = evaluations[0].metrics[name]
    mark = marks[first.protocol.said]
    for index, key in enumerate(list(first.values)[:SHOWN]):
        cells = [one.metrics[name].values.get(key) if name in one.metrics else None for one in evaluations]
        texts = (shown(value) if value else "-" for value in cells)
        yield (name if not index else "", key, *texts, mark, first.protocol.metric if not index else "")
    if len(first.values) > SHOWN:
        yield "", f"{len(first.values) - SHOWN} more", *("in the file" for _ in evaluations), mark, ""


def shown(value: Value) -> str:
    """A number, and its deviation among the seeds.

    >>> shown(Value.of([1.0, 2.0])), shown(Value.of([1.5, 1.5]))
    ('1.5 ± 0.71', '1.5')
    """
    return (
        f"{value.mean:.4g} ± {value.deviation:.2g}" if value.deviation > 1e-9 * abs(value.mean) else f"{value.mean:.4g}"
    )
