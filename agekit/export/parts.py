"""What is exported: networks of a run, each with the weights and the statistics that it is to be applied with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from ..contracts import CODE, Space
from ..errors import AgekitError, nearest
from ..game.game import Game
from ..game.networks import Buffers, call_with, normalisers
from ..game.program import Program
from ..game.randomness import generator
from ..game.views import Gallery
from ..recipe.language import Call, Name, parse_expression


@dataclass(frozen=True)
class Part:
    """A network as it is exported.

    `name` is that of the network, and `source` of whose weights it has: its own, or its running average's. `buffers`
    replace its own; `statistics` says what batch-norm goes by.
    """

    game: Game
    name: str
    source: str
    buffers: Buffers
    statistics: str

    @property
    def sees(self) -> tuple[Space, ...]:
        return self.game.scope.networks[self.name].sees

    @property
    def makes(self) -> Space:
        return self.game.scope.networks[self.name].makes

    @property
    def weights(self) -> str:
        """Whether the weights are as they were trained, or averaged."""
        return "raw" if self.source == self.name else f"ema ({self.source})"

    def inputs(self, count: int) -> tuple[Tensor, ...]:
        """Draws for codes, and noise for everything else, of `count` samples: the same for the same count."""
        return tuple(self._input(space, index, count) for index, space in enumerate(self.sees))

    def _input(self, space: Space, index: int, count: int) -> Tensor:
        game, key = self.game, (self.game.recipe.run.seed, "export", count, index)
        if space.kind == CODE:
            return game.draw(count, *key)
        chance, shape = generator(game.device, *key), (count, *(size or 1 for size in space.shape))
        if space.kind in game.fields and space.classes:
            return torch.randint(len(space.classes), shape, generator=chance)
        return (torch.rand(shape, generator=chance) * 2 - 1).to(game.layout.dtype)

    @torch.no_grad()
    def made(self, inputs: tuple[Tensor, ...]) -> Tensor:
        """What the run itself makes of these inputs; of a distribution, its mean."""
        return mean_of(call_with(self.game.networks[self.source].eval(), self.buffers, inputs))


def mean_of(made: Any) -> Tensor:
    """A tensor as it is, and of a distribution its mean, which needs no draw."""
    tensor: Tensor = made.mean if isinstance(made, Distribution) else made
    return tensor


class Applied(nn.Module):
    """A network that makes a tensor, whatever it made."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Tensor) -> Tensor:
        return mean_of(self.network(*inputs))


def parts_of(gallery: Gallery, names: Iterable[str], weights: str, statistics: str | None) -> list[Part]:
    """The networks to export: those named, or else all that are trained; with the statistics that are asked for.

    Without a word on statistics they are recalibrated where the run has such, else running. Raises `AgekitError` where
    what is asked is not there.
    """
    game = gallery.game
    specs = game.recipe.networks
    averages = {str(spec.keys.average_of): name for name, spec in specs.items() if spec.keys.average_of is not None}
    if weights == "ema" and not averages:
        raise AgekitError("--weights ema: the run keeps no running average of a network (average_of)")
    chosen = list(names) or [name for name, spec in specs.items() if _trained(game, name)]
    parts = []
    for name in chosen:
        if name not in specs:
            raise AgekitError(f"--networks {name}: no network is called so; {nearest(name, specs)}")
        if isinstance(specs[name].component, Program):
            raise AgekitError(f"--networks {name}: it is an exported program already: {specs[name].keys.source}")
        source = averages.get(name, name) if weights == "ema" else name
        parts.append(Part(game, name, source, *_statistics(gallery, source, statistics)))
    return parts


def _trained(game: Game, name: str) -> bool:
    return any(stage.owner(name) for stage in game.recipe.stages)


def _statistics(gallery: Gallery, network: str, wanted: str | None) -> tuple[Buffers, str]:
    """The buffers that a network is applied with, and in words what they are."""
    module = gallery.game.networks[network]
    own = {name: buffer.clone() for name, buffer in module.named_buffers()}
    if not normalisers(module):
        return own, "none to choose: it has no batch-norm"
    calls = list(_calls(gallery, network))
    if wanted == "recalibrated" and not calls:
        raise AgekitError(
            f"--statistics recalibrated: no view shows {network}(…), so that there are none; --statistics running fits"
        )
    if wanted == "running" or not calls:
        return own, "running"
    return {**own, **gallery.statistics[calls[0]]}, f"recalibrated on {calls[0]}"


def _calls(gallery: Gallery, network: str) -> Iterator[str]:
    """The calls of a network of which there are recalibrated statistics; those on draws and data first."""
    calls = [parse_expression(text) for text in gallery.statistics]
    own = [call for call in calls if isinstance(call, Call) and call.name == network]
    yield from map(str, sorted(own, key=lambda call: not all(isinstance(one, Name) for one in call.arguments)))
