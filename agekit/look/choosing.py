"""Which of a recipe's views a command shows: the recipe says the expressions, and no network's name is assumed."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import AgekitError, nearest
from ..game.coding import Coder, coder
from ..game.game import Game
from ..game.plan import ViewPlan
from ..game.views import Gallery

IMAGES = (1, 3)
"""The numbers of channels that a picture has."""


def of_draws(game: Game, name: str | None) -> ViewPlan:
    """The view that is named, or the first, of those of pictures that need no data."""
    return _chosen(game, name, lambda plan: _pictures(plan) and not _leaves(plan, "field"), "that needs no data")


def of_pictures(game: Game, name: str | None) -> ViewPlan:
    """The view that is named, or the first, of those of pictures made from x and nothing else of the data."""
    return _chosen(game, name, lambda plan: _pictures(plan) and _leaves(plan, "field") == {"x"}, "made from x")


def coder_of_draws(gallery: Gallery, name: str | None) -> Coder:
    """As `of_draws`, of those whose one draw is a code; cut there."""

    def fits(plan: ViewPlan) -> bool:
        drawn = _leaves(plan, "draw")
        cut = coder(gallery, plan)
        return _pictures(plan) and not _leaves(plan, "field") and cut is not None and drawn == {cut.text}

    return _cut(gallery, _chosen(gallery.game, name, fits, "made from one draw"))


def coder_of_pictures(gallery: Gallery, name: str | None) -> Coder:
    """As `of_pictures`, of those that pass x through a code, and draw nothing besides; cut there."""

    def fits(plan: ViewPlan) -> bool:
        cut = coder(gallery, plan)
        made = cut is not None and cut.of_data and plan.of != cut.at
        return made and _pictures(plan) and _leaves(plan, "field") == {"x"} and not _leaves(plan, "draw")

    return _cut(gallery, _chosen(gallery.game, name, fits, "made from the code of x"))


def coder_to_codes(gallery: Gallery, name: str | None) -> Coder:
    """The view that is named, or the first, of those in which x and nothing else is made into a code; cut there."""

    def fits(plan: ViewPlan) -> bool:
        cut = coder(gallery, plan)
        return cut is not None and cut.of_data

    chosen = _chosen(gallery.game, name, fits, "in which x becomes a code", of="")
    return _cut(gallery, chosen)


def _cut(gallery: Gallery, plan: ViewPlan) -> Coder:
    found = coder(gallery, plan)
    assert found is not None  # noqa: S101 - it was chosen for its code
    return found


def _chosen(
    game: Game, name: str | None, fits: Callable[[ViewPlan], bool], wanted: str, of: str = "of pictures "
) -> ViewPlan:
    views = game.views
    if name is not None and name not in views:
        raise AgekitError(f"no view is called {name!r}; {nearest(name, views)}")
    fitting = {plan.name: plan for plan in views.values() if fits(plan)}
    if not fitting:
        raise AgekitError(f"the recipe has no view {of}{wanted}; it has {', '.join(views) or 'none at all'}")
    chosen = name or next(iter(fitting))
    if chosen not in fitting:
        raise AgekitError(f"view {name} is not one {of}{wanted}; --view {' or '.join(fitting)} fits")
    return fitting[chosen]


def _pictures(plan: ViewPlan) -> bool:
    shape = plan.nodes[plan.of].space.shape
    return len(shape) == 3 and shape[0] in IMAGES


def _leaves(plan: ViewPlan, op: str) -> set[str]:
    return {node.name for node in plan.nodes if node.op == op}
