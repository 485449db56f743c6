"""The controllers of a stage, each with its state on the device."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from ..contracts import Controller, Progress, Reading, Reference, Schedule
from ..errors import PluginError
from .blame import blamed
from .bound import Player
from .graph import Scope
from .watching import Place, ideal_of, watched

Values = dict[str, dict[str, Tensor]]
"""Numbers of terms, each [], by player and by term."""

State = dict[str, Tensor]


def weight_at(weight: float | Schedule, progress: Progress) -> float:
    """The value of a number, or of a schedule at this progress. Raises `PluginError` where the schedule fails."""
    if not isinstance(weight, Schedule):
        return weight
    with blamed(f"a schedule at {progress}: {type(weight).__name__} of {type(weight).__module__.partition('.')[0]}"):
        return weight(progress)


class Controllers:
    """The weights of the players' terms: as they are written, or the states of controllers.

    A state goes on from `before` where its term had an equal controller there. Raises `PluginError` where a controller
    breaks its contract.
    """

    def __init__(
        self,
        players: Sequence[Player],
        scope: Scope,
        reference: Reference | None,
        device: torch.device,
        before: Controllers | None = None,
    ) -> None:
        self.device = device
        terms = {(player.name, term.name): term for player in players for term in player.terms}
        self.of = {place: term.weight for place, term in terms.items() if isinstance(term.weight, Controller)}
        seen = {place for (player, _), one in self.of.items() for place in watched(one, player).values()}
        self.ideals = {p: ideal_of(terms[p].loss, terms[p].operands, scope, reference) for p in seen}
        going_on = {place for place, one in self.of.items() if before and before.of.get(place) == one}
        self.states: dict[Place, State] = {
            place: before.states[place] if before and place in going_on else self._state(place, controller.begin())
            for place, controller in self.of.items()
        }

    def _state(self, place: Place, numbers: Mapping[str, Tensor | float]) -> State:
        """A state as it is kept. In float64, so that many small steps add up."""
        state = {name: torch.as_tensor(v, dtype=torch.float64, device=self.device) for name, v in numbers.items()}
        if "weight" not in state or any(value.ndim for value in state.values()):
            found = ", ".join(f"{name} {list(value.shape)}" for name, value in state.items()) or "nothing"
            raise self._broken(place, f"has the state {found}, where numbers fit, one of them called weight")
        return state

    def _broken(self, place: Place, said: str) -> PluginError:
        return PluginError(f"{type(self.of[place]).__name__}, the weight of players.{'.terms.'.join(place)}, {said}")

    def measured(self, player: str) -> frozenset[str]:
        """The terms of a player of whose gradients some controller asks for the norms."""
        asked = [watched(one, owner).values() for (owner, _), one in self.of.items() if one.gradients]
        return frozenset(term for places in asked for owner, term in places if owner == player)

    def weights(self, player: Player, progress: Progress) -> dict[str, float | Tensor]:
        """The weights of a player's terms for the step about to be taken."""
        return {
            term.name: self.states[player.name, term.name]["weight"]
            if isinstance(term.weight, Controller)
            else weight_at(term.weight, progress)
            for term in player.terms
        }

    def move(self, terms: Values, norms: Values, rates: Mapping[str, float]) -> None:
        """Let every controller see the step that was taken; `rates` are shares of the players' first ones."""
        for place, controller in self.of.items():
            readings = {
                name: Reading(terms[player][term], self.ideals[player, term], norms[player].get(term))
                for name, (player, term) in watched(controller, place[0]).items()
            }
            state = self._state(place, controller(self.states[place], readings, rates[place[0]]))
            if state.keys() != self.states[place].keys():
                both = " and then ".join(", ".join(one) for one in (self.states[place], state))
                raise self._broken(place, f"has a state of {both}, where the same entries fit")
            self.states[place] = state

    def named_tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Every number of every state, as `player.term.entry`."""
        for place, state in self.states.items():
            yield from ((".".join((*place, name)), value) for name, value in state.items())

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Put every state where it stood, by the names of `named_tensors`."""
        for place, state in self.states.items():
            self.states[place] = self._state(place, {name: tensors[".".join((*place, name))] for name in state})
