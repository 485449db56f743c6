"""What a plan costs, counted on shapes alone: calls, floating-point operations, activations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from .bound import Recipe
from .graph import Scope
from .networks import apply_to_shapes, build, normalisers
from .passes import Passes
from .plan import Plan


@dataclass(frozen=True)
class Call:
    """One application of a network to one sample: forward operations, and floats that autograd keeps."""

    flops: int
    activations: int


@dataclass(frozen=True)
class Cost:
    """By network: its parameters, and what its application to one sample costs."""

    parameters: Mapping[str, int]
    calls: Mapping[str, Call]
    normalised: Mapping[str, tuple[int, int]]
    """The networks with batch-norm: how many such layers each has, and channels in all of them."""


def cost(recipe: Recipe, scope: Scope) -> Cost:
    """Count on the meta device. Raises `RecipeError` where a network cannot be built."""
    networks = build(recipe, scope, torch.device("meta"))
    originals = {name: spec.keys.average_of or name for name, spec in recipe.networks.items()}
    counted = {name: _counted(networks[name], scope, name) for name in set(originals.values())}
    return Cost(
        {name: sum(p.numel() for p in network.parameters()) for name, network in networks.items()},
        {name: counted[original] for name, original in originals.items()},
        {name: _normalised(network) for name, network in networks.items() if normalisers(network)},
    )


def _normalised(network: nn.Module) -> tuple[int, int]:
    layers = normalisers(network)
    return len(layers), sum(layer.num_features for layer in layers)


def _counted(network: nn.Module, scope: Scope, name: str) -> Call:
    kept: list[int] = []

    def keep(_: nn.Module, __: object, made: object) -> None:
        kept.append(made.numel() if isinstance(made, Tensor) else 0)

    handles = [layer.register_forward_hook(keep) for layer in _layers(network)]
    with FlopCounterMode(display=False) as counter:
        apply_to_shapes(network, scope.networks[name], 1)
    for handle in handles:
        handle.remove()
    return Call(counter.get_total_flops(), sum(kept))


def _layers(network: nn.Module) -> list[nn.Module]:
    """The modules without parts; what makes a layer's weights, as spectral normalisation does, is none of its parts."""
    inside = "parametrizations"
    return [
        module
        for name, module in network.named_modules()
        if inside not in name.split(".") and all(part == inside for part, _ in module.named_children())
    ]


def update_flops(plan: Plan, over: Passes, calls: Mapping[str, Call]) -> int:
    """Operations of one update on one sample: a forward for each call in each pass, a backward where gradients pass.

    A gradient with respect to inputs costs about a forward, one with respect to weights another; a trained call whose
    inputs need no gradient skips the former.
    """
    modes = dict(zip((node.text for node in plan.nodes), plan.modes, strict=True))
    total = 0
    for index, node in enumerate(plan.nodes):
        if node.op != "network":
            continue
        forward = (index in over.ahead) + (index in over.last)
        inward = any(modes[plan.nodes[one].text] != "constant" for one in node.arguments)
        mode = modes[node.text]
        backward = 0 if mode == "constant" else (mode == "trained") + inward
        total += calls[node.name].flops * (forward + backward)
    return total
