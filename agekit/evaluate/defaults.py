"""What is judged where nobody says it: the views of a recipe, and its reciprocities."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from ..contracts import CODE, Comparison, Divergence, Measure, Metric, Reciprocity, Reference, Space, draws
from ..errors import AgekitError, nearest
from ..game.bind import keys_of
from ..game.bound import BoundStage, Recipe
from ..game.check import view_expressions
from ..game.graph import Graph, Scope
from ..game.scope import scope_of
from ..recipe.language import Expression
from ..registry import Registries

PICTURES = (
    ("reciprocity", "l1"),
    ("reciprocity", "l2"),
    ("metric", "psnr"),
    ("metric", "ssim"),
    ("metric", "sharpness"),
)
CODES = (("reciprocity", "cosine"), ("reciprocity", "l2"))
CLOUDS = ("metric", "spectrum")
COUNT = 2048
"""Codes that divergences are taken of: some of them cost as the square."""

TRAINING_SET = {"on": "training", "count": 16_384, "generated": COUNT}
"""What a comparison with the data of training is taken on, where nobody says how many: much of it, if it is there."""

Entry = dict[str, Any]
"""An entry of `[metrics]`."""


@dataclass
class Targets:
    """What there is to judge: pairs by name, of pictures and of codes; sets of codes; pictures made of draws alone."""

    pictures: dict[str, tuple[str, str]] = field(default_factory=dict)
    codes: dict[str, tuple[str, str]] = field(default_factory=dict)
    clouds: dict[str, str] = field(default_factory=dict)
    samples: dict[str, str] = field(default_factory=dict)


def targets_of(recipe: Recipe) -> Targets:
    """What the last stage's views show, and what its reciprocities bring together."""
    stage, scope, found = recipe.stages[-1], scope_of(recipe), Targets()
    for name, of, to in _pairs(stage):
        space = _space(of, scope)
        pairs = found.codes if space.kind == CODE else found.pictures if len(space.shape) == 3 else {}
        if (str(of), str(to)) not in pairs.values() and space.fits(_space(to, scope)):
            pairs[name] = str(of), str(to)
    for name, view in stage.views.items():
        of = view_expressions(view)["of"]
        space, moves = _space(of, scope), view.along is not None
        if space.kind == CODE:
            found.clouds[name] = str(of)
        elif space.kind == "x" and len(space.shape) == 3 and not moves and not _uses_data(of, scope):
            found.samples[name] = str(of)
    return found


def _pairs(stage: BoundStage) -> Iterator[tuple[str, Expression, Expression]]:
    """The pairs of the views, and then those of the reciprocities, by name."""
    for name, view in stage.views.items():
        if "beside" in (shown := view_expressions(view)):
            yield name, shown["of"], shown["beside"]
    for player in stage.players:
        for term in player.terms:
            if isinstance(term.loss, Reciprocity):
                yield f"{player.name}_{term.name}", term.operands["of"], term.operands["to"]


def _space(expression: Expression, scope: Scope) -> Space:
    graph = Graph(scope)
    return graph.nodes[graph.add(expression)].space


def _uses_data(expression: Expression, scope: Scope) -> bool:
    graph = Graph(scope)
    graph.add(expression)
    return any(node.op == "field" for node in graph.nodes)


def default_entries(recipe: Recipe, registries: Registries) -> tuple[dict[str, Entry], dict[str, str]]:
    """The entries of `[metrics]` that are taken by default, by name; and what was left out, with the reason."""
    targets, left_out = targets_of(recipe), {}
    entries: dict[str, Entry] = {}
    for key, name in (*PICTURES, *CODES):
        pairs = targets.codes if (key, name) in CODES else {}
        pairs = pairs | (targets.pictures if (key, name) in PICTURES else {})
        entries |= {f"{pair}_{name}": {key: name, "of": of, "to": to} for pair, (of, to) in pairs.items()}
    entries |= {
        f"{name}_sharpness": {"metric": "sharpness", "of": of, "to": "x"} for name, of in targets.samples.items()
    }
    for cloud, of in targets.clouds.items():
        entries[f"{cloud}_{CLOUDS[1]}"] = {CLOUDS[0]: CLOUDS[1], "of": of}
        for name in registries.divergences:
            if reason := refusal(registries.divergences[name], recipe.reference):
                left_out[f"{cloud}_{name}"] = reason
            else:
                entries[f"{cloud}_{name}"] = {"divergence": name, "of": of, "count": COUNT}
    return entries, left_out


