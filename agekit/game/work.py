"""What a step of a stage comes to: operations, samples of data, and codes drawn."""

from __future__ import annotations

from dataclasses import dataclass

from .bound import BoundStage
from .cost import Cost, update_flops
from .graph import Scope
from .passes import passes
from .plan import plan_player
from .portions import portions


@dataclass(frozen=True)
class Work:
    """One step, all its players' updates together: floating-point operations, and samples taken from the data."""

    flops: int
    images: int


def work_of(stage: BoundStage, scope: Scope, cost: Cost, micro_batch: int | None) -> Work:
    """The work of one step of a stage."""
    flops = images = 0
    divides = len(portions(stage.batch, micro_batch)) > 1
    for player in stage.players:
        plan = plan_player(player, scope)
        flops += player.updates * stage.batch * update_flops(plan, passes(plan, divides=divides), cost.calls)
        images += player.updates * stage.batch * bool(plan.fields)
    return Work(flops, images)
