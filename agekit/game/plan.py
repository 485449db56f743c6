"""The plan: what each player's update computes, once each, in which mode. No torch in here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ..contracts import Operand, Space
from ..recipe.language import Expression, Name
from ..recipe.tables import View
from .bound import MetricSpec, Player, Term
from .graph import REFERENCE, Graph, Node, Scope, scores_of

Mode = Literal["constant", "trained", "through"]

MEANING: dict[Mode, str] = {
    "constant": "evaluated without autograd",
    "trained": "full gradients",
    "through": "gradients pass; its weights get none",
}


@dataclass(frozen=True)
class Bind:
    """An operand bound to a value: a node of the graph, or the reference itself where `node` is None."""

    name: str
    node: int | None
    distribution: bool


@dataclass(frozen=True)
class PlannedTerm:
    """A term with its operands bound."""

    term: Term
    binds: tuple[Bind, ...]

    @property
    def roots(self) -> tuple[int, ...]:
        """The nodes that it is bound to."""
        return tuple(bind.node for bind in self.binds if bind.node is not None)


@dataclass(frozen=True)
class Plan:
    """One update of a player: the nodes in order, the mode of each, and the terms that they feed."""

    player: str
    nodes: tuple[Node, ...]
    modes: tuple[Mode, ...]
    terms: tuple[PlannedTerm, ...]
    watched: frozenset[int] = frozenset()
    """The nodes with respect to which some loss takes derivatives itself, as a gradient penalty does."""

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of the data that are used; where there are none, the player draws no data."""
        return tuple(node.name for node in self.nodes if node.op == "field")

    @property
    def draws(self) -> tuple[str, ...]:
        """The draws that are used."""
        return tuple(node.name for node in self.nodes if node.op == "draw")


@dataclass(frozen=True)
class ViewPlan:
    """A view: its nodes in order, and which of them are shown."""

    name: str
    view: View
    nodes: tuple[Node, ...]
    of: int
    beside: int | None


@dataclass(frozen=True)
class PlannedMetric:
    """A metric with its operands bound, and the space of each."""

    spec: MetricSpec
    binds: tuple[Bind, ...]
    spaces: Mapping[str, Space]


@dataclass(frozen=True)
class MetricsPlan:
    """Metrics that are taken together: the nodes in order, and what is made of them."""

    nodes: tuple[Node, ...]
    metrics: tuple[PlannedMetric, ...]


def plan_player(player: Player, scope: Scope) -> Plan:
    """Plan an update of a player. Raises `ValueError` where an expression or an operand makes no sense."""
    graph = Graph(scope)
    terms = tuple(plan_term(term, graph) for term in player.terms)
    watched = frozenset(
        bind.node
        for planned in terms
        for bind in planned.binds
        if bind.node is not None and planned.term.loss.operands[bind.name].differentiated
    )
    nodes = tuple(graph.nodes)
    roots = [node for planned in terms for node in planned.roots]
    return Plan(player.name, nodes, modes(nodes, roots, player.owns, scope, watched), terms, watched)


def plan_view(name: str, view: View, expressions: Mapping[str, Expression], scope: Scope) -> ViewPlan:
    """Plan a view. Raises `ValueError` where an expression makes no sense."""
    graph = Graph(scope)
    of = graph.add(expressions["of"])
    beside = graph.add(expressions["beside"]) if "beside" in expressions else None
    if beside is not None and not graph.nodes[of].space.fits(graph.nodes[beside].space):
        shown = graph.nodes[of], graph.nodes[beside]
        raise ValueError(" cannot stand beside ".join(f"{node.text}, which is {node.space}," for node in shown)[:-1])
    if view.along is not None and view.along not in {node.name for node in graph.nodes if node.op == "draw"}:
        raise ValueError(f"nothing to move along: {view.along!r} is no draw of {view.of}")
    if view.times > 1 and all(node.op != "field" for node in graph.nodes):
        raise ValueError(f"times = {view.times} repeats samples of the data, and {view.of} uses none")
    return ViewPlan(name, view, tuple(graph.nodes), of, beside)


def plan_term(term: Term, graph: Graph) -> PlannedTerm:
    """Bind a term's operands. Raises `ValueError` where one is missing or is not what the loss takes."""
    binds, _ = _bound(term.loss.operands, term.operands, graph)
    return PlannedTerm(term, binds)