def refusal(component: type[Any], reference: Reference | None) -> str:
    """Why a divergence does not compare codes with a reference; empty where it does."""
    if reference is None:
        return "there is no reference"
    chance = torch.Generator().manual_seed(0)
    codes = reference.sample(4 * reference.dim, generator=chance)
    try:
        made: Divergence = component()
        others = (reference.sample(len(codes), generator=chance) if made.compares == "samples" else reference,)
        generator = {"generator": chance} if draws(component.__call__) else {}
        made(codes, *(others if "to" in made.operands else ()), **generator)
    except ValueError as error:  # pydantic's, where an option is needed, is one too
        return str(error).splitlines()[0]
    return ""


def named_entries(name: str, recipe: Recipe, registries: Registries, extractor: str | None) -> dict[str, Entry]:
    """The entries of `[metrics]` for a component that is named on the command line, applied to all that it fits.

    Raises `AgekitError` where there is no such component, or nothing that it fits.
    """
    found = [(key, registries.by_key[key][name]) for key in keys_of(Measure) if name in registries.by_key[key]]
    if not found:
        known = {one for key in keys_of(Measure) for one in registries.by_key[key]}
        raise AgekitError(
            f"no metric of the run, and none that is registered, is called {name!r}; {nearest(name, known)}"
        )
    key, component = found[0]
    needed = [option for option, field in component.model_fields.items() if field.is_required()]
    said = ", ".join(f"{one} = …" for one in (*component.operands, *needed))  # type: ignore[attr-defined]
    said = f"--set 'metrics.{name}={{ {key} = \"{name}\", {said} }}' says it"
    if needed:
        raise AgekitError(f"{key} {name} has to be told {' and '.join(needed)}; {said}")
    fitted = dict(_fitted(key, name, component, targets_of(recipe), lambda: extractor or extractors(recipe)[0]))
    if not fitted:
        raise AgekitError(f"no view of the run is what {key} {name} is taken of; {said}")
    return fitted


def _fitted(
    key: str, name: str, component: type[Any], targets: Targets, extractor: Callable[[], str]
) -> Iterator[tuple[str, Entry]]:
    """The entries of a component, by name: a comparison of samples, a divergence or statistics of codes, or pairs."""
    vectors = component.operands["of"].vectors if "of" in component.operands else False
    if issubclass(component, Comparison):
        wrap = f"{extractor()}({{}})" if vectors else "{}"
        for sample, of in targets.samples.items():
            sets = {"of": wrap.format(of), "to": wrap.format("x")}
            entry = {key: name, **{operand: sets[operand] for operand in component.operands if operand in sets}}
            yield f"{sample}_{name}", entry | (TRAINING_SET if component.on == "training" else {})
    elif issubclass(component, Divergence) or ([*component.operands] == ["of"] and vectors):
        for cloud, of in targets.clouds.items():
            yield f"{cloud}_{name}", {key: name, "of": of}
    elif issubclass(component, Reciprocity | Metric) and [*component.operands] == ["of", "to"] and _plain(component):
        for pair, (of, to) in {
            **targets.pictures,
            **(targets.codes if issubclass(component, Reciprocity) else {}),
        }.items():
            yield f"{pair}_{name}", {key: name, "of": of, "to": to}


def _plain(component: type[Measure]) -> bool:
    """Whether a component takes samples of any kind."""
    return all(operand.kind is None and operand.scores is None for operand in component.operands.values())


def extractors(recipe: Recipe) -> list[str]:
    """The operators that extract features: those with fixed weights. Raises `AgekitError` where there is none."""
    names = [name for name, operator in recipe.operators.items() if operator.provenance().get("sha256")]
    if not names:
        raise AgekitError("no extractor of features is registered: agekit-metrics brings inception, or name a network")
    return names


def summed_up(entry: Entry) -> tuple[str, ...]:
    """What an entry takes of what: `("reciprocity l1", "g(e(x))", "x")`."""
    (key, name), *rest = entry.items()
    return (f"{key} {name}", *(str(text) for operand, text in rest if operand in ("of", "to")))


def settings_of(entries: Mapping[str, Entry]) -> list[str]:
    """Entries as settings, `metrics.NAME={ … }`."""
    return [
        f"metrics.{name}={{ {', '.join(f'{key} = {json.dumps(value)}' for key, value in entry.items())} }}"
        for name, entry in entries.items()
    ]
