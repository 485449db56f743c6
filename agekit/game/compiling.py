"""Networks that are compiled: all but those through which some loss takes derivatives itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

from .bound import Recipe
from .graph import Scope
from .plan import Plan, plan_player

BACKEND = "inductor"
VARIANTS = 64
"""A network is compiled anew for each way in which it is applied: with gradients or without, by a batch's size."""


def eager(plans: Iterable[Plan]) -> set[str]:
    """The networks under gradient penalties: what is compiled has no second derivative."""
    found: set[str] = set()
    for plan in plans:
        above = set(plan.watched)
        for index, node in enumerate(plan.nodes):
            if above & {*node.arguments}:
                above.add(index)
                found |= {node.name} if node.op == "network" else set()
    return found


def compile_networks(networks: Mapping[str, nn.Module], recipe: Recipe, scope: Scope) -> list[str]:
    """Compile the networks that can be in every stage, where they stand, and name them."""
    import torch._dynamo  # a second, which only those wait for who compile
    import torch._functorch.config
    import torch._inductor.config

    torch._dynamo.config.recompile_limit = VARIANTS
    torch._functorch.config.donated_buffer = False  # some gradients are taken twice of one graph
    torch._inductor.config.fallback_random = True  # draws stay functions of what they are for
    left = eager(plan_player(player, scope) for stage in recipe.stages for player in stage.players)
    names = [name for name in networks if name not in left]
    for name in names:
        networks[name].compile(backend=BACKEND)
    return names


def as_written(compiled: Iterable[str]) -> AbstractContextManager[object]:
    """Meanwhile, networks that were compiled are applied as they were written: what is seldom done is not compiled."""
    return torch.compiler.set_stance("force_eager") if compiled else nullcontext()
