"""Writing down how a number was taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from ..contracts import Judged
from ..game.bound import MetricSpec, Recipe
from ..game.game import Game, Samples
from ..game.graph import Node
from ..game.judge import Protocol as Taken
from ..game.plan import plan_metrics
from ..game.samples import graph_of, sha256_of_tensors
from .protocol import Extractor, Protocol


def protocol_of(
    game: Game, spec: MetricSpec, taken: Taken, fingerprints: Mapping[Samples, str], seeds: Sequence[int], swapped: str
) -> Protocol:
    """The protocol of a metric that was taken; `swapped` is `raw` or `ema` where one was put for the other."""
    nodes, data = plan_metrics([spec], game.scope).nodes, taken.data
    drawn = data == "draws"
    beside = any(game.samples_of(graph_of(game, one)[0]) == "draws" for one in spec.operands.values())
    return Protocol(
        metric=described(spec),
        samples=data,
        split="" if drawn else split_of(game.recipe, data),
        split_from_seed=data == "held out" and game.recipe.set_aside,
        fingerprint=fingerprints.get(data, ""),
        real=0 if drawn else taken.count,
        generated=taken.generated or (taken.count if beside else 0),
        picture=str(game.scope.fields["x"]),
        extractors=tuple(_extractors(game, nodes, spec)),
        seeds=tuple(seeds),
        weights=_weights(game, nodes, swapped),
        statistics=taken.statistics,
    )


def described(spec: MetricSpec) -> str:
    """A metric with its options and its operands: `metric prdc(of = s(g(z)), to = s(x)), k = 5`."""
    operands = ", ".join(f"{name} = {expression}" for name, expression in spec.operands.items())
    options = "".join(f", {name} = {value}" for name, value in spec.component.model_dump().items())
    return f"{spec.label}({operands}){options}"


def split_of(recipe: Recipe, data: Samples) -> str:
    """Which part of the data set samples are: its own name of it, or the share that was set aside."""
    if data == "held out" and recipe.set_aside:
        return f"{recipe.held_out_share:g} of {getattr(recipe.dataset, 'split', 'all')}"
    dataset = recipe.held_out if data == "held out" else recipe.dataset
    return str(getattr(dataset, "split", "all"))


def _extractors(game: Game, nodes: Sequence[Node], spec: MetricSpec) -> list[Extractor]:
    """Networks that nobody here has trained; operators and a metric that depend on more than their operands."""
    found = {}
    if isinstance(spec.component, Judged) and (own := spec.component.provenance()):
        found[spec.label] = _extractor(spec.label, own)
    for node in nodes:
        if node.op == "operator" and (known := game.recipe.operators[node.name].provenance()):
            found[node.name] = _extractor(node.name, known)
        elif node.op == "network" and game.recipe.networks[node.name].keys.source is not None:
            sha256 = sha256_of_tensors(game.networks[node.name].state_dict())
            said = repr(game.recipe.networks[node.name].component)
            found[node.name] = Extractor(name=node.name, said=said, sha256=sha256)
    return [found[name] for name in sorted(found)]


def _extractor(name: str, provenance: Mapping[str, str]) -> Extractor:
    said = "; ".join(value for key, value in provenance.items() if key != "sha256")
    return Extractor(name=name, said=said, sha256=provenance.get("sha256", ""))


def _weights(game: Game, nodes: Sequence[Node], swapped: str) -> Literal["raw", "ema", "raw and ema", "fixed"]:
    specs = game.recipe.networks
    learnt = {node.name for node in nodes if node.op == "network" and specs[node.name].keys.source is None}
    averaged = {name for name in learnt if has_average(game, name)} if swapped else set()
    kinds = {
        swapped if name in averaged else "ema" if specs[name].keys.average_of is not None else "raw" for name in learnt
    }
    if not kinds:
        return "fixed"
    return "raw and ema" if len(kinds) > 1 else "ema" if "ema" in kinds else "raw"


def has_average(game: Game, name: str) -> bool:
    """Whether a network is a running average, or has one."""
    specs = game.recipe.networks
    return specs[name].keys.average_of is not None or any(one.keys.average_of == name for one in specs.values())
