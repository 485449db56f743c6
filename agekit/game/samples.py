"""Samples that are judged: which they are, how many, and what expressions come to on them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..contracts import draws
from ..data.order import indices
from ..recipe.language import Expression
from ..recipe.tables import Statistics
from .calibrate import evaluate
from .flow import Flow, precise
from .game import Game, Samples
from .graph import Graph, Node
from .views import Gallery


@dataclass(frozen=True)
class Sampling:
    """Samples on which expressions are evaluated together: which, how many, with which batch-norm statistics."""

    data: Samples
    count: int
    statistics: Statistics


@dataclass(frozen=True)
class Gathering:
    """A set of samples to be had whole: what an expression comes to on all that are drawn for it."""

    expression: Expression
    sampling: Sampling


class Memory(Protocol):
    """Keeps what does not change from one judgement to the next: features of real samples."""

    def recall(self, identity: str) -> Tensor | None:
        """What was kept under this identity, or None."""

    def keep(self, identity: str, values: Tensor) -> None:
        """Keep values under their identity."""


@dataclass
class Sampler:
    """Evaluates expressions of a game as it stands, batch by batch.

    Samples and draws are functions of the seed, and do not depend on `batch`.
    """

    gallery: Gallery
    batch: int
    seed: int

    def flows(self, nodes: Sequence[Node], sampling: Sampling) -> Iterator[tuple[Flow, int]]:
        """The values of all nodes, batch by batch, and the size of each batch; no two sizes differ by more than one."""
        game, count = self.gallery.game, sampling.count
        buffers = self.gallery.buffers(sampling.statistics)
        drawn = {n.name: game.draw(count, self.seed, "judge", n.name) for n in nodes if n.op == "draw"}
        fields = [node.name for node in nodes if node.op == "field"]
        chosen = self.chosen(sampling) if fields else np.arange(count)
        for part in np.array_split(np.arange(count), -(-count // self.batch)):
            rows = slice(part[0], part[-1] + 1)
            leaves = {name: codes[rows] for name, codes in drawn.items()}
            if fields:
                leaves |= game.judged_data(sampling.data).take(chosen[rows], fields)
            key = (self.seed, "judge", int(part[0]))
            by_batch = sampling.statistics == "batch"
            yield evaluate(game, nodes, leaves, buffers, key, by_batch=by_batch), len(part)

    def chosen(self, sampling: Sampling) -> NDArray[np.int64]:
        """Which samples are judged: the same for every metric of as many, in their order in the data."""
        length = self.gallery.game.judged_data(sampling.data).length
        return np.sort(indices(length, sampling.count, seed=self.seed, stream="judge", step=0))

    def gather(self, gathering: Gathering, memory: Memory | None, told: Callable[[int], None]) -> Tensor:
        """What an expression comes to on all its samples, in the CPU's memory; `told` hears of each batch's size."""
        nodes, root = graph_of(self.gallery.game, gathering.expression)
        identity = self._identity(gathering, nodes) if memory else None
        if memory and identity and (kept := memory.recall(identity)) is not None:
            told(len(kept))
            return kept
        parts = []
        for flow, size in self.flows(nodes, gathering.sampling):
            parts.append(precise(flow.sample(root)).cpu())
            told(size)
        values = torch.cat(parts)
        if memory and identity:
            memory.keep(identity, values)
        return values

    def _identity(self, gathering: Gathering, nodes: Sequence[Node]) -> str | None:
        """All that a set depends on besides the data; None where it moves with training or draws, or is the data."""
        game, networks = self.gallery.game, {node.name for node in nodes if node.op == "network"}
        operators = {node.name: game.recipe.operators[node.name] for node in nodes if node.op == "operator"}
        learnt = any(stage.owner(name) for stage in game.recipe.stages for name in networks)
        averaged = any(game.recipe.networks[name].keys.average_of for name in networks)
        drawn = any(node.op == "draw" for node in nodes) or any(draws(type(one).__call__) for one in operators.values())
        if learnt or averaged or drawn or not (networks or operators):
            return None
        derived = {node.name: str(game.recipe.derived[node.name]) for node in nodes if node.op == "derived"}
        named = {name: {**operator.provenance()} for name, operator in operators.items()}
        weights = {name: sha256_of_tensors(game.networks[name].state_dict()) for name in networks}
        components = {name: repr(game.recipe.networks[name].component) for name in networks}
        said = [str(gathering.expression), derived, named, weights, components, asdict(gathering.sampling)]
        whole = gathering.sampling.count == game.judged_data(gathering.sampling.data).length
        return json.dumps([*said, "all" if whole else self.seed, game.recipe.compute.precision], sort_keys=True)


def graph_of(game: Game, expression: Expression) -> tuple[list[Node], int]:
    """The nodes of an expression, and which of them it is."""
    graph = Graph(game.scope)
    root = graph.add(expression)
    return graph.nodes, root


def sha256_of_tensors(tensors: Mapping[str, Tensor]) -> str:
    """The SHA-256 of tensors and their names, such as those of a network's `state_dict()`."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {[*tensor.shape]}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
