"""What an update is dealt: codes that are drawn, and samples of the data, chosen for the whole batch."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import torch
from torch import Tensor

from ..contracts import Reference
from ..data.order import indices
from ..errors import ComputeError
from .ahead import Ahead
from .batches import Batches, Brought
from .blame import sampled
from .bound import BoundStage, length_of
from .plan import Plan
from .portions import Portion
from .randomness import Draws

Leaves = Callable[[Portion, Collection[int]], dict[str, Tensor]]
"""From a portion, and the nodes of a plan that are wanted, to the leaves among them, by name."""


@dataclass(frozen=True)
class Dealer:
    """Deals to the updates of a stage, which is the recipe's `position`th."""

    stage: BoundStage
    position: int
    reference: Reference | None
    batches: Batches | None
    dtype: torch.dtype
    ahead: Ahead | None = None
    """Who gathers ahead what does not live on the device."""

    def bring(self, plan: Plan, update: int, step: int) -> Brought:
        """The samples of a batch, on their way to the device; none where the plan uses no data."""
        if not plan.fields or self.batches is None:
            return {}
        stream, data = f"{self.position}/{plan.player}/{update}", self.batches

        def gather(step: int) -> dict[str, Tensor]:
            chosen = indices(data.length, self.stage.batch, seed=self.stage.run.seed, stream=stream, step=step)
            return data.gather(chosen, plan.fields)

        if self.ahead is None or all(map(data.lives_there, plan.fields)):
            return data.send(gather(step))
        last = length_of(self.stage, data.length) - 1
        return data.send(self.ahead.take(stream, step, last, gather))

    def leaves(self, plan: Plan, draws: Draws, brought: Brought) -> Leaves:
        """What the nodes of a plan begin with: all draws are made here, and cut."""
        batch = self.stage.batch
        drawn = {name: self.draw(batch, draws, name) for name in plan.draws}
        mirrored = self._mirrored(draws) if brought and self.stage.flip else None

        def leaves(portion: Portion, wanted: Collection[int]) -> dict[str, Tensor]:
            found = {name: codes[portion.rows] for name, codes in drawn.items()}
            fields = [node.name for index, node in enumerate(plan.nodes) if node.op == "field" and index in wanted]
            if fields and self.batches is not None:
                found |= self.batches.values(brought, fields, mirrored, portion.rows)
            return found

        return leaves

    def _mirrored(self, draws: Draws) -> Tensor:
        """Which samples are mirrored: each with probability one half."""
        chance = draws.generator("flip")
        return torch.rand(self.stage.batch, generator=chance, device=draws.device) < 0.5

    def draw(self, count: int, draws: Draws, *name: str | int) -> Tensor:
        """Codes drawn from the reference, [count, dim]. Raises `ComputeError` where there is none."""
        if self.reference is None:
            raise ComputeError("codes cannot be drawn: the recipe has no [latent]")
        return sampled(self.reference, count, draws.generator(*name)).to(self.dtype)
