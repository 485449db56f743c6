"""What the names of a recipe mean: fields, draws, networks with what they see and make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..contracts import CODE, SCORE, DataField, Space
from ..errors import nearest
from ..recipe.language import Expression, Name
from .bound import NetworkSpec, Recipe
from .classes import classifier
from .graph import REFERENCE, Graph, Scope, Signature, scores_of


def scope_of(recipe: Recipe, fields: Mapping[str, DataField] | None = None) -> Scope:
    """The scope of a valid recipe; sizes are the data's own where `fields` are those of prepared data."""
    bare = leaves(fields or recipe.dataset.fields(), recipe.derived, recipe.reference.dim if recipe.reference else None)
    bare = replace(bare, operators=recipe.operators)  # which derived fields, and so signatures, may need
    return replace(bare, networks={name: signature(spec, bare) for name, spec in recipe.networks.items()})


def leaves(fields: Mapping[str, DataField], derived: Mapping[str, Expression], dim: int | None) -> Scope:
    """The scope of the leaves alone."""
    spaces = {
        name: Space(name, field.shape, field.classes if field.values == "classes" else ())
        for name, field in fields.items()
    }
    return Scope(spaces, derived, {}, {}, Space(CODE, (dim,)) if dim else None)


def signature(spec: NetworkSpec, scope: Scope) -> Signature:
    """What a network sees and makes. Raises `ValueError` where it names a kind, or classes, that make no sense."""
    sees = tuple(space_of(kind, scope) for kind in spec.sees)
    if spec.keys.class_names is not None:
        return classifier(spec, spec.keys.class_names, sees, scope)
    if spec.keys.class_mapping is not None:
        raise ValueError(
            "has a class_mapping, and does not say of which classes: class_names = [...] lists them in order"
        )
    space = made(spec.makes, scope)
    return Signature(sees, space, space)


def space_of(kind: str, scope: Scope) -> Space:
    """The space of a kind: codes, scores, a field, or a derived one. Raises `ValueError` where there is none."""
    if kind == SCORE:
        return Space(SCORE, ())
    if kind == CODE and scope.code:
        return scope.code
    if kind in scope.fields or kind in scope.derived:
        graph = Graph(scope)
        return graph.nodes[graph.add(Name(kind))].space
    if kind == CODE:
        raise ValueError("sees or makes codes, and the recipe has no [latent]")
    raise ValueError(f"nothing here is of kind {kind!r}; {nearest(kind, {*scope.leaves(), SCORE} - {REFERENCE})}")


def made(kind: str, scope: Scope) -> Space:
    """The space of what a network makes; of a field of classes it makes a score for each class."""
    space = space_of(kind, scope)
    return scores_of(space) if space.classes else space
