"""The sentinel: looks after a run's vital signs, and does what the recipe says where its game dies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from ..errors import RunError
from ..game.deaths import Death, not_finite, signs
from ..game.game import Game
from ..game.step import Coming, Finite, Number, Step, numbers, shown
from ..game.views import Gallery
from ..game.vitals import Monitor, Vitals
from ..recipe.tables import Sentinel as Settings
from . import checkpoint as saved
from .best import forget_later
from .faults import write_fault
from .folder import RunFolder
from .watch import Watch

CHECKED_EVERY = 100
"""After so many steps the numbers of all are asked for, where the device computes ahead. On a CPU each step's are."""


@dataclass
class State:
    """What a checkpoint keeps, so that a resumed run sees, says and does the same.

    `seen` counts looks in a row by death, and `told` lists those that were told. `healthy` is the name of the last
    checkpoint at which no death showed. `factors` are those of learning rates, by player, after so many `rollbacks`.
    `skipped` counts updates in a row that were skipped, by player. `events` go into the next line of metrics.
    """

    seen: dict[str, int] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    healthy: str | None = None
    factors: dict[str, float] = field(default_factory=dict)
    rollbacks: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)


STATE = TypeAdapter(State)


@dataclass(frozen=True)
class Question:
    """What is to be examined after a step, and was asked of the device: numbers, tensors by name, vital signs."""

    step: Step
    numbers: Sequence[tuple[Step, Number]] = ()
    """Those of all steps since the last question."""
    tensors: Sequence[str] = ()
    finite: Finite | None = None
    """Whether they are: the numbers, and then the tensors."""
    signs: Coming | Exception | None = None
    """What vital signs are computed of; or what to ask for it raised, as what is no number may."""


