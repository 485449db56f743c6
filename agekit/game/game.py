"""The game: a recipe on a device, played step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..contracts import DataField, Progress
from ..data.order import indices
from ..errors import ComputeError
from .ahead import Ahead
from .batches import Batches, Brought, Layout
from .bound import BoundStage, Player, Recipe, length_of
from .check import view_expressions
from .compiling import compile_networks
from .controllers import Controllers, weight_at
from .dealing import Dealer
from .fit import check_batches, check_ranks, misfit
from .graph import Node
from .networks import Buffers, build, clones, follow, set_modes
from .plan import MetricsPlan, ViewPlan, plan_metrics, plan_player, plan_view
from .portions import portions
from .precision import PRECISIONS
from .randomness import Draws, Part
from .ranks import ALONE, Ranks
from .recording import CudaGraphs, Recorder, Routine, make_recordable, unrecordable
from .scope import scope_of
from .settle import settle
from .step import Made, Step
from .update import Seat, Seen, Table, Update, Weights

Samples = Literal["held out", "training", "draws"]
"""What something is shown or judged on: data that is held out, data of training, or no data at all."""


class Game:
    """A recipe's networks on a device, with data to play on, and, where there is some, with data to be judged on.

    Without data it can still show views that use none, and hold weights. Raises `RecipeError` where the recipe does not
    fit the data's sizes, `DataError` where a stage's batch is larger than the data set.
    """

    def __init__(
        self,
        recipe: Recipe,
        arrays: Mapping[str, np.ndarray] | None,
        fields: Mapping[str, DataField],
        device: torch.device,
        held_out: Mapping[str, np.ndarray] | None = None,
        ranks: Ranks = ALONE,
        recorder: Recorder | None = None,
    ) -> None:
        recipe = replace(recipe, compute=settle(recipe.compute, device, ranks.count))
        self.recipe = recipe
        self.recorder = recorder or (CudaGraphs(device) if recipe.compute.graphs else None)
        self.ranks = ranks
        self.device = device
        self.fields = fields
        try:
            self.scope = scope_of(recipe, fields)
            check_ranks(recipe, self.scope, ranks)
        except ValueError as error:
            raise misfit(recipe, error) from error
        self.networks = build(recipe, self.scope, device)
        self.layout = Layout(device, PRECISIONS[recipe.compute.precision], recipe.compute.channels_last)
        self.batches = Batches(arrays, fields, self.layout) if arrays is not None else None
        self.held_out = Batches(held_out, fields, self.layout) if held_out is not None else None
        if self.batches is not None:
            check_batches(recipe, self.batches.length)
        self.seats: list[Seat] = []
        self.controllers = Controllers((), self.scope, None, device)
        self.views: dict[str, ViewPlan] = {}
        self.metrics: dict[str, MetricsPlan] = {}
        self.steps_done = 0
        self.factors: Mapping[str, float] = {}  # of learning rates, by player
        self.enter(0)
        self.compiled = compile_networks(self.networks, recipe, self.scope) if recipe.compute.compile else []

    def enter(self, position: int) -> None:
        """Begin a stage: its players sit down, with fresh optimizers or those of the stage before."""
        carried = {seat.player.name: seat for seat in self.seats}
        self.position = position
        self.stage: BoundStage = self.recipe.stages[position]
        self.stage_step = 0
        for seat in self.seats:
            seat.routines.clear()  # they hold on to their seats
        if self.recorder:
            self.recorder.begin()
        set_modes(self.networks, self.stage)
        reference, compute = self.recipe.reference, self.recipe.compute
        ahead = Ahead() if self.device.type == "cuda" else None  # on a CPU there is no time to be saved
        self.dealer = Dealer(self.stage, position, reference, self.batches, self.layout.dtype, ahead)
        self.portions = portions(self.stage.batch, compute.micro_batch, self.ranks.count)
        self.table = Table(
            self.stage,
            self.networks,
            self.scope,
            reference,
            self.precision,
            self.ranks,
            together=compute.batch_norm == "together",
        )
        self.controllers = Controllers(self.stage.players, self.scope, reference, self.device, self.controllers)
        try:
            self.seats = [self._seat(player, carried.get(player.name)) for player in self.stage.players]
            self.views = {
                name: plan_view(name, view, view_expressions(view), self.scope)
                for name, view in self.stage.views.items()
            }
            self.metrics = {name: plan_metrics([spec], self.scope) for name, spec in self.stage.metrics.items()}
        except ValueError as error:
            raise misfit(self.recipe, error) from error

    def _seat(self, player: Player, before: Seat | None) -> Seat:
        parameters = [p for name in player.owns for p in self.networks[name].parameters()]
        optimizer = player.optimizer.build(parameters)
        if before and self.stage.keys.optimizer == "carried":
            optimizer.load_state_dict(
                {**before.optimizer.state_dict(), "param_groups": optimizer.state_dict()["param_groups"]}
            )
        measured = self.controllers.measured(player.name)
        seat = Seat(player, plan_player(player, self.scope), optimizer, parameters, measured)
        if self.recorder and not unrecordable(optimizer, self.stage):
            make_recordable(optimizer, self.recorder.rates, self.device)
            last = self._routine(seat, True, self.recorder)
            seat.routines = {True: last, False: self._routine(seat, False, self.recorder) if measured else last}
        return seat

    def unrecorded(self) -> dict[str, str]:
        """Why updates are played anew each time, although this device records them; by player."""
        reasons = {
            seat.player.name: next((one.refused for one in seat.routines.values() if one.refused), "")
            if seat.routines
            else unrecordable(seat.optimizer, self.stage)
            for seat in (self.seats if self.recorder else ())
        }
        return {name: reason for name, reason in reasons.items() if reason}

    @property
    def steps_per_epoch(self) -> int:
        """⌊N / batch⌋, whoever draws."""
        return self.data().length // self.stage.batch

    @property
    def stage_steps(self) -> int:
        """The steps of this stage."""
        return length_of(self.stage, self.data().length)

    @property
    def total_steps(self) -> int:
        """The steps of all stages together, or fewer where the recipe says to stop after so many."""
        total = sum(length_of(stage, self.data().length) for stage in self.recipe.stages)
        return min(total, self.recipe.run.stop_after or total)

    @property
    def progress(self) -> Progress:
        return Progress(self.stage_step, self.stage_steps, self.steps_per_epoch)

    def data(self) -> Batches:
        """The data. Raises `ComputeError` where the game was built without."""
        if self.batches is None:
            raise ComputeError("this needs the run's data, and there is none here")
        return self.batches

    def judged_data(self, which: Samples = "held out") -> Batches:
        """The data that is shown and judged: the held-out samples where there are some, or else those of training."""
        return self.data() if which == "training" or self.held_out is None else self.held_out

    def samples_of(self, nodes: Iterable[Node], on: Literal["training"] | None = None) -> Samples:
        """Which samples what is shown or judged is made of; `on` asks for other data than what is held out."""
        if all(node.op != "field" for node in nodes):
            return "draws"
        return "training" if on == "training" or self.held_out is None else "held out"

    def step(self, before: Callable[[Seat, int, Weights], None] | None = None) -> Step:
        """Play one step: each player acts, in written order, as often as its recipe says.

        A stage that is over hands on to the next. Who wants to see an update before it is made, with its weights, gives
        `before`. Raises `ComputeError` where the last stage is over.
        """
        if self.stage_step == self.stage_steps:
            if self.position + 1 == len(self.recipe.stages):
                raise ComputeError(f"the game is over: all {self.steps_done} steps of its stages are played")
            self.enter(self.position + 1)
        report = Step(self.steps_done, self.position, self.stage_step)
        for seat in self.seats:
            name = seat.player.name
            report.rates[name] = self._set_rate(seat)
            report.weights[name] = self.controllers.weights(seat.player, self.progress)
            made: list[Made] = []
            for update in range(seat.player.updates):
                if before:
                    before(seat, update, report.weights[name])
                made.append(self.update(seat, update, report.weights[name]))
            report.take(name, made)
        for name, spec in self.stage.networks.items():
            if spec.keys.average_of is not None:
                follow(self.networks[name], self.networks[spec.keys.average_of], spec.keys.decay)
        if not any(made.skipped for updates in report.made.values() for made in updates):  # or they read what is none
            self.controllers.move(report.terms, report.norms, self._shares(report.rates))
        self.steps_done += 1
        self.stage_step += 1
        return report

    def _set_rate(self, seat: Seat) -> float:
        rate = weight_at(seat.player.optimizer.lr, self.progress) * self.factors.get(seat.player.name, 1.0)
        for group in seat.optimizer.param_groups:
            group["lr"] = group["lr"].fill_(rate) if isinstance(group["lr"], Tensor) else rate
        return rate

    def _shares(self, rates: Mapping[str, float]) -> dict[str, float]:
        """The learning rates as shares of the first of this stage; 1 where that is 0, as a warm-up may have it."""
        begin = replace(self.progress, step=0)
        first = {seat.player.name: weight_at(seat.player.optimizer.lr, begin) for seat in self.seats}
        return {name: rate / first[name] if first[name] else 1.0 for name, rate in rates.items()}

    def update(self, seat: Seat, update: int, weights: Weights) -> Made:
        """One update of one player: evaluate its plan, follow the gradient of its weighted terms.

        Where the recipe has updates skipped that come to no numbers, each waits to know, and such a one leaves nothing.
        """
        last, skips = update + 1 == seat.player.updates, self.stage.sentinel.skips > 0
        if last in seat.routines:
            brought = self.dealer.bring(seat.plan, update, self.stage_step)
            return seat.routines[last](self._key(seat, update), brought, weights)
        kept = {name: clones(network) for name, network in self.networks.items()} if skips else {}
        terms, norms = self.gradients(seat, update, weights)
        made = Made(terms, norms, seat.gradient_norm())
        if skips and not made.finite():
            self.put_back(kept)
            return replace(made, skipped=True)
        seat.step()
        return made

    @torch.no_grad()
    def put_back(self, kept: Mapping[str, Buffers]) -> None:
        """Let the networks' buffers be what they were when these copies were made."""
        for name, buffers in kept.items():
            for inner, buffer in self.networks[name].named_buffers():
                buffer.copy_(buffers[inner])

    def gradients(
        self, seat: Seat, update: int, weights: Weights, seen: Seen | None = None
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Leave the gradients of an update in the owned parameters.

        The result is the terms, unweighted and detached, and, of the last update, the norms that are asked for. Each
        portion's values are shown to `seen` as far as they are there, before each strand of terms is led back.
        """
        brought = self.dealer.bring(seat.plan, update, self.stage_step)
        last = update + 1 == seat.player.updates
        return self._gradients(seat, last, Draws(self.device, *self._key(seat, update)), brought, weights, seen)

    def _key(self, seat: Seat, update: int) -> tuple[Part, ...]:
        return self.recipe.run.seed, self.steps_done, seat.player.name, update

    def _gradients(
        self, seat: Seat, last: bool, draws: Draws, brought: Brought, weights: Weights, seen: Seen | None = None
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """All of an update that is computed on the device, but for the optimizer's step."""
        for name, network in self.networks.items():
            network.requires_grad_(name in seat.player.owns)
        measured = [p.term.name for p in seat.plan.terms if last and p.term.name in seat.measured]
        leaves = self.dealer.leaves(seat.plan, draws, brought)
        return Update(self.table, seat, draws, self.portions, leaves, seen).gradients(weights, measured)

    def _routine(self, seat: Seat, last: bool, recorder: Recorder) -> Routine:
        def play(draws: Draws, brought: Brought, weights: Weights) -> Made:
            terms, norms = self._gradients(seat, last, draws, brought, weights)
            made = Made(terms, norms, seat.gradient_norm())
            seat.step()
            return made

        return Routine(recorder, play, self.device, self.layout.dtype)

    def batch_of(self, player: str, update: int, position: int, stage_step: int) -> NDArray[np.int64]:
        """Which samples make the batch of a player's update, at a step of a stage."""
        batch, seed = self.recipe.stages[position].batch, self.recipe.run.seed
        return indices(self.data().length, batch, seed=seed, stream=f"{position}/{player}/{update}", step=stage_step)

    def draw(self, count: int, *key: Part) -> Tensor:
        """Codes drawn from the reference, [count, dim]: a function of the key alone."""
        return self.dealer.draw(count, Draws(self.device, *key))

    def precision(self) -> torch.autocast:
        """The precision in which networks are applied."""
        half = self.recipe.compute.precision == "bf16"
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=half)

    def named_tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Every weight and buffer, as `network.name`."""
        for name, network in self.networks.items():
            for inner, tensor in network.state_dict().items():
                yield f"{name}.{inner}", tensor
