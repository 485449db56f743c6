"""One update of a player: what its terms come to on a whole batch, and their gradients, one portion after another."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ..contracts import Reference
from .blame import blamed
from .bound import BoundStage, Player
from .flow import Flow
from .graph import Node, Scope
from .networks import Buffers, call_with, clones, statistics_of
from .normalise import Synchronised
from .passes import Passes, passes
from .plan import Mode, Plan
from .portions import Portion
from .randomness import Draws
from .ranks import Ranks
from .recording import Routine

Weights = Mapping[str, float | Tensor]
Seen = Callable[[Portion, Flow], None]
Slopes = Mapping[int, Tensor]
"""The gradient of a value with respect to operands, each of the whole batch, by the operands' nodes."""


@dataclass
class Seat:
    """A player at the table: its plan, its optimizer, and the parameters it trains.

    `measured` names the terms of whose gradients some controller asks for the norms; `routines` are recordings of its
    updates, of the last one in a step and of the others.
    """

    player: Player
    plan: Plan
    optimizer: torch.optim.Optimizer
    parameters: list[nn.Parameter]
    measured: frozenset[str]
    routines: dict[bool, Routine] = field(default_factory=dict)
    _passes: dict[bool, Passes] = field(default_factory=dict, init=False)

    def passes(self, *, divides: bool) -> Passes:
        """The passes of an update over a batch that is divided into portions, or is not; worked out once."""
        if divides not in self._passes:
            self._passes[divides] = passes(self.plan, divides=divides)
        return self._passes[divides]

    def step(self) -> None:
        """Follow the gradient that an update left, and let go of it, for others' updates need the memory.

        Raises `PluginError` where the optimizer's rule fails.
        """
        with blamed(f"players.{self.player.name}.optimizer: {type(self.optimizer).__name__}"):
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)

    def gradient_norm(self) -> Tensor:
        """The norm of the gradient that an update left."""
        return nn.utils.get_total_norm(p.grad for p in self.parameters if p.grad is not None)


@dataclass(frozen=True)
class Table:
    """What is the same for all updates of a stage."""

    stage: BoundStage
    networks: Mapping[str, nn.Module]
    scope: Scope
    reference: Reference | None
    precision: Callable[[], torch.autocast]
    ranks: Ranks
    together: bool
    """Whether batch-norm goes by the samples of all ranks together."""


@dataclass(frozen=True)
class Joined:
    """Terms that were taken of a whole batch: their values, the slopes of their weighted sum, and those of some."""

    values: dict[str, Tensor]
    total: Slopes
    each: Mapping[str, Slopes]


