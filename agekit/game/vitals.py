"""Vital signs: whether codes spread, pictures follow their draws, and critics have anything left to learn."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from ..contracts import CODE, Adversarial, Divergence
from ..data.order import indices
from ..recipe.language import Call, Expression, parse_expression
from .bound import BoundStage, Term
from .calibrate import evaluate
from .check import view_expressions
from .flow import Flow
from .game import Game
from .graph import Graph, Node

SAMPLES = 64
"""Samples that are looked at, in batches no larger than those of training."""


@dataclass(frozen=True)
class Cloud:
    """How vectors lie; where the data itself is encoded as distributions, their means do, since draws always spread.

    `spread` is their variance as a share of what it should be; `line` the share of it that lies along their first
    principal axis, 1/dim where all directions are used alike.
    """

    of: str
    drawn: bool
    spread: float
    line: float
    dim: int


@dataclass(frozen=True)
class Contrast:
    """How far what is made of draws follows them: its deviation among draws, as a share of that of the data."""

    of: str
    share: float


@dataclass(frozen=True)
class Verdict:
    """What a player's critic has left to learn: its loss on scores, as a share of what scores of 0 would cost it."""

    player: str
    of: str
    left: float


@dataclass(frozen=True)
class Vitals:
    """The vital signs of a game as it stands after a step."""

    clouds: tuple[Cloud, ...]
    contrasts: tuple[Contrast, ...]
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True)
class Watched:
    """An expression that is watched: its node, and the node of what it should vary like; the reference where None."""

    node: int
    like: int | None


