"""Classes that a network tells apart, where the data does not name them, or names others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from ..contracts import Space
from ..errors import nearest
from .bound import NetworkSpec
from .graph import Scope, Signature, scores_of


def classifier(spec: NetworkSpec, own: tuple[str, ...], sees: tuple[Space, ...], scope: Scope) -> Signature:
    """The signature of a network that tells these classes apart, as its `class_mapping` merges them.

    What it makes is a map of what it sees, unless the data has a field of that kind. Raises `ValueError` where the
    classes are not those of that field, or the mapping leaves one out, takes one twice, or takes one that is not there.
    """
    if twice := [name for name, count in Counter(own).items() if count > 1]:
        raise ValueError(f"class_names lists {twice[0]!r} twice")
    mapping = spec.keys.class_mapping
    if mapping is not None:
        _check_mapping(own, mapping)
    there = scope.fields.get(spec.makes)
    shape = there.shape if there else sees[0].shape[1:] if sees else ()
    made = tuple(mapping) if mapping is not None else own
    if there and made != there.classes and not (mapping is not None and set(made) == set(there.classes)):
        raise ValueError(f"makes the classes {', '.join(made)}, and {spec.makes} has {', '.join(there.classes)}")
    target = there or Space(spec.makes, shape, made)
    merged = None if mapping is None else tuple(tuple(map(own.index, mapping[name])) for name in target.classes)
    return Signature(sees, scores_of(target), scores_of(Space(spec.makes, shape, own)), merged)


def _check_mapping(own: tuple[str, ...], mapping: Mapping[str, tuple[str, ...]]) -> None:
    taken = Counter(name for names in mapping.values() for name in names)
    if unknown := [name for name in taken if name not in own]:
        raise ValueError(
            f"class_mapping takes {unknown[0]!r}, which is none of its classes; {nearest(unknown[0], own)}"
        )
    if twice := [name for name, count in taken.items() if count > 1]:
        raise ValueError(f"class_mapping takes {twice[0]!r} twice")
    if left := [name for name in own if name not in taken]:
        raise ValueError(f"class_mapping leaves out {', '.join(left)}: each of its classes becomes part of one")
    if empty := [name for name, names in mapping.items() if not names]:
        raise ValueError(f"class_mapping makes {empty[0]!r} of nothing")
