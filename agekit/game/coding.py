"""A view cut in two at its code: what makes codes of pictures, and what makes pictures of codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from ..contracts import CODE
from .calibrate import Key
from .graph import Node
from .plan import ViewPlan
from .views import Gallery


@dataclass(frozen=True)
class Coder:
    """What stands before, and what stands after, the code that a view's result is made of: e(x), and g(…), of g(e(x)).

    Where several codes follow one another it is the last; where the view shows codes it is what is shown. Batch-norm
    goes by the statistics of the whole: behind a code of another origin, g is as it is in g(e(x)).
    """

    gallery: Gallery
    plan: ViewPlan
    at: int

    @property
    def text(self) -> str:
        """The expression of the code."""
        return self.plan.nodes[self.at].text

    @property
    def of_data(self) -> bool:
        """Whether the code is made of x, and of nothing else of the data or drawn."""
        nodes = self.plan.nodes
        return {nodes[i].name for i in _reached(nodes, self.at) if nodes[i].op in ("field", "draw")} == {"x"}

    def encode(self, leaves: Mapping[str, Tensor], key: Key = ("encode",)) -> Tensor:
        """The codes [n, dim]; where the network makes a distribution, one draw of it each."""
        nodes, root = _above(self.plan.nodes, self.at)
        return self.gallery.evaluate(self.plan, nodes, leaves, key).sample(root)

    def decode(self, codes: Tensor, leaves: Mapping[str, Tensor], key: Key = ("decode",)) -> Tensor:
        """What the view shows where its code is this one: [n, …]."""
        given = replace(self.plan.nodes[self.at], op="draw", name=self.text, arguments=())
        nodes = [given if index == self.at else node for index, node in enumerate(self.plan.nodes)]
        above, root = _above(nodes, self.plan.of)
        return self.gallery.evaluate(self.plan, above, {**leaves, self.text: codes}, key).sample(root)


def coder(gallery: Gallery, plan: ViewPlan) -> Coder | None:
    """A view cut at its code; None where it has none."""
    above = _reached(plan.nodes, plan.of)
    codes = [index for index in above if plan.nodes[index].space.kind == CODE]
    return Coder(gallery, plan, max(codes)) if codes else None


def _reached(nodes: Sequence[Node], root: int) -> set[int]:
    """The nodes that one is made of, itself included."""
    found = {root}
    for index in range(root, -1, -1):
        if index in found:
            found.update(nodes[index].arguments)
    return found


def _above(nodes: Sequence[Node], root: int) -> tuple[list[Node], int]:
    """The nodes that one is made of, in their order, and which of them it is."""
    kept = sorted(_reached(nodes, root))
    places = {old: new for new, old in enumerate(kept)}
    return [replace(nodes[i], arguments=tuple(places[a] for a in nodes[i].arguments)) for i in kept], places[root]
