"""Which checks a component of each shelf goes through, and which components a plugin brings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TypeVar

from ..contracts import (
    Adversarial,
    Component,
    Controller,
    Dataset,
    Divergence,
    Judged,
    Loss,
    Network,
    Operator,
    Optimizer,
    Reciprocity,
    Reference,
    Schedule,
)
from ..errors import AgekitError, PluginError, nearest
from ..plugins import BUILTIN, Loaded, Plugin
from ..registry import Registry
from . import (
    controllers,
    datasets,
    declared,
    divergences,
    known,
    losses,
    metrics,
    networks,
    numerics,
    operators,
    references,
    rules,
)
from .ranks import ranks
from .subject import Check, Outcome, Subject, perform

C = TypeVar("C", bound=Component)

LOSS: dict[str, Check] = {
    "contract": losses.contract,
    "docstring": declared.formula_and_source,
    "known": known.known,
    "gradient": losses.gradient,
    "order": losses.order,
    "shapes": numerics.shapes,
    "layout": numerics.layout,
    "degenerate": numerics.degenerate,
    "scaling": numerics.scaling,
    "float32": numerics.float32,
    "bfloat16": numerics.bfloat16,
    "compile": numerics.compiled,
    "device": numerics.device,
    "state": losses.state,
    "ranks": ranks,
    "seed": losses.seed,
}
EACH: dict[str, Check] = {"samplewise": losses.samplewise}
"""Of losses that may have a value for each sample."""
DIVERGENCE: dict[str, Check] = {
    "equality": divergences.at_equality,
    "limit": divergences.limit,
    "forms": divergences.forms,
}
CHECKS: tuple[tuple[type[Component], dict[str, Check]], ...] = (
    (Divergence, {**LOSS, **DIVERGENCE}),
    (Reciprocity, {**LOSS, **EACH, "equality": divergences.least_at_equality}),
    (Adversarial, {**LOSS, **EACH, "roles": divergences.roles}),
    (Loss, {**LOSS, **EACH}),
    (
        Judged,
        {
            "contract": metrics.contract,
            "docstring": declared.formula_and_source,
            "known": known.known,
            "order": metrics.order,
            "degenerate": metrics.degenerate,
            "state": metrics.state,
            "seed": metrics.seed,
        },
    ),
    (
        Network,
        {
            "contract": networks.contract,
            "docstring": declared.sentence,
            "gradient": networks.gradient,
            "order": networks.order,
            "apart": networks.apart,
            "layout": networks.layout,
            "bfloat16": networks.bfloat16,
            "compile": networks.compiled,
            "state": networks.state,
            "seed": networks.seed,
        },
    ),
    (
        Reference,
        {
            "contract": declared.options,
            "docstring": declared.sentence,
            "law": references.law,
            "space": references.space,
            "way": references.way,
            "gradient": references.gradient,
            "order": references.order,
            "degenerate": references.degenerate,
            "device": references.device,
            "state": references.state,
            "seed": references.seed,
        },
    ),
    (
        Operator,
        {
            "contract": operators.contract,
            "docstring": declared.sentence,
            "known": known.known,
            "gradient": operators.gradient,
            "order": operators.order,
            "layout": operators.layout,
            "compile": operators.compiled,
            "device": operators.device,
            "state": operators.state,
            "seed": operators.seed,
        },
    ),
    (
        Schedule,
        {
            "contract": declared.options,
            "docstring": declared.sentence,
            "known": known.known,
            "values": rules.values,
            "state": rules.repeated,
        },
    ),
    (
        Optimizer,
        {
            "contract": declared.options,
            "docstring": declared.sentence,
            "descent": rules.descent,
            "state": rules.state,
            "seed": rules.seed,
        },
    ),
    (
        Controller,
        {
            "contract": controllers.contract,
            "docstring": declared.formula_and_source,
            "known": known.known,
            "degenerate": controllers.degenerate,
            "device": controllers.device,
            "state": controllers.state,
        },
    ),
    (
        Dataset,
        {
            "contract": datasets.contract,
            "docstring": declared.sentence,
            "samples": datasets.samples,
            "frame": datasets.frame,
            "state": datasets.state,
        },
    ),
    (Component, {"contract": declared.options, "docstring": declared.sentence}),
)
"""The checks by contract; the first that a component keeps decides."""


def checks_of(subject: Subject) -> Mapping[str, Check]:
    """The checks that a component goes through, by name."""
    return next(checks for contract, checks in CHECKS if issubclass(subject.component, contract))


def examine(subject: Subject) -> Iterator[Outcome]:
    """Put a component through its checks, one after another."""
    for name, check in checks_of(subject).items():
        yield perform(subject, name, check)


def subjects(loaded: Loaded, plugin: str) -> list[Subject]:
    """The components that a plugin brings, by its name, its module's, or that of its package.

    Raises `AgekitError` where there is no such plugin, or it brings none, and `PluginError` where it is broken.
    """
    found = [one for one in loaded.plugins if _plain(plugin) in _names(one)]
    if not found:
        raise AgekitError(f"no plugin is called {plugin!r}; {nearest(plugin, {one.name for one in loaded.plugins})}")
    for one in found:
        if one.error:
            raise PluginError(f"plugin {one.name} ({one.origin}) is broken: {one.error}")
    owners = {one.name for one in found}
    references = _own(loaded.registries.references, Reference)
    sets = _own(loaded.registries.datasets, Dataset)
    brought = [
        Subject(registry.shelf, entry.name, entry.component, references, sets)
        for registry in loaded.registries.shelves.values()
        for entry in registry.entries.values()
        if entry.owner in owners
    ]
    if not brought:
        raise AgekitError(f"plugin {', '.join(sorted(owners))} registers no component: there is nothing to check")
    return brought


def _own(registry: Registry, contract: type[C]) -> tuple[type[C], ...]:
    """What agekit itself brings on a shelf that need be told nothing."""
    own = [entry.component for entry in registry.entries.values() if entry.owner in BUILTIN]
    free = [one for one in own if not any(field.is_required() for field in one.model_fields.values())]
    return tuple(one for one in free if issubclass(one, contract))


def _names(plugin: Plugin) -> set[str]:
    """What a plugin may be called by."""
    if plugin.name in BUILTIN:
        return {_plain(plugin.name), "agekit", "builtin"}
    return {_plain(name) for name in (plugin.name, *re.findall(r"[\w.-]+", plugin.origin))}


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
