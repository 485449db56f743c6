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
from .step import Coming

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


@dataclass(frozen=True)
class Judged:
    """A player's terms, by name, on the scores of one of its own critics; and what scores of 0 would cost it."""

    player: str
    of: str
    terms: tuple[str, ...]
    indifferent: float


class Monitor:
    """Takes the vital signs of a stage of a game.

    What is watched follows from terms and views: the codes that networks of some player make, what they make of draws,
    the vectors that divergences compare, and the terms by which a player judges scores. Samples and draws are the same
    every time, batch-norm goes by their batch, as in training, and nothing of the game moves.
    """

    def __init__(self, game: Game) -> None:
        self.game, self.graph, self.stage = game, Graph(game.scope), game.stage
        stage, whole = game.stage, Graph(game.scope)
        for expression in _expressions(stage):
            whole.add(expression)
        made = [node for node in whole.nodes if node.op == "network" and stage.owner(node.name)]
        clouds = {node.text: None for node in made if node.space.kind == CODE} | dict(_compared(stage, game))
        self.clouds = [self._watched(text, like) for text, like in clouds.items()]
        self.contrasts = [self._watched(node.text, node.space.kind) for node in made if _follows(node, whole)]
        self.judged = list(_judged(stage))
        nodes = self.graph.nodes
        self.drawn = [_reached(nodes, one.node, "draw") for one in self.clouds]
        self.conditional = [_reached(nodes, one.node, "field") for one in self.contrasts]

    def _watched(self, text: str, like: str | None) -> Watched:
        add = self.graph.add
        return Watched(add(parse_expression(text)), None if like is None else add(parse_expression(like)))

    def look(self, terms: Mapping[str, Mapping[str, Tensor]]) -> Vitals:
        """The vital signs; `terms` are those of the last step, by player."""
        return self.signs(self.ask(terms))

    @torch.no_grad()
    def ask(self, terms: Mapping[str, Mapping[str, Tensor]]) -> Coming:
        """Ask the device for what the vital signs are computed of, as the game stands; nobody waits for it."""
        size = min(self.stage.batch, SAMPLES)
        flows = [self._flow(part, size, 0) for part in range(-(-SAMPLES // size))]
        others = [self._flow(part, size, 1) for part in range(len(flows))] if any(self.conditional) else flows
        asked: list[Tensor] = []
        for watched in self.clouds:
            asked += self._codes(watched, flows), self._full(watched, flows)
        for watched, moved in zip(self.contrasts, self.conditional, strict=True):
            asked += self._squares(watched, flows, others if moved else None)
        for judged in self.judged:
            asked.append(torch.stack([terms[judged.player][name].double() for name in judged.terms]).sum())
        return Coming(asked, self.game.device)

    def signs(self, asked: Coming) -> Vitals:
        """The vital signs, of what was asked for."""
        found, nodes = iter(asked.tensors()), self.graph.nodes
        clouds = []
        for watched, drawn in zip(self.clouds, self.drawn, strict=True):
            clouds.append(_cloud(nodes[watched.node].text, next(found), next(found), drawn=drawn))
        contrasts = []
        for watched in self.contrasts:
            share = _share(next(found), next(found))
            contrasts.append(Contrast(nodes[watched.node].text, math.sqrt(share)))
        verdicts = [Verdict(one.player, one.of, next(found).item() / one.indifferent) for one in self.judged]
        return Vitals(tuple(clouds), tuple(contrasts), tuple(verdicts))

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

    def _codes(self, watched: Watched, flows: Sequence[Flow]) -> Tensor:
        """Vectors [n, d]; where the data itself is encoded as distributions, their means."""
        node = self.graph.nodes[watched.node]
        direct = all(not _reached(self.graph.nodes, index, "network") for index in node.arguments)
        return _values(flows, watched.node, mean=direct)

    def _full(self, watched: Watched, flows: Sequence[Flow]) -> Tensor:
        """The variance of a coordinate that vectors should have."""
        if watched.like is not None:
            return _variance(_values(flows, watched.like))
        reference = self.game.recipe.reference
        assert reference is not None  # noqa: S101 - where there are codes, there is one
        return torch.full((), reference.variance, dtype=torch.float64, device=self.game.device)

    def _squares(self, watched: Watched, flows: Sequence[Flow], others: Sequence[Flow] | None) -> tuple[Tensor, Tensor]:
        """The mean squared deviation of what is made, and of the data: each sample beside another.

        What is made has other draws there; what is made of draws alone has others in its own batch.
        """
        assert watched.like is not None  # noqa: S101 - what is made is of the kind of some field
        made, data = _values(flows, watched.node), _values(flows, watched.like)
        other = made.roll(1, 0) if others is None else _values(others, watched.node)
        return (made - other).square().mean(), (data - data.roll(1, 0)).square().mean()


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


def _cloud(of: str, codes: Tensor, full: Tensor, *, drawn: bool) -> Cloud:
    along = torch.linalg.svdvals(codes - codes.mean(0)).square()
    return Cloud(of, drawn, _share(_variance(codes), full), _share(along[0], along.sum()), codes.shape[1])


def _share(part: Tensor, whole: Tensor) -> float:
    """A part as a share of a whole; of nothing, everything, since nothing is to be had of it."""
    return part.item() / whole.item() if whole.item() > 0 else 1.0


def _variance(values: Tensor) -> Tensor:
    """The mean variance of a coordinate."""
    return (values - values.mean(0)).square().mean()


def _judged(stage: BoundStage) -> Iterator[Judged]:
    """What players judge by the scores of their own critics, where indifference costs them anything."""
    for player in stage.players:
        critics: dict[str, list[Term]] = {}
        for term in player.terms:
            score = term.operands.get("of")
            if isinstance(term.loss, Adversarial) and isinstance(score, Call) and score.name in player.owns:
                critics.setdefault(score.name, []).append(term)
        for own in critics.values():
            indifferent = sum(term.loss(torch.zeros(1)).mean().item() for term in own)
            if indifferent > 0:
                of = " and ".join(str(term.operands["of"]) for term in own)
                yield Judged(player.name, of, tuple(term.name for term in own), indifferent)
