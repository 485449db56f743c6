"""The plan in words: what will run, in which mode, from which draws, at what cost."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from ..contracts import Controller, Schedule
from ..recipe.language import Expression
from ..recipe.tables import Compute
from .bound import BoundStage, Player, Recipe, Term
from .cost import Cost, update_flops
from .graph import Scope
from .passes import passes
from .plan import MEANING, Plan, plan_player
from .portions import portions
from .traffic import traffic_of

CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")
"""Where a word of a class's name ends."""


def describe_plan(recipe: Recipe, scope: Scope, cost: Cost, ranks: int = 1) -> str:
    """The plan of every stage, as text."""
    return "\n".join(_lines(recipe, scope, cost, ranks)) + "\n"


def _lines(recipe: Recipe, scope: Scope, cost: Cost, ranks: int) -> Iterator[str]:
    yield f"recipe    {recipe.name}"
    yield f"data      {recipe.dataset_name}: " + ", ".join(str(space) for space in scope.fields.values())
    if recipe.held_out:
        said = recipe.document.tree["data"]["held_out"]
        yield f"held out  {', '.join(f'{name} = {value}' for name, value in said.items())}"
    if recipe.reference and scope.code:
        yield f"latent    {recipe.document.tree['latent']['reference']}: {scope.code}"
    if ranks > 1:
        yield f"ranks     {ranks}, batch-norm {recipe.compute.batch_norm}"
    yield ""
    yield from _networks(recipe, scope, cost)
    for position, stage in enumerate(recipe.stages):
        yield ""
        yield f"stage {stage.keys.name}: {_length(stage)}, batch {stage.batch}, optimizers {_begin(stage, position)}"
        yield f"  networks: {_roles(stage)}"
        yield from _portions(recipe, stage, cost, ranks)
        for player in stage.players:
            yield ""
            yield from _player(player, plan_player(player, scope), stage, cost, recipe.compute, ranks)
        yield from _metrics(stage)
    if recipe.run.stop_after:
        yield ""
        yield f"the whole run ends after step {recipe.run.stop_after}"
    yield ""
    yield from (f"{mode:<10}{meaning}" for mode, meaning in MEANING.items())


def _networks(recipe: Recipe, scope: Scope, cost: Cost) -> Iterator[str]:
    for name, spec in recipe.networks.items():
        signature = scope.networks[name]
        sees = ", ".join(str(space) for space in signature.sees)
        keys = spec.keys
        origin = (
            f"average of {keys.average_of}, decay {keys.decay:g}"
            if keys.average_of
            else f"from {keys.source}"
            if keys.source
            else ""
        )
        size = f"{cost.parameters[name]:,} parameters"
        yield f"network   {name}: {sees} -> {signature.makes}, {size}{origin and f', {origin}'}"


def _roles(stage: BoundStage) -> str:
    """Who trains which network in a stage, and which batch-norm statistics it goes by meanwhile."""
    roles = []
    for name, spec in stage.networks.items():
        owner, kept = stage.owner(name), spec.keys.statistics
        moved = ", moved by its owner alone" if owner and spec.keys.buffers == "owner" else ""
        role = f"trained by {owner}" if owner else "fixed" if spec.keys.average_of is None else "following"
        roles.append(f"{name} {role} ({kept or ('batch' if owner else 'running')} statistics{moved})")
    return "; ".join(roles)


def _portions(recipe: Recipe, stage: BoundStage, cost: Cost, ranks: int) -> Iterator[str]:
    """How the batch is divided where it is, and what that leaves to a portion."""
    each = portions(stage.batch, recipe.compute.micro_batch, ranks)
    if len(each) == 1:
        return
    sizes = sorted({each[0].size, each[-1].size}, reverse=True)
    yield f"  batches come in {len(each)} portions of {' or '.join(map(str, sizes))}, the losses as of the whole batch"
    by_batch = [
        n for n, s in stage.networks.items() if (s.keys.statistics or ("batch" if stage.owner(n) else "")) == "batch"
    ]
    own = [name for name in by_batch if name in cost.normalised]
    if own and (len(each) > ranks or recipe.compute.batch_norm == "apart"):
        shared = " of all ranks" if ranks > 1 and recipe.compute.batch_norm == "together" else ""
        yield f"  batch-norm of {', '.join(own)} takes the statistics of each portion{shared} by itself"