def plan_metrics(specs: Iterable[MetricSpec], scope: Scope) -> MetricsPlan:
    """Plan metrics together. Raises `ValueError` where an operand of one is missing or is not what it takes."""
    graph = Graph(scope)
    metrics = tuple(_planned(spec, graph) for spec in specs)
    return MetricsPlan(tuple(graph.nodes), metrics)


def _planned(spec: MetricSpec, graph: Graph) -> PlannedMetric:
    if any(operand.differentiated for operand in spec.component.operands.values()):
        raise ValueError(f"{spec.label} takes derivatives itself, and metrics are taken without them")
    binds, spaces = _bound(spec.component.operands, spec.operands, graph)
    return PlannedMetric(spec, binds, spaces)


def _bound(
    declared: Mapping[str, Operand], said: Mapping[str, Expression], graph: Graph
) -> tuple[tuple[Bind, ...], dict[str, Space]]:
    """Bind declared operands to the expressions that a recipe says; the space of each by its name."""
    bound = {name: _bind(name, operand, said.get(name), graph) for name, operand in declared.items()}
    spaces = {name: space for name, (_, space) in bound.items()}
    for name, operand in declared.items():
        _check_operand(name, operand, spaces, said)
    return tuple(bind for bind, _ in bound.values()), spaces


def _bind(name: str, operand: Operand, expression: Expression | None, graph: Graph) -> tuple[Bind, Space]:
    if expression is None:
        if operand.default is None:
            raise ValueError(f"the operand {name!r} is missing: which expression is it?")
        expression = Name(operand.default)
    code = graph.scope.code
    if expression == Name(REFERENCE) and "reference" in operand.takes and code:
        return Bind(name, None, False), code
    index = graph.add(expression)
    if "samples" not in operand.takes and "distribution" not in operand.takes:
        raise ValueError(f"{name} is compared with the reference alone, y; found {expression}")
    return Bind(name, index, "distribution" in operand.takes), graph.nodes[index].space


def _check_operand(name: str, operand: Operand, spaces: Mapping[str, Space], said: Mapping[str, Expression]) -> None:
    space, shown = spaces[name], said.get(name, operand.default)
    if operand.kind is not None and space.kind != operand.kind:
        raise ValueError(f"{name} is to be of kind {operand.kind}, and {shown} is {space}")
    if operand.vectors and len(space.shape) != 1:
        raise ValueError(f"{name} is to be vectors, [n, d], and {shown} is {space}")
    if operand.like is not None:
        other = spaces[operand.like]
        sizes = Space("", space.shape), Space("", other.shape)  # clouds of any kinds can be compared
        if not (sizes[0].fits(sizes[1]) if operand.vectors else space.fits(other)):
            raise ValueError(
                f"{operand.like} and {name} are to match, and are {other} and {space}: "
                f"{said.get(operand.like)} against {shown}"
            )
    if operand.scores is not None and not space.fits(wanted := scores_of(spaces[operand.scores])):
        classes = said.get(operand.scores)
        raise ValueError(f"{name} is to be {wanted}, since {operand.scores} is {classes}, and {shown} is {space}")


def needed(nodes: Sequence[Node], roots: Iterable[int]) -> frozenset[int]:
    """The nodes that some others are computed of, and these themselves."""
    found = set(roots)
    for index in reversed(range(len(nodes))):
        if index in found:
            found.update(nodes[index].arguments)
    return frozenset(found)


def modes(
    nodes: Sequence[Node],
    roots: Iterable[int],
    owns: Iterable[str],
    scope: Scope,
    watched: frozenset[int] = frozenset(),
) -> tuple[Mode, ...]:
    """The mode of each node: whether something owned, or watched, is below it, and whether gradients reach it."""
    owned = set(owns)
    stops = [node.op == "operator" and scope.operators[node.name].stops for node in nodes]
    live: list[bool] = []
    for node, stop in zip(nodes, stops, strict=True):
        own = node.op == "network" and node.name in owned
        live.append(not stop and (own or any(live[i] or i in watched for i in node.arguments)))
    reached = [False] * len(nodes)
    for root in roots:
        reached[root] = True
    for index in reversed(range(len(nodes))):
        if reached[index] and not stops[index]:
            for argument in nodes[index].arguments:
                reached[argument] = True
    return tuple(
        "constant"
        if not (live[i] and reached[i])
        else "trained"
        if node.op == "network" and node.name in owned
        else "through"
        for i, node in enumerate(nodes)
    )