@dataclass
class Update:
    """An update of a player on a batch, in portions of it; `leaves` makes the fields and draws of a portion.

    Each portion's values are shown to `seen` as far as they are there, before each strand is led back.

    A batch in one portion is computed with its graph, strand by strand. In several, the terms that are no mean over
    samples are taken of their operands in the whole batch, which every rank computes of its portions, without graphs
    where it has several. Then every portion is computed with its graph, and the gradients of these terms with respect
    to its rows of the operands are led into it; what all ranks' portions come to is added. So the gradients are those
    of the batch in one graph, and what is kept is that of a strand, of a portion, with what the plan's order has
    computed of others by then.
    """

    table: Table
    seat: Seat
    draws: Draws
    portions: Sequence[Portion]
    leaves: Callable[[Portion, Collection[int]], Mapping[str, Any]]
    seen: Seen | None = None
    _before: dict[int, Buffers] = field(default_factory=dict)
    _computed: set[tuple[int, int]] = field(default_factory=set)

    def gradients(self, weights: Weights, measured: Collection[str]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Leave the gradient of the weighted terms in the player's parameters.

        The result is the terms, unweighted and detached, and the norms of the gradients of those that are measured.
        """
        plan, ranks = self.seat.plan, self.table.ranks
        over = self.seat.passes(divides=len(self.portions) > 1)
        own = self._portions_of(ranks.rank)
        kept = self._whole(own[0], over.ahead | over.last) if over.whole and len(own) == 1 else None
        joined = self._joined(over, kept, weights, measured)
        values = {name: value if ranks.first else torch.zeros_like(value) for name, value in joined.values.items()}
        sums: dict[str, list[Tensor]] = {p.term.name: [] for p in plan.terms if p.term.name in measured}
        self.seat.optimizer.zero_grad(set_to_none=True)
        for portion in own:
            flow = kept or self._flow(portion)
            leaves: Mapping[str, Any] = {} if kept else self.leaves(portion, over.last)
            for strand in over.strands:
                if not kept:
                    self._run(flow, portion, leaves, strand.nodes)
                parts = {planned.term.name: flow.term(planned, self.table.reference) for planned in strand.terms}
                for name in (name for name in sums if name in parts or name in joined.each):
                    own_share = [portion.share * parts[name]] if name in parts else []
                    led = _led(flow, portion, own_share, joined.each.get(name, {}))
                    _accumulate(sums[name], gradients_by(self.seat.parameters, *led))
                weighted = [weights[name] * portion.share * part for name, part in parts.items()]
                outputs, slopes = _led(flow, portion, weighted, joined.total)
                if outputs:
                    torch.autograd.backward(outputs, slopes)
                for name, part in parts.items():
                    share = part.detach() * portion.share
                    values[name] = values[name] + share if name in values else share
        ranks.add([one.grad for one in self.seat.parameters if one.grad is not None])
        ranks.add([*values.values(), *(one for found in sums.values() for one in found)])
        self._settle()
        norms = {name: nn.utils.get_total_norm(found) for name, found in sums.items()}
        return {planned.term.name: values[planned.term.name] for planned in plan.terms}, norms

    def _portions_of(self, rank: int) -> Sequence[Portion]:
        each = len(self.portions) // self.table.ranks.count
        return self.portions[rank * each : (rank + 1) * each]

    def _settle(self) -> None:
        """Let the networks' buffers be the same on all ranks."""
        ranks = self.table.ranks
        if ranks.count == 1:
            return
        moving: list[Tensor] = []
        others: list[Tensor] = []
        for name in sorted({node.name for node in self.seat.plan.nodes if node.op == "network"}):
            network = self.table.networks[name]
            kinds = statistics_of(network)
            for kind, one in network.named_buffers() if network.training else ():
                (moving if kind in kinds else others).append(one)
        if not self.table.together:
            floating = [one for one in moving if one.is_floating_point()]
            ranks.add(floating)
            torch._foreach_div_(floating, ranks.count)
        ranks.spread(others)

    def _joined(self, over: Passes, kept: Flow | None, weights: Weights, measured: Collection[str]) -> Joined:
        """Take terms of their operands in the whole batch."""
        if not over.whole:
            return Joined({}, {}, {})
        operands = self._operands(over, kept)
        modes = self.seat.plan.modes
        live = {node: value.requires_grad_() for node, value in operands.items() if modes[node] != "constant"}
        apply = partial(self._apply, self.portions[0])
        flow = Flow((), (), self.table.scope, apply, self.draws)
        values = {
            planned.term.name: flow.value_of(
                planned, [self.table.reference if b.node is None else operands[b.node] for b in planned.binds]
            )
            for planned in over.whole
        }
        total = torch.stack([weights[name] * value for name, value in values.items()]).sum()
        each = {name: _slopes(values[name], live) for name in measured if name in values}
        return Joined({name: value.detach() for name, value in values.items()}, _slopes(total, live), each)

    def _operands(self, over: Passes, kept: Flow | None) -> dict[int, Tensor]:
        """The operands of the terms that are taken of the whole batch: those of a flow that is kept, or without graphs.

        The first portion computes all nodes where networks keep more than statistics: those advance from call to call.
        """
        plan, ranks = self.seat.plan, self.table.ranks
        advancing = any(_advancing(self.table.networks[n.name]) for n in plan.nodes if n.op == "network")
        parts: dict[int, list[Tensor]] = {node: [] for planned in over.whole for node in planned.roots}
        for index, portion in enumerate(self._portions_of(ranks.rank)):
            every = range(len(plan.nodes)) if advancing and index == 0 else over.ahead
            flow = kept or self._whole(portion, every, graph=False)
            for node, values in parts.items():
                values.append(flow.operand(node).detach())
        sizes = [sum(one.size for one in self._portions_of(rank)) for rank in range(ranks.count)]
        return {node: ranks.join(torch.cat(values), sizes) for node, values in parts.items()}

    def _whole(self, portion: Portion, wanted: Collection[int], *, graph: bool = True) -> Flow:
        flow = self._flow(portion, graph=graph)
        self._run(flow, portion, self.leaves(portion, wanted), wanted)
        return flow

    def _flow(self, portion: Portion, *, graph: bool = True) -> Flow:
        plan = self.seat.plan
        modes: Sequence[Mode] = plan.modes if graph else ["constant"] * len(plan.nodes)
        watched = plan.watched if graph else frozenset()
        apply = partial(self._apply, portion)
        return Flow(plan.nodes, modes, self.table.scope, apply, self.draws, watched, portion)

    def _run(self, flow: Flow, portion: Portion, leaves: Mapping[str, Any], wanted: Collection[int]) -> None:
        flow.run(leaves, wanted)
        if self.seen:
            self.seen(portion, flow)

    def _apply(self, portion: Portion, index: int, node: Node, inputs: tuple[Any, ...]) -> Any:
        """Apply a network as this player's update does: other owners' buffers stand still where the recipe says so."""
        network = self.table.networks[node.name]
        still = node.name not in self.seat.player.owns and self.table.stage.networks[node.name].keys.buffers == "owner"
        with self.table.precision(), self._normalising():
            if still:
                return call_with(network, clones(network), inputs)
            if portion.whole:
                return network(*inputs)
            return call_with(network, self._buffers(portion, index, network), inputs)

    def _normalising(self) -> AbstractContextManager[object]:
        ranks = self.table.ranks
        return Synchronised(ranks) if self.table.together and ranks.count > 1 else nullcontext()

    def _buffers(self, portion: Portion, index: int, network: nn.Module) -> Buffers:
        """The buffers that a network is lent for a portion of one call, in place of its own.

        Batch-norm's own move with each portion, once. All others a call finds as its first portion found them, and
        leaves as that left them.
        """
        again = (portion.start, index) in self._computed
        self._computed.add((portion.start, index))
        moving = statistics_of(network)
        if index not in self._before:
            self._before[index] = {name: one for name, one in clones(network).items() if name not in moving}
            return {}
        held = {name: one for name, one in clones(network).items() if name in moving} if again else {}
        return {name: one.clone() for name, one in self._before[index].items()} | held


def _led(
    flow: Flow, portion: Portion, values: Sequence[Tensor], slopes: Slopes
) -> tuple[list[Tensor], list[Tensor | None]]:
    """Where backward passes of a portion begin: at the sum of values, and at operands with the gradients led there."""
    total = [torch.stack(list(values)).sum()] if values else []
    outputs = [one for one in total if one.requires_grad]
    gradients = [slope[portion.rows] for slope in slopes.values()]
    return [*outputs, *map(flow.operand, slopes)], [*([None] * len(outputs)), *gradients]


def _slopes(value: Tensor, operands: Mapping[int, Tensor]) -> Slopes:
    """The gradient of a value with respect to operands, as far as it depends on them; its graph is kept."""
    if not value.requires_grad:
        return {}
    found = torch.autograd.grad(value, list(operands.values()), retain_graph=True, allow_unused=True)
    return {node: slope for node, slope in zip(operands, found, strict=True) if slope is not None}


def _accumulate(sums: list[Tensor], more: Sequence[Tensor]) -> None:
    sums[:] = [a + b for a, b in zip(sums, more, strict=True)] if sums else more


def gradients_by(
    parameters: Sequence[Tensor], outputs: Sequence[Tensor], slopes: Sequence[Tensor | None]
) -> list[Tensor]:
    """The gradients of outputs, led in with slopes, with respect to parameters; their graph is kept."""
    if not outputs:
        return [torch.zeros_like(one) for one in parameters]
    return list(torch.autograd.grad(outputs, parameters, slopes, retain_graph=True, materialize_grads=True))


def _advancing(network: nn.Module) -> bool:
    """Whether a network keeps more than batch-norm's statistics, as one with spectral normalisation does."""
    return any(name not in statistics_of(network) for name, _ in network.named_buffers())