class Monitor:
    """Takes the vital signs of a stage of a game.

    What is watched follows from terms and views: the codes that networks of some player make, what they make of draws,
    the vectors that divergences compare, and the terms by which a player judges scores. Samples and draws are the same
    every time, batch-norm goes by their batch, as in training, and nothing of the game moves.
    """

    def __init__(self, game: Game) -> None:
        self.game, self.graph = game, Graph(game.scope)
        stage, whole = game.stage, Graph(game.scope)
        for expression in _expressions(stage):
            whole.add(expression)
        made = [node for node in whole.nodes if node.op == "network" and stage.owner(node.name)]
        clouds = {node.text: None for node in made if node.space.kind == CODE} | dict(_compared(stage, game))
        self.clouds = [self._watched(text, like) for text, like in clouds.items()]
        self.contrasts = [self._watched(node.text, node.space.kind) for node in made if _follows(node, whole)]
        nodes = self.graph.nodes
        self.drawn = [_reached(nodes, index, "draw") for index in range(len(nodes))]
        self.conditional = [_reached(nodes, one.node, "field") for one in self.contrasts]

    def _watched(self, text: str, like: str | None) -> Watched:
        add = self.graph.add
        return Watched(add(parse_expression(text)), None if like is None else add(parse_expression(like)))

    @torch.no_grad()
    def look(self, terms: Mapping[str, Mapping[str, Tensor]]) -> Vitals:
        """The vital signs; `terms` are those of the last step, by player."""
        size = min(self.game.stage.batch, SAMPLES)
        flows = [self._flow(part, size, 0) for part in range(-(-SAMPLES // size))]
        others = [self._flow(part, size, 1) for part in range(len(flows))] if any(self.conditional) else flows
        clouds = tuple(self._cloud(one, flows) for one in self.clouds)
        contrasts = tuple(
            self._contrast(one, flows, others if moved else None)
            for one, moved in zip(self.contrasts, self.conditional, strict=True)
        )
        return Vitals(clouds, contrasts, tuple(_verdicts(self.game.stage, terms)))

    def _flow(self, part: int, size: int, shift: int) -> Flow:
        """A batch; with a `shift`, each sample of the data meets the draws of another."""
        game, nodes = self.game, self.graph.nodes
        key = (game.recipe.run.seed, "sentinel", part)
        leaves: dict[str, Any] = {
            node.name: game.draw(size, *key, node.name).roll(shift, 0) for node in nodes if node.op == "draw"
        }
        if fields := [node.name for node in nodes if node.op == "field"]:
            data = game.data()
            chosen = indices(data.length, size, seed=game.recipe.run.seed, stream="sentinel", step=part)
            leaves |= data.take(chosen, fields)
        return evaluate(game, nodes, leaves, {}, key, by_batch=True)

    def _cloud(self, watched: Watched, flows: Sequence[Flow]) -> Cloud:
        node = self.graph.nodes[watched.node]
        direct = all(not _reached(self.graph.nodes, index, "network") for index in node.arguments)
        codes = _values(flows, watched.node, mean=direct)
        along = torch.linalg.svdvals(codes - codes.mean(0)).square()
        spread, line = _share(_variance(codes), self._full(watched, flows)), _share(along[0], along.sum())
        return Cloud(node.text, self.drawn[watched.node], spread, line, codes.shape[1])

    def _full(self, watched: Watched, flows: Sequence[Flow]) -> Tensor:
        """The variance of a coordinate that vectors should have."""
        if watched.like is not None:
            return _variance(_values(flows, watched.like))
        reference = self.game.recipe.reference
        assert reference is not None  # noqa: S101 - where there are codes, there is one
        return torch.tensor(reference.variance, dtype=torch.float64, device=self.game.device)

    def _contrast(self, watched: Watched, flows: Sequence[Flow], others: Sequence[Flow] | None) -> Contrast:
        """Each sample beside another, of other draws; what is made of draws alone has others in its own batch."""
        assert watched.like is not None  # noqa: S101 - what is made is of the kind of some field
        made, data = _values(flows, watched.node), _values(flows, watched.like)
        other = made.roll(1, 0) if others is None else _values(others, watched.node)
        share = _share((made - other).square().mean(), (data - data.roll(1, 0)).square().mean())
        return Contrast(self.graph.nodes[watched.node].text, math.sqrt(share))


def _expressions(stage: BoundStage) -> Iterator[Expression]:
    """All that terms and views name."""
    for player in stage.players:
        for term in player.terms:
            yield from term.operands.values()
    for view in stage.views.values():
        yield from view_expressions(view).values()


def _compared(stage: BoundStage, game: Game) -> Iterator[tuple[str, str]]:
    """What divergences compare that is no code: the one text, and that of the other, whose spread it should have."""
    for term in (term for player in stage.players for term in player.terms if isinstance(term.loss, Divergence)):
        of, to = term.operands["of"], term.operands.get("to")
        graph = Graph(game.scope)
        node = graph.nodes[graph.add(of)]
        if node.space.kind != CODE and to is not None:
            yield node.text, str(to)


def _follows(node: Node, graph: Graph) -> bool:
    """Whether a network makes something like a field of the data of draws, and of no picture on the way."""
    scope = graph.scope
    plain = node.space.kind in scope.fields or node.space.kind in scope.derived
    return plain and not node.space.classes and any(_direct(graph.nodes, index) for index in node.arguments)


def _direct(nodes: Sequence[Node], index: int) -> bool:
    """Whether a node is a draw, or what operators make of one."""
    node = nodes[index]
    return node.op == "draw" or (node.op == "operator" and any(_direct(nodes, inner) for inner in node.arguments))


def _reached(nodes: Sequence[Node], index: int, op: str) -> bool:
    """Whether a leaf of this sort is in what a node is made of."""
    return nodes[index].op == op or any(_reached(nodes, inner, op) for inner in nodes[index].arguments)


def _values(flows: Sequence[Flow], node: int, *, mean: bool = False) -> Tensor:
    """What a node comes to in all batches: [n, …], in float64; of distributions draws, or their means."""
    made = [one.values[node].mean if mean and _is_law(one, node) else one.sample(node) for one in flows]
    return torch.cat(made).double()


def _is_law(flow: Flow, node: int) -> bool:
    return isinstance(flow.values[node], Distribution)


def _share(part: Tensor, whole: Tensor) -> float:
    """A part as a share of a whole; of nothing, everything, since nothing is to be had of it."""
    return part.item() / whole.item() if whole.item() > 0 else 1.0


def _variance(values: Tensor) -> Tensor:
    """The mean variance of a coordinate."""
    return (values - values.mean(0)).square().mean()


def _verdicts(stage: BoundStage, terms: Mapping[str, Mapping[str, Tensor]]) -> Iterator[Verdict]:
    """Each player's verdict on the scores of its own critics, where indifference, a score of 0, costs it anything."""
    for player in stage.players:
        judged: dict[str, list[Term]] = {}
        for term in player.terms:
            score = term.operands.get("of")
            if isinstance(term.loss, Adversarial) and isinstance(score, Call) and score.name in player.owns:
                judged.setdefault(score.name, []).append(term)
        for own in judged.values():
            costs = sum(term.loss(torch.zeros(1)).mean().item() for term in own)
            if costs > 0:
                left = sum(terms[player.name][term.name].item() for term in own) / costs
                yield Verdict(player.name, " and ".join(str(term.operands["of"]) for term in own), left)
