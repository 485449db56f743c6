"""The numbers that were taken of a run, each with all that another must share with it to be compared."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..recipe.compose import COMPONENT_KEYS, stages
from ..recipe.source import Document
from ..recipe.tables import MetricKeys
from .reading import Told

Name = tuple[str, str]
"""A metric, and one of its values."""

LAST = "last"
SAMPLES = {"held out": "held-out samples", "training": "samples of training", "draws": "draws"}
KEYS = MetricKeys.written()


@dataclass(frozen=True)
class Number:
    """A number, the protocol that tells what it can be compared with, and that protocol in words; `data` is the hash.

    Training takes its metrics with the draws and samples of the run's own seed, `agekit eval` with several seeds of its
    own: the two are never of one protocol.
    """

    value: float
    protocol: str
    said: str
    data: str


def numbers_of(run: Told) -> dict[Name, list[Number]]:
    """What was measured of a run at its last step: as it was trained, and then in later evaluations."""
    found: dict[Name, list[Number]] = {}
    for name, number in (*_trained(run), *_evaluated(run)):
        found.setdefault(name, []).append(number)
    return found


def _trained(run: Told) -> Iterator[tuple[Name, Number]]:
    """The metrics of the last line that has some, where it is that of the last step."""
    line = run.lines[-1] if run.lines and run.lines[-1]["step"] == run.step else {}
    for metric, values in line.get("metrics", {}).items():
        taken, entry = line["protocol"][metric], _entry(run.tree, line["stage"], metric)
        data = "" if taken["data"] == "draws" else _fingerprint(run, taken["data"])
        protocol = json.dumps([entry, taken, data], sort_keys=True)
        for key, value in values.items():
            yield (metric, key), Number(float(value), protocol, f"{_what(entry)}, in training: {_said(taken)}", data)


def _entry(tree: Mapping[str, Any], stage: str, metric: str) -> dict[str, Any]:
    """A metric as the recipe has it in a stage."""
    names = [one.get("name") for one in tree.get("stages", [])]
    position = names.index(stage) if stage in names else -1
    entry: dict[str, Any] = stages(Document({**tree}))[position].tree["metrics"][metric]
    return entry


def _fingerprint(run: Told, samples: str) -> str:
    """That of the samples that were judged; nothing where the seed chose them, so that each seed has others."""
    if run.mark is None or "share" in (run.tree["data"].get("held_out") or {}):
        return ""
    held_out = run.mark.data.held_out
    return held_out.fingerprint if samples == "held out" and held_out else run.mark.data.fingerprint


def _what(entry: Mapping[str, Any]) -> str:
    """A metric in words: `reciprocity l1(of = g(e(x)), to = x)`."""
    kind = next(key for key in entry if key in COMPONENT_KEYS)
    said = ", ".join(f"{key} = {value}" for key, value in entry.items() if key != kind and key not in KEYS)
    return f"{kind} {entry[kind]}({said})"


def _said(taken: Mapping[str, Any]) -> str:
    beside = f" and {taken['generated']:,} draws" if taken["generated"] else ""
    return f"{taken['count']:,} {SAMPLES[taken['data']]}{beside}, {taken['statistics']} statistics"


def _evaluated(run: Told) -> Iterator[tuple[Name, Number]]:
    """The metrics of the evaluations of the last step."""
    for one in run.evaluations:
        if one.checkpoint != LAST or one.step != run.step:
            continue
        for metric, measured in one.metrics.items():
            taken = measured.protocol
            if taken.split_from_seed:  # each seed has others
                taken = taken.model_copy(update={"fingerprint": ""})
            protocol, said = taken.model_dump_json(), f"{taken.metric}: {taken.said}"
            for key, value in measured.values.items():
                yield (metric, key), Number(value.mean, protocol, said, taken.fingerprint)


def common(each: Iterable[list[Number]]) -> list[Number]:
    """One number of each list: all by the protocol that all have, where there is one, or else each its first."""
    lists = list(each)
    shared = [n.protocol for n in lists[0] if all(n.protocol in {m.protocol for m in other} for other in lists[1:])]
    wanted = shared[-1] if shared else None
    return [next((n for n in one if n.protocol == wanted), one[0]) for one in lists]


def first_values(each: Sequence[Mapping[Name, Any]], most: int) -> list[Name]:
    """The first values of the metrics that most runs have."""
    first = [dict.fromkeys(metric for metric, _ in own) for own in each]
    times = Counter(metric for own in first for metric in own)
    keys = {metric: key for own in each for metric, key in reversed([*own])}
    return [(metric, keys[metric]) for metric, _ in times.most_common(most)]
