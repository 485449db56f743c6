"""The plan in words: what will run, in which mode, from which draws, at what cost."""

from __future__ import annotations

from collections.abc import Iterator

from ..contracts import Schedule
from .bound import BoundStage, Player, Recipe, Term
from .cost import Cost, update_flops
from .graph import Scope
from .plan import MEANING, Plan, plan_player


def describe_plan(recipe: Recipe, scope: Scope, cost: Cost) -> str:
    """The plan of every stage, as text."""
    return "\n".join(_lines(recipe, scope, cost)) + "\n"


def _lines(recipe: Recipe, scope: Scope, cost: Cost) -> Iterator[str]:
    yield f"recipe    {recipe.name}"
    yield f"data      {recipe.dataset_name}: " + ", ".join(str(space) for space in scope.fields.values())
    if recipe.reference and scope.code:
        yield f"latent    {type(recipe.reference).summary()} {scope.code}"
    yield ""
    yield from _networks(recipe, scope, cost)
    for position, stage in enumerate(recipe.stages):
        yield ""
        yield f"stage {stage.keys.name}: {_length(stage)}, batch {stage.batch}, optimizers {_begin(stage, position)}"
        for player in stage.players:
            yield ""
            yield from _player(player, plan_player(player, scope), stage, cost)
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
        owner = recipe.stages[0].owner(name)
        role = f"trained by {owner}" if owner else origin or "frozen"
        mode = keys.statistics or ("batch" if owner else "running")
        size = f"{cost.parameters[name]:,} parameters"
        yield f"network   {name}: {sees} -> {signature.makes}, {size}, {role}, {mode} statistics"


def _length(stage: BoundStage) -> str:
    steps = stage.keys.steps or (None if stage.keys.epochs else stage.run.steps)
    return f"{steps} steps" if steps else f"{stage.keys.epochs or stage.run.epochs} epochs"


def _begin(stage: BoundStage, position: int) -> str:
    return stage.keys.optimizer if position else "fresh"


def _player(player: Player, plan: Plan, stage: BoundStage, cost: Cost) -> Iterator[str]:
    times = f"{player.updates} update{'s' if player.updates > 1 else ''} a step"
    yield f"  player {player.name}: trains {', '.join(player.owns)}; {times}; lr {_number(player.optimizer.lr)}"
    calls = cost.calls.get(player.name, {})
    width = max([len(node.text) for node in plan.nodes] + [8])
    for node, mode in zip(plan.nodes, plan.modes, strict=True):
        if node.op == "network" and node.text in calls:
            call = calls[node.text]
            flops, floats = call.flops * stage.batch / 1e9, call.activations * stage.batch / 1e6
            size = f"{flops:8.2f} GFLOP forward {floats:8.2f} M activations"
        else:
            size = {"draw": "drawn anew in each update", "field": "data, drawn anew in each update"}.get(node.op, "")
        shown = mode if node.op in ("network", "operator") else node.op
        yield f"    {node.text:<{width}}  {shown:<9}  {size}".rstrip()
    for planned in plan.terms:
        yield f"    {_term(planned.term)}"
    if calls:
        yield f"    one update: {update_flops(plan, calls) * stage.batch / 1e9:.2f} GFLOP"


def _term(term: Term) -> str:
    operands = ", ".join(f"{name} = {expression}" for name, expression in term.operands.items())
    return f"+ {_number(term.weight)} × {term.name}: {term.label}({operands})"


def _number(value: float | Schedule) -> str:
    if isinstance(value, Schedule):
        options = ", ".join(f"{name} {number}" for name, number in value.model_dump().items() if number is not None)
        return f"[{type(value).__name__.lower()}: {options}]"
    return f"{value:g}"
