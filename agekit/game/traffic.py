"""What passes between ranks: computed from a plan, before anything runs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..recipe.tables import Compute
from .bound import BoundStage, Player
from .cost import Cost
from .passes import Passes
from .plan import Plan


@dataclass(frozen=True)
class Traffic:
    """One update, in bytes: operands of all ranks, which are gathered, and what is added up, whatever their number.

    `sums` is how often batch-norm adds something up: each time all ranks wait for one another.
    """

    operands: int
    gradients: int
    normalising: int
    sums: int

    def sent(self, ranks: int) -> int:
        """What each rank sends, where sums pass around a ring: every byte nearly twice."""
        return (ranks - 1) * (2 * (self.gradients + self.normalising) + self.operands) // ranks


def traffic_of(
    player: Player, plan: Plan, over: Passes, stage: BoundStage, cost: Cost, compute: Compute, each: int
) -> Traffic:
    """What one update of a player passes between ranks, of which each has so many portions."""
    size = 8 if compute.precision == "fp64" else 4
    joined = {node for planned in over.whole for node in planned.roots}
    values = sum(math.prod(one or 1 for one in plan.nodes[node].space.shape) for node in joined)
    sums = numbers = 0
    for index, node in enumerate(plan.nodes):
        if node.op == "network" and compute.batch_norm == "together" and _by_batch(stage, node.name):
            layers, channels = cost.normalised.get(node.name, (0, 0))
            times = each * ((index in over.ahead) + (index in over.last) * (1 + (plan.modes[index] != "constant")))
            sums += times * 2 * layers
            numbers += times * (2 * channels + layers)
    gradients = sum(cost.parameters[name] for name in player.owns)
    return Traffic(size * stage.batch * values, size * gradients, size * numbers, sums)


def _by_batch(stage: BoundStage, name: str) -> bool:
    kept = stage.networks[name].keys.statistics
    return (kept or ("batch" if stage.owner(name) else "running")) == "batch"