class Sentinel:
    """Watches a game for its deaths, outside of its steps."""

    def __init__(self, folder: RunFolder, game: Game, gallery: Gallery, watch: Watch, state: Mapping[str, Any]) -> None:
        self.folder, self.game, self.gallery, self.watch = folder, game, gallery, watch
        try:
            self._take(STATE.validate_python(dict(state)))
        except ValidationError as error:
            raise RunError(f"{folder.path}: its checkpoint says nothing sensible of the sentinel") from error
        self._recent: list[Step] = []
        self._monitor: Monitor | None = None

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

    def ask(self, step: Step, *, look: bool, written: bool) -> Question:
        """Ask the device for what is to be examined after this step; nobody waits for it.

        A `look` takes the vital signs; where something is about to be `written`, it is seen to that all numbers are
        some. On a device that computes behind our back, numbers are otherwise remembered.
        """
        self._recent.append(step)
        whole = look or written
        if not whole and not checks(self.game):
            return Question(step)
        question = self.ask_again(Question(step), dict(self._tensors()) if whole else {})
        return replace(question, signs=self._look(step)) if look else question

    def ask_again(self, question: Question, tensors: Mapping[str, Tensor] | None = None) -> Question:
        """The same, and numbers that were only remembered; where what comes next fails, they may tell why."""
        if question.finite is not None:
            return question
        made = [(one, number) for one in self._recent for number in numbers(one.made, skipped=False)]
        self._recent.clear()
        tensors = tensors or {}
        finite = Finite([*(number.value for _, number in made), *tensors.values()], self.game.device)
        return replace(question, numbers=made, tensors=list(tensors), finite=finite)

    def _tensors(self) -> Iterator[tuple[str, Tensor]]:
        game = self.game
        yield from ((f"the tensor {name}", tensor) for name, tensor in game.named_tensors())
        yield from ((f"the controller's {name}", tensor) for name, tensor in game.controllers.named_tensors())

    @property
    def monitor(self) -> Monitor:
        """Who takes the vital signs of this stage."""
        if self._monitor is None or self._monitor.stage is not self.game.stage:
            self._monitor = Monitor(self.game)
        return self._monitor

    def _look(self, step: Step) -> Coming | Exception:
        try:
            return self.monitor.ask(step.terms)
        except Exception as error:  # noqa: BLE001 - whoever examines raises it, unless it is a death's
            return error

    def examine(self, question: Question) -> list[Death]:
        """The deaths that are certain after a step, and were not told before."""
        if self.settings.skips and (dead := self._skipped(question.step)):
            return [dead]
        if dead := self._not_finite(question):
            return [dead]
        if isinstance(question.signs, Exception):
            raise question.signs
        return [] if question.signs is None else self._dead(self.monitor.signs(question.signs))

    def _skipped(self, step: Step) -> Death | None:
        """Note the updates that were skipped, and why; the last of them where they were too many in a row."""
        found = [one for one in numbers(step.made, skipped=True) if not one.value.isfinite()]
        causes = {(one.player, one.update): one for one in reversed(found)}
        if found:
            write_fault(self.folder, self.game, step, found, self.state.factors)
        for player, made in step.made.items():
            for position, update in enumerate(made):
                in_a_row = self.state.skipped.get(player, 0) + 1 if update.skipped else 0
                self.state.skipped[player] = in_a_row
                if in_a_row > self.settings.skips:
                    return self._named(step, causes[player, position])
                if in_a_row:
                    self.state.events += self._events(
                        [self._named(step, causes[player, position])], step, action="skip"
                    )
        return None

    def _dead(self, vitals: Vitals) -> list[Death]:
        """The deaths whose signs were there often enough in a row."""
        found, before = signs(vitals, self.game.stage), self.state
        before.seen = {one.key: before.seen.get(one.key, 0) + 1 for one in found}
        before.told = [key for key in before.told if key in before.seen]
        certain = [one for one in found if before.seen[one.key] >= self.settings.patience]
        return [one for one in certain if one.key not in before.told]

    def _not_finite(self, question: Question) -> Death | None:
        """The first of the numbers that is none, or else the first tensor that is not finite."""
        none = question.finite.failures() if question.finite is not None else []
        if not none:
            return None
        game, made = self.game, question.numbers
        if none[0] >= len(made):
            name = question.tensors[none[0] - len(made)]
            return not_finite(question.step.number + 1, name, "not finite", game.recipe, game.stage)
        step, first = made[none[0]]
        found = [made[position][1] for position in none if position < len(made) and made[position][0] is step]
        write_fault(self.folder, game, step, found, self.state.factors)
        return self._named(step, first)

    def _named(self, step: Step, number: Number) -> Death:
        value = shown(number.value)
        return not_finite(step.number + 1, number.key, value, self.game.recipe, self.game.stage, number)

    def answer(self, deaths: Sequence[Death], step: Step) -> bool:
        """Do what the recipe says where its game died; whether the game was taken back.

        Raises `RunError` where the run is to stop, where numbers are none and it does not go back, or where it cannot
        go back any more.
        """
        action, state = self.settings.action, self.state
        state.told += [one.key for one in deaths]
        back = self._healthy() if action == "roll back" and state.rollbacks < self.settings.rollbacks else None
        if back is not None:
            self._go_back(back, deaths, step)
            return True
        if action == "warn" and all(one.name != "not finite" for one in deaths):
            state.events += self._events(deaths, step, action="warn")
            return False
        self.watch.log(step, {}, [*self.events(), *self._events(deaths, step, action="stop")])
        raise RunError(self._last_words(deaths, step))

    def _healthy(self) -> saved.Checkpoint | None:
        """The checkpoint to go back to, where it is there."""
        there = {one.path.name: one for one in saved.checkpoints(self.folder.checkpoints)}
        return there.get(self.state.healthy or "")

    def _go_back(self, to: saved.Checkpoint, deaths: Sequence[Death], step: Step) -> None:
        """Put the run where it stood healthy, and slow down whoever is concerned, or it would die the same death."""
        settings = self.settings
        events = self._events(deaths, step, action="roll back", to=to.path.name)
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

    def _events(self, deaths: Sequence[Death], step: Step, **more: str) -> list[dict[str, Any]]:
        return [{"step": one.step or step.number + 1, **one.event(), **more} for one in deaths]

    def _last_words(self, deaths: Sequence[Death], after: Step) -> str:
        """Why the run stops, what usually helps, and what is left of it."""
        died = deaths[0]
        step = "" if died.step else f"step {after.number + 1}: "
        said = "; ".join(f"{one.said}; what usually helps: {', '.join(one.knobs)}" for one in deaths)
        left = f"the last healthy checkpoint is {self.state.healthy}" if self._healthy() else "no checkpoint is healthy"
        tried = f" after {self.state.rollbacks} roll backs" if self.state.rollbacks else ""
        again = f"; agekit replay {self.folder.path} --step {died.step} shows where it arose" if died.step else ""
        return f"{self.folder.path}: {step}{said}; stopped{tried}, and {left}{again}"


def checks(game: Game) -> bool:
    """Whether the sentinel looks at the numbers of this step, even where nothing is due."""
    at_once = not computes_ahead(game.device) or game.steps_done % CHECKED_EVERY == 0
    return at_once or game.stage.sentinel.skips > 0


def may_wait(game: Game) -> bool:
    """Whether the numbers of this step, where nothing else is wanted, are read when the next one is under way."""
    return computes_ahead(game.device) and game.ranks.count == 1 and game.stage_step < game.stage_steps


def computes_ahead(device: torch.device) -> bool:
    """Whether numbers are on their way when the host asks, so that to look at them at once is to wait."""
    return device.type != "cpu"
