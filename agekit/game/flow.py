"""Computing the nodes of a graph, each once, in its mode."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from ..contracts import Loss, Operator, Reference, draws
from ..errors import Problem, RecipeError
from .blame import blamed
from .graph import Node, Scope
from .plan import Bind, Mode, PlannedTerm
from .portions import Portion
from .precision import exactly
from .randomness import Cut, Draws, Part

Apply = Callable[[int, Node, tuple[Any, ...]], Any]
"""How a network is applied: the node's number, the node, its inputs."""


class Flow:
    """The values of one evaluation; its draws are cut for a portion of a batch."""

    def __init__(
        self,
        nodes: Sequence[Node],
        modes: Sequence[Mode],
        scope: Scope,
        apply: Apply,
        draws: Draws,
        watched: frozenset[int] = frozenset(),
        portion: Portion | None = None,
    ) -> None:
        self.nodes, self.modes, self.scope, self.apply, self.draws = nodes, modes, scope, apply, draws
        self.watched = watched
        self.portion = portion
        self.values: list[Any] = [None] * len(nodes)
        self._drawn: dict[int, Tensor] = {}

    def run(self, leaves: Mapping[str, Any], wanted: Collection[int] | None = None) -> Flow:
        """Compute every node, or those that are wanted; `leaves` holds the fields and the draws by name."""
        for index in range(len(self.nodes)) if wanted is None else sorted(wanted):
            with torch.set_grad_enabled(self.modes[index] != "constant"):
                value = self._value(index, self.nodes[index], leaves)
            if index in self.watched and not value.requires_grad:
                value = value.detach().requires_grad_()
            self.values[index] = value
        return self

    def _value(self, index: int, node: Node, leaves: Mapping[str, Any]) -> Any:
        if node.op in ("field", "draw"):
            return leaves[node.name]
        inputs = tuple(self.sample(argument) for argument in node.arguments)
        if node.op == "derived":
            return inputs[0]
        if node.op == "network":
            named = blamed(f"networks.{node.name}, applied in {node.text}")
            with self.draws.within("within", node.text), self._cutting(), named:
                return self.apply(index, node, inputs)
        operator: Operator = self.scope.operators[node.name]
        named = blamed(f"operator {node.name}, applied in {node.text}")
        with exactly(self.draws.device), self._cutting(), named:
            return operator(*map(precise, inputs), **self.chance(operator, "operator", node.name))

    def _cutting(self) -> AbstractContextManager[object]:
        return Cut(self.portion) if self.portion and not self.portion.whole else nullcontext()

    def sample(self, index: int) -> Tensor:
        """A node's value; where that is a distribution, one draw of it, the same whoever asks."""
        value = self.values[index]
        if not isinstance(value, Distribution):
            tensor: Tensor = value
            return tensor
        if index not in self._drawn:
            graph = torch.set_grad_enabled(self.modes[index] != "constant")
            with graph, self.draws.within("of", self.nodes[index].text), self._cutting():
                self._drawn[index] = value.rsample()
        return self._drawn[index]

    def chance(self, component: Loss | Operator, *name: Part) -> dict[str, torch.Generator]:
        """The generator for a component that draws; nothing for one that does not."""
        if not draws(type(component).__call__):
            return {}
        return {"generator": self.draws.generator(*name)}

    def operands(self, binds: Iterable[Bind], reference: Reference | None) -> list[Any]:
        """What operands are bound to: samples in float32 or better, distributions, or the reference itself."""
        bound = (
            reference if bind.node is None else self.values[bind.node] if bind.distribution else self.sample(bind.node)
            for bind in binds
        )
        return [precise(value) for value in bound]

    def operand(self, index: int) -> Tensor:
        """A node's samples, in float32 or better."""
        value: Tensor = precise(self.sample(index))
        return value

    def term(self, planned: PlannedTerm, reference: Reference | None) -> Tensor:
        """The value of a term: a scalar, unweighted, computed in float32 or better.

        Raises `RecipeError`, naming the term, where the loss refuses its operands, and `PluginError` where it fails.
        """
        return self.value_of(planned, self.operands(planned.binds, reference))

    def value_of(self, planned: PlannedTerm, operands: Sequence[Any]) -> Tensor:
        """The value of a term on operands of any origin, as `term` has it."""
        term = planned.term
        try:
            named = blamed(f"term {term.name}: {term.label}", term.loss)
            with exactly(self.draws.device), named:
                return term.loss(*operands, **self.chance(term.loss, "term", term.name)).mean()
        except ValueError as error:
            raise RecipeError([Problem(f"term {term.name}", f"{term.label}: {error}")]) from error


def precise(value: Any) -> Any:
    """A tensor in half precision as float32; everything else as it is."""
    return value.float() if isinstance(value, Tensor) and value.dtype in (torch.bfloat16, torch.float16) else value
