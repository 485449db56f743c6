"""One update of a player: what its terms come to on a whole batch, and their gradients, one portion after another."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ..contracts import Reference
from .bound import BoundStage, Player
from .flow import Flow
from .graph import Node, Scope
from .networks import Buffers, call_with, clones, statistics_of
from .plan import Mode, Passes, Plan, passes
from .portions import Portion
from .randomness import Part

Weights = Mapping[str, float | Tensor]
Slopes = Mapping[int, Tensor]
"""The gradient of a value with respect to operands, each of the whole batch, by the operands' nodes."""


@dataclass
class Seat:
    """A player at the table: its plan, its optimizer, and the parameters it trains.

    `measured` names the terms of whose gradients some controller asks for the norms.
    """

    player: Player
    plan: Plan
    optimizer: torch.optim.Optimizer
    parameters: list[nn.Parameter]
    measured: frozenset[str]


@dataclass(frozen=True)
class Table:
    """What is the same for all updates of a stage."""

    stage: BoundStage
    networks: Mapping[str, nn.Module]
    scope: Scope
    reference: Reference | None
    device: torch.device
    precision: Callable[[], torch.autocast]


@dataclass(frozen=True)
class Joined:
    """Terms that were taken of a whole batch: their values, the slopes of their weighted sum, and those of some."""

    values: dict[str, Tensor]
    total: Slopes
    each: Mapping[str, Slopes]


@dataclass
class Update:
    """An update of a player on a batch, in portions of it; `leaves` makes the fields and draws of a portion.

    A batch in one portion is one graph. In several, the terms that are no mean over samples are taken of their operands
    in the whole batch, which are computed first, without graphs; then every portion is computed with its graph, and the
    gradients of these terms with respect to its rows of the operands are led into it. So the gradients are those of the
    batch in one graph, and only a portion's graph is ever kept.
    """

    table: Table
    seat: Seat
    key: tuple[Part, ...]
    portions: Sequence[Portion]
    leaves: Callable[[Portion, Collection[int]], Mapping[str, Any]]
    _before: dict[int, Buffers] = field(default_factory=dict)
    _computed: set[tuple[int, int]] = field(default_factory=set)

    def gradients(self, weights: Weights, measured: Collection[str]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Leave the gradient of the weighted terms in the player's parameters.

        The result is the terms, unweighted and detached, and the norms of the gradients of those that are measured.
        """
        plan, parameters = self.seat.plan, self.seat.parameters
        over = passes(plan, divides=len(self.portions) > 1)
        joined = self._joined(over, weights, measured)
        sums: dict[str, list[Tensor]] = {name: [] for name in measured}
        self.seat.optimizer.zero_grad(set_to_none=True)
        for portion in self.portions:
            flow = self._flow(portion, over.last)
            parts = {planned.term.name: flow.term(planned, self.table.reference) for planned in over.within}
            for name in measured:
                own = [portion.share * parts[name]] if name in parts else []
                found = gradients_by(parameters, *_led(flow, portion, own, joined.each.get(name, {})))
                sums[name] = [a + b for a, b in zip(sums[name], found, strict=True)] if sums[name] else found
            weighted = [weights[name] * portion.share * part for name, part in parts.items()]
            torch.autograd.backward(*_led(flow, portion, weighted, joined.total))
            for name, part in parts.items():
                share = part.detach() * portion.share
                joined.values[name] = joined.values[name] + share if name in joined.values else share
        norms = {name: nn.utils.get_total_norm(found) for name, found in sums.items()}
        return {planned.term.name: joined.values[planned.term.name] for planned in plan.terms}, norms

    def _joined(self, over: Passes, weights: Weights, measured: Collection[str]) -> Joined:
        """Take terms of their operands in the whole batch."""
        if not over.whole:
            return Joined({}, {}, {})
        operands = self._operands(over)
        modes = self.seat.plan.modes
        live = {node: value.requires_grad_() for node, value in operands.items() if modes[node] != "constant"}
        apply = partial(self._apply, self.portions[0])
        flow = Flow((), (), self.table.scope, apply, self.table.device, self.key)
        values = {
            planned.term.name: flow.value_of(
                planned, [self.table.reference if b.node is None else operands[b.node] for b in planned.binds]
            )
            for planned in over.whole
        }
        total = torch.stack([weights[name] * value for name, value in values.items()]).sum()
        each = {name: _slopes(values[name], live) for name in measured if name in values}
        return Joined({name: value.detach() for name, value in values.items()}, _slopes(total, live), each)

    def _operands(self, over: Passes) -> dict[int, Tensor]:
        """The operands of the terms that are taken of the whole batch, computed without graphs.

        The first portion computes all nodes where networks keep more than statistics: those advance from call to call.
        """
        advancing = any(_advancing(self.table.networks[n.name]) for n in self.seat.plan.nodes if n.op == "network")
        parts: dict[int, list[Tensor]] = {node: [] for planned in over.whole for node in planned.roots}
        for portion in self.portions:
            every = advancing and portion is self.portions[0]
            flow = self._flow(portion, range(len(self.seat.plan.nodes)) if every else over.ahead, graph=False)
            for node, values in parts.items():
                values.append(flow.operand(node))
        return {node: torch.cat(values) for node, values in parts.items()}

    def _flow(self, portion: Portion, wanted: Collection[int], *, graph: bool = True) -> Flow:
        plan, table = self.seat.plan, self.table
        modes: Sequence[Mode] = plan.modes if graph else ["constant"] * len(plan.nodes)
        watched = plan.watched if graph else frozenset()
        apply = partial(self._apply, portion)
        flow = Flow(plan.nodes, modes, table.scope, apply, table.device, self.key, watched, portion)
        return flow.run(self.leaves(portion, wanted), wanted)

    def _apply(self, portion: Portion, index: int, node: Node, inputs: tuple[Any, ...]) -> Any:
        """Apply a network as this player's update does: other owners' buffers stand still where the recipe says so."""
        network = self.table.networks[node.name]
        still = node.name not in self.seat.player.owns and self.table.stage.networks[node.name].keys.buffers == "owner"
        with self.table.precision():
            if still:
                return call_with(network, clones(network), inputs)
            if portion.whole:
                return network(*inputs)
            return call_with(network, self._buffers(portion, index, network), inputs)

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