def _length(stage: BoundStage) -> str:
    steps = stage.keys.steps or (None if stage.keys.epochs else stage.run.steps)
    count, unit = (steps, "step") if steps else (stage.keys.epochs or stage.run.epochs, "epoch")
    return f"{count} {unit}{'' if count == 1 else 's'}"


def _begin(stage: BoundStage, position: int) -> str:
    return stage.keys.optimizer if position else "fresh"


def _player(player: Player, plan: Plan, stage: BoundStage, cost: Cost, compute: Compute, ranks: int) -> Iterator[str]:
    times = f"{player.updates} update{'s' if player.updates > 1 else ''} a step"
    each = portions(stage.batch, compute.micro_batch, ranks)
    over = passes(plan, divides=len(each) > 1)
    if len(each) == ranks:  # what a rank has computed of its one portion is kept
        over = replace(over, ahead=frozenset(), last=over.ahead | over.last)
    yield f"  player {player.name}: trains {', '.join(player.owns)}; {times}; lr {_number(player.optimizer.lr)}"
    width = max([len(node.text) for node in plan.nodes] + [8])
    for index, (node, mode) in enumerate(zip(plan.nodes, plan.modes, strict=True)):
        if node.op == "network":
            call = cost.calls[node.name]
            flops, floats = call.flops * stage.batch / 1e9, call.activations * each[0].size / 1e6
            size = f"{flops:8.2f} GFLOP forward {floats:8.2f} M activations{' a portion' if len(each) > 1 else ''}"
            size += ", twice" if index in over.ahead & over.last else ""
        else:
            size = {"draw": "drawn anew in each update", "field": "data, drawn anew in each update"}.get(node.op, "")
        shown = mode if node.op in ("network", "operator") else node.op
        watched = "; a loss differentiates by it" if index in plan.watched else ""
        yield f"    {node.text:<{width}}  {shown:<9}  {size}{watched}".rstrip()
    for planned in plan.terms:
        yield f"    {_term(planned.term)}"
    if len(over.strands) > 1:
        turns = "; ".join(", ".join(planned.term.name for planned in strand.terms) for strand in over.strands)
        yield f"    led back in turn, each with its graph: {turns}"
    for term in player.terms:
        if isinstance(term.weight, Controller):
            yield f"    the weight of {term.name} is moved after each step by {_watched(term.weight)}"
    yield f"    one update: {update_flops(plan, over, cost.calls) * stage.batch / 1e9:.2f} GFLOP"
    if ranks > 1:
        one = traffic_of(player, plan, over, stage, cost, compute, len(each) // ranks)
        parts = f"gradients {one.gradients / 1e6:.2f}, operands {one.operands / 1e6:.2f}"
        norm = f", batch-norm {one.normalising / 1e6:.2f} in {one.sums} sums" if one.sums else ""
        yield f"    between ranks: {one.sent(ranks) / 1e6:.2f} MB sent by each (of {parts}{norm})"


def _metrics(stage: BoundStage) -> Iterator[str]:
    if stage.metrics:
        every = stage.run.metrics_every
        yield ""
        yield f"  metrics, every {every if isinstance(every, str) else f'{every} steps'} and at the end:"
    for name, spec in stage.metrics.items():
        count = f", {spec.keys.count} samples" if spec.keys.count else ""
        count += f", {spec.keys.generated} generated" if spec.keys.generated else ""
        count += f", on data of {spec.keys.on}" if spec.keys.on else ""
        yield f"    {name}: {spec.label}({_operands(spec.operands)}){count}, {spec.keys.statistics} statistics"


def _operands(operands: Mapping[str, Expression]) -> str:
    return ", ".join(f"{name} = {expression}" for name, expression in operands.items())


def _term(term: Term) -> str:
    weight = f"{term.weight:+g}" if isinstance(term.weight, float) else f"+{_number(term.weight)}"
    return f"{weight} × {term.name}: {term.label}({_operands(term.operands)})"


def _watched(controller: Controller) -> str:
    names = ", ".join(controller.watches())
    return f"{names}, and the norms of their gradients in the last update" if controller.gradients else names


def _number(value: float | Schedule | Controller) -> str:
    if not isinstance(value, float):
        options = ", ".join(f"{name} {number}" for name, number in value.model_dump().items() if number is not None)
        return f"[{CAPITAL.sub('_', type(value).__name__).lower()}: {options}]"
    return f"{value:g}"
