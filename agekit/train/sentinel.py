"""The sentinel: looks after a run's vital signs, and does what the recipe says where its game dies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch

from ..errors import RunError
from ..game.deaths import Death, not_finite, signs
from ..game.game import Game, Step
from ..game.views import Gallery
from ..game.vitals import Monitor
from ..recipe.tables import Sentinel as Settings
from . import checkpoint as saved
from .best import forget_later
from .folder import RunFolder
from .watch import Watch

CHECKED_AT_ONCE = 100
"""After so many steps at the latest, terms are looked at: that waits for the device, once."""


@dataclass
class State:
    """What a checkpoint keeps, so that a resumed run sees, says and does the same.

    `seen` counts looks in a row by death, and `told` lists those that were told. `healthy` is the name of the last
    checkpoint at which no death showed. `factors` are those of learning rates, by player, after so many `rollbacks`.
    `events` go into the next line of metrics.
    """

    seen: dict[str, int] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    healthy: str | None = None
    factors: dict[str, float] = field(default_factory=dict)
    rollbacks: int = 0
    events: list[dict[str, Any]] = field(default_factory=list)


class Sentinel:
    """Watches a game for its deaths, outside of its steps."""

    def __init__(self, folder: RunFolder, game: Game, gallery: Gallery, watch: Watch, state: Mapping[str, Any]) -> None:
        self.folder, self.game, self.gallery, self.watch = folder, game, gallery, watch
        self._take(State(**state))
        self._recent: list[Step] = []
        self._monitor: tuple[int, Monitor] | None = None

    def _take(self, state: State) -> None:
        self.state = state
        self.game.factors = state.factors

    @property
    def settings(self) -> Settings:
        """What the recipe says, in this stage."""
        return self.game.stage.sentinel

    @property
    def needs_first(self) -> bool:
        """Whether a checkpoint is wanted before the first step, to go back to."""
        stages = self.game.recipe.stages
        return self.game.steps_done == 0 and any(stage.sentinel.action == "roll back" for stage in stages)

    def events(self) -> list[dict[str, Any]]:
        """What is to be said in the next line of metrics, once."""
        events, self.state.events = self.state.events, []
        return events

    def mark(self) -> None:
        """A checkpoint is due by the recipe, and about to be written: it is healthy where no death shows."""
        if not self.state.seen:
            self.state.healthy = saved.name_of(self.game)

    def examine(self, step: Step, *, look: bool, written: bool) -> list[Death]:
        """The deaths that are certain after this step, and were not told before.

        A `look` takes the vital signs; where something is about to be `written`, it is seen to that all numbers are
        some. Terms are otherwise remembered, without waiting for the device to have computed them.
        """
        self._recent.append(step)
        look &= self.settings.action != "off"
        if not (look or written or len(self._recent) == CHECKED_AT_ONCE):
            return []
        if dead := self._not_finite():
            return [dead]
        return self._dead(step) if look else []

    def _dead(self, step: Step) -> list[Death]:
        """Look: the deaths whose signs were there often enough in a row."""
        if self._monitor is None or self._monitor[0] != self.game.position:
            self._monitor = self.game.position, Monitor(self.game)
        found, before = signs(self._monitor[1].look(step.terms), self.game.stage), self.state
        before.seen = {one.key: before.seen.get(one.key, 0) + 1 for one in found}
        before.told = [key for key in before.told if key in before.seen]
        certain = [one for one in found if before.seen[one.key] >= self.settings.patience]
        return [one for one in certain if one.key not in before.told]

    def _not_finite(self) -> Death | None:
        """The first term, of the first step since the last check, that is not finite; or else the first tensor."""
        game = self.game
        terms = [
            (step.number + 1, f"players.{player}.terms.{name}", value)
            for step in self._recent
            for player, values in step.terms.items()
            for name, value in values.items()
        ]
        self._recent.clear()
        tensors = [(game.steps_done, f"the tensor {name}", tensor) for name, tensor in game.named_tensors()]
        states = game.controllers.named_tensors()
        tensors += [(game.steps_done, f"the controller's {name}", tensor) for name, tensor in states]
        sums = [value.detach().sum().double() for _, _, value in (*terms, *tensors)]
        fine = torch.stack([value.to(game.device) for value in sums]).isfinite().tolist()
        for (number, name, value), is_fine in zip((*terms, *tensors), fine, strict=True):
            if not is_fine and not value.isfinite().all():
                shown = f"{value.item()}" if value.ndim == 0 else "not finite"
                return not_finite(number, name, shown, game.recipe, game.stage)
        return None

    def answer(self, deaths: Sequence[Death], step: Step) -> bool:
        """Do what the recipe says where its game died; whether the game was taken back.

        Raises `RunError` where the run is to stop, where numbers are none and it does not go back, or where it cannot
        go back any more.
        """
        action, state = self.settings.action, self.state
        state.told += [one.key for one in deaths]
        back = self._healthy() if action == "roll back" and state.rollbacks < self.settings.rollbacks else None
        if back is not None:
            self._go_back(back, deaths)
            return True
        if action == "warn" and all(one.name != "not finite" for one in deaths):
            state.events += self._events(deaths, action="warn")
            return False
        self.watch.log(step, {}, [*self.events(), *self._events(deaths, action="stop")])
        raise RunError(self._last_words(deaths))

    def _healthy(self) -> saved.Checkpoint | None:
        """The checkpoint to go back to, where it is there."""
        there = {one.path.name: one for one in saved.checkpoints(self.folder.checkpoints)}
        return there.get(self.state.healthy or "")

    def _go_back(self, to: saved.Checkpoint, deaths: Sequence[Death]) -> None:
        """Put the run where it stood healthy, and slow down whoever is concerned, or it would die the same death."""
        settings = self.settings
        events = self._events(deaths, action="roll back", to=to.path.name)
        kept = saved.restore(to, self.game, self.gallery)
        state = State(**kept["sentinel"])
        for player in dict.fromkeys(player for one in deaths for player in one.players):
            state.factors[player] = state.factors.get(player, 1.0) * settings.factor
        state.rollbacks += 1
        state.events += [{**event, "factors": dict(state.factors)} for event in events]
        self._take(state)
        self._recent.clear()
        for folder in (self.folder.checkpoints, self.folder.best):
            forget_later(folder, self.game)
        self.watch.go_back(kept["metrics_bytes"])

    def _events(self, deaths: Sequence[Death], **more: str) -> list[dict[str, Any]]:
        return [{"step": self.game.steps_done, **asdict(one), **more} for one in deaths]

    def _last_words(self, deaths: Sequence[Death]) -> str:
        """Why the run stops, what usually helps, and what is left of it."""
        step = "" if deaths[0].name == "not finite" else f"step {self.game.steps_done}: "
        said = "; ".join(f"{one.said}; what usually helps: {', '.join(one.knobs)}" for one in deaths)
        left = f"the last healthy checkpoint is {self.state.healthy}" if self._healthy() else "no checkpoint is healthy"
        tried = f" after {self.state.rollbacks} roll backs" if self.state.rollbacks else ""
        return f"{self.folder.path}: {step}{said}; stopped{tried}, and {left}"
