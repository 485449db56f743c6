"""From a document to a valid recipe, or to the list of everything that is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice

from ..contracts import CODE, Operator
from ..errors import MOST_TOLD, Problem, RecipeError, nearest
from ..recipe.compose import STAGE_KEYS, stages
from ..recipe.language import Expression, calls, names, parse_expression
from ..recipe.source import Document, Key
from ..recipe.tables import About, Compute, DataKeys, Run, Sentinel, Stage, View
from ..registry import Registries
from . import judged
from .bind import Binder
from .bound import BoundStage, MetricSpec, Player, Recipe
from .graph import DRAW, REFERENCE, Graph, Scope
from .passes import indivisible
from .plan import plan_metrics, plan_player, plan_term, plan_view
from .program import Program
from .scope import leaves, signature
from .stages import carriable, same_throughout
from .watching import check_controllers

PLAIN = re.compile(r"\w[\w-]{,99}\Z")
"""Names of players, terms, views and metrics become names of curves and of files."""

MOST_NETWORKS = 64

TABLES = {"about", "data", "latent", "networks", "players", "views", "metrics", "run", "sentinel", "compute"}


def bind(document: Document, registries: Registries, name: str) -> Recipe:
    """Bind and check a composed document. Raises `RecipeError` with every problem found."""
    problems: list[Problem] = []
    recipes = [
        _bind_stage(laid, document, position, registries, name, problems)
        for position, laid in enumerate(stages(document))
        if len(problems) <= MOST_TOLD
    ]
    whole = [recipe for recipe in recipes if recipe]
    if len(whole) == len(recipes):
        _check_trained(whole, Binder(document, registries, problems))
    if not problems:
        for position, later in enumerate(whole[1:], start=1):
            problems += same_throughout(whole[0], later, document, position)
            problems += carriable(whole[position - 1], later, document, position)
    if problems or not whole:
        raise RecipeError(list(dict.fromkeys(problems)))
    return replace(whole[0], document=document, stages=tuple(recipe.stages[0] for recipe in whole))


def _bind_stage(
    laid: Document, document: Document, position: int, registries: Registries, name: str, problems: list[Problem]
) -> Recipe | None:
    """The recipe as it is in one stage, as far as it can be bound; None where too little of it can."""
    binder = Binder(laid, registries, problems)
    fitting = TABLES | {"extends", "stages"} | (STAGE_KEYS if "stages" in document.tree else set())
    for key in islice((key for key in laid.tree if key not in TABLES), MOST_TOLD + 1):
        binder.wrong((key,), f"unknown key; {nearest(key, fitting - {key})}")
    about, run, compute = binder.top(About, "about"), binder.top(Run, "run"), binder.top(Compute, "compute")
    sentinel = binder.top(Sentinel, "sentinel") or Sentinel()
    stage = _stage_keys(document, position, Binder(document, registries, problems))
    data, dataset = binder.data()
    reference = binder.reference()
    networks = binder.networks()
    players = binder.players()
    views, metrics = judged.views(binder), judged.metrics(binder)
    derived = {n: binder.expression(text, ("data", "fields", n)) for n, text in (data.fields if data else {}).items()}
    tables = (laid.tree.get(table, {}) for table in ("networks", "players", "latent"))
    if not dataset or not all(isinstance(table, dict) for table in tables):
        return None
    data = data or DataKeys()
    operators = {n: registries.operators[n]() for n in registries.operators}
    stage = stage or Stage()
    held_out, share = judged.held_out(binder, dataset[1])
    whole = Recipe(
        name,
        laid,
        about or About(),
        run or Run(steps=1),
        compute or Compute(),
        dataset[0].split()[1],
        dataset[1],
        held_out,
        share,
        {n: text for n, text in derived.items() if text},
        reference,
        {n: operator for n, operator in operators.items() if isinstance(operator, Operator)},
        (
            BoundStage(
                stage, data.batch, data.flip, run or Run(steps=1), sentinel, tuple(players), networks, views, metrics
            ),
        ),
    )
    _check(whole, binder)
    return whole


def _stage_keys(document: Document, position: int, binder: Binder) -> Stage | None:
    listed = document.tree.get("stages")
    if listed is None:
        return Stage()
    if not (isinstance(listed, list) and listed and all(isinstance(table, dict) for table in listed)):
        binder.wrong(("stages",), "is a list of tables, each written [[stages]]")
        return None
    own = {key: value for key, value in listed[position].items() if key in STAGE_KEYS}
    return binder.keys(Stage, {"name": f"stage {position + 1}", **own}, ("stages", position))


def _check(recipe: Recipe, binder: Binder) -> None:
    """Names, ownership, kinds and shapes: all that can be known before any tensor exists."""
    stage = recipe.stages[0]
    if not binder.document.tree.get("players"):
        binder.wrong(("players",), "is empty: a game has at least one player")
    if (stage.keys.steps or stage.run.steps) is None and (stage.keys.epochs or stage.run.epochs) is None:
        binder.wrong(("run",), "says no length: run.steps or run.epochs (or those of each stage) is needed")
    _check_names(recipe, binder)
    _check_ownership(stage, binder)
    scope = _checked_scope(recipe, binder)
    for player in stage.players:
        _check_terms(player, scope, binder, divided=stage.batch > (recipe.compute.micro_batch or stage.batch))
    check_controllers(recipe, scope, binder)
    for name, view in stage.views.items():
        _check_view(name, view, scope, binder)
    for metric in stage.metrics.values():
        _check_metric(metric, scope, binder)
    judged.check_best(stage, binder)


def _check_names(recipe: Recipe, binder: Binder) -> None:
    fields = recipe.dataset.fields()
    if len(recipe.networks) > MOST_NETWORKS:
        binder.wrong(("networks",), f"{len(recipe.networks)} networks, where at most {MOST_NETWORKS} fit")
    for name in recipe.networks:
        if not PLAIN.match(name) or not name.isidentifier() or DRAW.match(name) or name == REFERENCE:
            binder.wrong(("networks", name), "is no name for a network: z, z2, … are draws and y is the reference")
        elif name in fields or name in recipe.derived or name in recipe.operators:
            what = "an operator" if name in recipe.operators else "a field of the data"
            binder.wrong(("networks", name), f"has the name of {what}; choose another")
    for name in recipe.derived:
        if name in fields or DRAW.match(name) or name == REFERENCE or not name.isidentifier():
            binder.wrong(("data", "fields", name), "the name is taken; choose another")
    stage = recipe.stages[0]
    keys: list[Key] = [*(("views", name) for name in stage.views), *(("metrics", name) for name in stage.metrics)]
    keys += [("players", player.name) for player in stage.players]
    keys += [("players", player.name, "terms", term.name) for player in stage.players for term in player.terms]
    for key in keys:
        if not PLAIN.match(str(key[-1])):
            binder.wrong(key, "is no plain name: up to 100 letters, digits, dashes and underscores fit")


def _check_ownership(stage: BoundStage, binder: Binder) -> None:
    owners: dict[str, str] = {}
    for player in stage.players:
        key = ("players", player.name, "owns")
        if not player.owns:
            binder.wrong(key, "is empty: the player has nothing to train")
        for name in player.owns:
            spec = stage.networks.get(name)
            if spec is None and name in _unbound(stage.networks, "networks", binder.document):
                continue
            if spec is None:
                binder.wrong(key, f"no network is called {name!r}; {nearest(name, stage.networks)}")
            elif spec.keys.average_of is not None:
                binder.wrong(key, f"{name} is the running average of {spec.keys.average_of}, and cannot be trained")
            elif isinstance(spec.component, Program):
                binder.wrong(key, f"{name} is an exported program, and cannot be trained")
            elif name in owners:
                both = " and by ".join(dict.fromkeys((owners[name], player.name)))
                binder.wrong(key, f"{name} is owned twice, by {both}")
            owners.setdefault(name, player.name)


def _check_trained(recipes: Sequence[Recipe], binder: Binder) -> None:
    """Each network is owned in some stage, or its weights come from elsewhere."""
    stages = [recipe.stages[0] for recipe in recipes]
    if any(_unbound((p.name for p in r.stages[0].players), "players", r.document) for r in recipes):
        return
    for name, spec in stages[0].networks.items():
        lent = spec.keys.source is not None or spec.keys.average_of is not None
        if not lent and not any(stage.owner(name) for stage in stages):
            binder.wrong(
                ("networks", name),
                "nobody trains it: let a player own it, or say where its weights come from (from, average_of)",
            )


def _unbound(bound: Iterable[str], table: str, document: Document) -> set[str]:
    """The entries of a table that could not be bound; they are reported already, and what names them is not."""
    return set(document.tree.get(table, {})) - set(bound)


def _checked_scope(recipe: Recipe, binder: Binder) -> Scope:
    """The scope with the networks whose signature makes sense; the others are reported."""
    bare = leaves(recipe.dataset.fields(), recipe.derived, recipe.reference.dim if recipe.reference else None)
    bare = replace(bare, operators=recipe.operators)
    for name, expression in recipe.derived.items():
        _check_derived(name, expression, bare, recipe, binder)
    signatures = {}
    for name, spec in recipe.networks.items():
        try:
            signatures[name] = signature(spec, bare)
        except ValueError as error:
            if recipe.reference or "latent" not in binder.document.tree:
                binder.wrong(("networks", name), str(error))
    return replace(bare, networks=signatures)


def _check_derived(name: str, expression: Expression, scope: Scope, recipe: Recipe, binder: Binder) -> None:
    key = ("data", "fields", name)
    for used in names(expression):
        drawn = DRAW.match(used) or used == REFERENCE
        if (used in recipe.networks or drawn) and used not in scope.fields:
            binder.wrong(key, f"uses {used}, and a field is derived from other fields alone, by operators")
            return
    try:
        Graph(scope).add(expression)
    except ValueError as error:
        binder.refused(key, error)


def _check_terms(player: Player, scope: Scope, binder: Binder, *, divided: bool) -> None:
    sound = True
    for term in player.terms:
        key: Key = ("players", player.name, "terms", term.name)
        sound &= _sound(term.operands, partial(plan_term, term, Graph(scope)), key, scope, binder)
    if sound:
        plan = plan_player(player, scope)
        trained = {node.name for node, mode in zip(plan.nodes, plan.modes, strict=True) if mode == "trained"}
        if idle := [name for name in player.owns if name in scope.networks and name not in trained]:
            binder.wrong(("players", player.name, "owns"), f"none of its terms trains {', '.join(idle)}")
        for planned, why in indivisible(plan.terms) if divided else ():
            key = ("players", player.name, "terms", planned.term.name)
            binder.wrong(key, f"{planned.term.label} {why}: it needs the batch at once, without compute.micro_batch")


def _sound(
    operands: Mapping[str, Expression], plan: Callable[[], object], key: Key, scope: Scope, binder: Binder
) -> bool:
    """Whether each operand makes sense by itself, and then all together."""
    each = [_checked(partial(Graph(scope).add, e), [e], (*key, name), scope, binder) for name, e in operands.items()]
    return all(each) and _checked(plan, (), key, scope, binder)


def _check_metric(metric: MetricSpec, scope: Scope, binder: Binder) -> None:
    _sound(metric.operands, partial(plan_metrics, [metric], scope), ("metrics", metric.name), scope, binder)


def _check_view(name: str, view: View, scope: Scope, binder: Binder) -> None:
    key = ("views", name)
    try:
        expressions = view_expressions(view)
    except ValueError as error:
        binder.wrong(key, str(error))
    else:
        _checked(partial(plan_view, name, view, expressions, scope), expressions.values(), key, scope, binder)


def _checked(
    plan: Callable[[], object], expressions: Collection[Expression], key: Key, scope: Scope, binder: Binder
) -> bool:
    """Whether something can be planned. Where it uses what could not be bound, only its names are looked at."""
    unbound = _unbound(scope.networks, "networks", binder.document)
    if scope.code is None and (unbound or "latent" in binder.document.tree):
        unbound |= {CODE, REFERENCE}
    used = {name for expression in expressions for name in names(expression)}
    applied = {name for expression in expressions for name in calls(expression)}
    if unbound & used:
        known = scope.calls() | scope.leaves() | unbound
        for name in sorted(used - known):
            if not DRAW.match(name):
                message = f"nothing is called {name!r}; {nearest(name, known)}"
                binder.wrong(key, message, unknown_component=name in applied)
        return False
    try:
        plan()
    except ValueError as error:
        binder.refused(key, error)
        return False
    return True


def view_expressions(view: View) -> dict[str, Expression]:
    """The parsed expressions of a view. Raises `ValueError` where one is malformed."""
    texts = {"of": view.of, "beside": view.beside}
    return {key: parse_expression(text) for key, text in texts.items() if text is not None}
