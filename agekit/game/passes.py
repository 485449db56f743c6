"""How an update goes over a batch: in which passes, and which terms are led back before others are computed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..contracts import draws
from .plan import Plan, PlannedTerm, needed


def divided(terms: Iterable[PlannedTerm]) -> tuple[list[PlannedTerm], list[PlannedTerm]]:
    """The terms that can be taken in each portion of a batch, and those that are taken of the whole batch."""
    within: list[PlannedTerm] = []
    whole: list[PlannedTerm] = []
    for planned in terms:
        loss = planned.term.loss
        (within if loss.samplewise and not draws(type(loss).__call__) else whole).append(planned)
    return within, whole


def indivisible(terms: Iterable[PlannedTerm]) -> Iterator[tuple[PlannedTerm, str]]:
    """The terms that need the graph of a whole batch, each with what it does for that."""
    for planned in divided(terms)[1]:
        loss = planned.term.loss
        bound = [loss.operands[bind.name] for bind in planned.binds if bind.node is not None]
        why = "draws" if loss.samplewise else "is not samplewise"
        if any(operand.differentiated for operand in bound):
            yield planned, f"takes derivatives itself, and {why}"
        elif any("distribution" in operand.takes for operand in bound):
            yield planned, f"takes a distribution, and {why}"


@dataclass(frozen=True)
class Strand:
    """Terms whose graphs hang together, and the nodes that are computed for them beside those of strands before."""

    terms: tuple[PlannedTerm, ...]
    nodes: frozenset[int]


@dataclass(frozen=True)
class Passes:
    """How an update goes over a batch: `ahead`, without graphs, and `last`, with them; the nodes that each computes.

    A batch in one portion is computed once. In several, the operands of the terms that are taken of the `whole` batch
    come first; the last pass takes the terms within the portions, and leads the gradients of the others in. It goes
    strand by strand: each is led back when its terms are there, and its graph is gone before more is computed.
    """

    strands: tuple[Strand, ...]
    whole: tuple[PlannedTerm, ...]
    ahead: frozenset[int]
    last: frozenset[int]


def passes(plan: Plan, *, divides: bool) -> Passes:
    """The passes of an update over a batch that is divided into portions, or is not."""
    within, whole = divided(plan.terms) if divides else (list(plan.terms), [])
    asked = {node for planned in whole for node in planned.roots}
    live = {node for node in asked if plan.modes[node] != "constant"}
    last = needed(plan.nodes, live.union(*(planned.roots for planned in within)))
    strands = [Strand(tuple(within), last)] if whole else list(_strands(plan, within))
    return Passes(tuple(strands), tuple(whole), needed(plan.nodes, asked), last)


def _strands(plan: Plan, terms: Sequence[PlannedTerm]) -> Iterator[Strand]:
    """Terms by the graphs that they share, in the order of the last node of each.

    Nodes are computed in the order of the plan however the terms hang together: networks remember their calls.
    """
    groups: list[tuple[frozenset[int], list[PlannedTerm]]] = []
    for planned in terms:
        graph = _graph(plan, planned.roots)
        sharing = [group for group in groups if group[0] & graph]
        groups = [group for group in groups if not group[0] & graph]
        groups.append((graph.union(*(nodes for nodes, _ in sharing)), [one for _, inner in sharing for one in inner]))
        groups[-1][1].append(planned)
    left = sorted(needed(plan.nodes, (root for planned in terms for root in planned.roots)))
    for group in sorted((group for _, group in groups), key=_last):
        nodes = frozenset(node for node in left if node <= _last(group))
        left = [node for node in left if node not in nodes]
        yield Strand(tuple(group), nodes)


def _graph(plan: Plan, roots: Iterable[int]) -> frozenset[int]:
    """The nodes by way of which gradients come back from some others, and these themselves."""
    found = {root for root in roots if plan.modes[root] != "constant"}
    for index in reversed(range(len(plan.nodes))):
        if index in found:
            found.update(node for node in plan.nodes[index].arguments if plan.modes[node] != "constant")
    return frozenset(found)


def _last(group: Iterable[PlannedTerm]) -> int:
    """The last node that terms are bound to."""
    return max((root for planned in group for root in planned.roots), default=-1)
