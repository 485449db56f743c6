"""Networks: built of their components, set to the mode that their owner gives them, averaged."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm

from ..contracts import CODE
from ..errors import Problem, RecipeError, told
from ..memory import lacking
from .bound import BoundStage, NetworkSpec, Recipe
from .graph import Scope, Signature
from .randomness import seed_of
from .wrappers import Coded, Merged

Buffers = dict[str, Tensor]


def build(recipe: Recipe, scope: Scope, device: torch.device) -> dict[str, nn.Module]:
    """Build all networks; the first weights of each are a function of the seed and the network's name.

    Raises `RecipeError` where a component cannot be built for its shapes, or makes another shape than it should.
    """
    built: dict[str, nn.Module] = {}
    problems: list[Problem] = []
    for name, spec in recipe.networks.items():
        if spec.keys.average_of is not None:
            continue
        try:
            built[name] = _built(recipe, spec, scope.networks[name], device)
        except ValueError as error:
            key = ("networks", name)
            problems.append(Problem(".".join(key), str(error), recipe.document.origin(key)))
    if problems:
        raise RecipeError(problems)
    for name, spec in recipe.networks.items():
        if spec.keys.average_of is not None:
            built[name] = copy.deepcopy(built[spec.keys.average_of]).requires_grad_(False)
    return {name: _laid_out(built[name], recipe) for name in recipe.networks}


def _laid_out(network: nn.Module, recipe: Recipe) -> nn.Module:
    if recipe.compute.precision == "fp64":
        network = network.double()
    if recipe.compute.channels_last:
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def _built(recipe: Recipe, spec: NetworkSpec, signature: Signature, device: torch.device) -> nn.Module:
    """Build a network without its numbers first: however large it is asked to be, that costs nothing."""
    unknown = [space for space in (*signature.sees, signature.built) if None in space.shape]
    if unknown:
        raise ValueError(f"the size of {unknown[0]} is not known before the data is prepared")
    try:
        hollow = _made(recipe, spec, signature, torch.device("meta"))
    except NotImplementedError:  # it looks at its own numbers as it is built, and so needs some
        hollow = _made(recipe, spec, signature, torch.device("cpu")).to("meta")
    _try(hollow, signature)
    return hollow if device.type == "meta" else _made(recipe, spec, signature, torch.device("cpu")).to(device)


def _made(recipe: Recipe, spec: NetworkSpec, signature: Signature, device: torch.device) -> nn.Module:
    with torch.random.fork_rng(devices=[]), device:
        torch.default_generator.manual_seed(seed_of(recipe.run.seed, "weights", spec.name))
        try:
            module = spec.component.build(signature.sees, signature.built)
        except (ValueError, NotImplementedError):
            raise
        except Exception as error:  # a plugin's own mistake, or numbers that no tensor can have
            if lacking(error) and device.type != "meta":
                raise
            raise ValueError(f"cannot be built: {told(error)}") from error
    if spec.makes == CODE and recipe.reference:
        module = Coded(module, recipe.reference)
    return module if signature.merged is None else Merged(module, signature.merged)


def _try(module: nn.Module, signature: Signature) -> None:
    """Pass shapes, without numbers, through a network: it must make what it promises."""
    try:
        made = apply_to_shapes(module, signature, 2)
    except Exception as error:  # what a layer says of shapes that do not fit is of many types
        seen = ", ".join(map(str, signature.sees))
        raise ValueError(f"cannot be applied to {seen}: {told(error)}") from error
    shape = list(made.batch_shape + made.event_shape if isinstance(made, Distribution) else made.shape)
    wanted = [2, *signature.makes.shape]
    if shape != wanted:
        raise ValueError(f"makes {shape} of a batch of 2, where {signature.makes} asks for {wanted}")


@torch.no_grad()
def apply_to_shapes(network: nn.Module, signature: Signature, count: int) -> Tensor | Distribution:
    """Pass `count` samples that have shapes and no numbers through a network on the meta device."""
    dtype = next((one.dtype for one in network.parameters() if one.is_floating_point()), torch.float32)
    shapes = [(count, *(size or 1 for size in space.shape)) for space in signature.sees]
    inputs = [torch.empty(shape, device="meta", dtype=dtype) for shape in shapes]
    checked = Distribution._validate_args
    Distribution.set_default_validate_args(False)  # it would look at the numbers
    try:
        made: Tensor | Distribution = network.eval()(*inputs)
    finally:
        Distribution.set_default_validate_args(checked)
    return made


def normalisers(network: nn.Module) -> list[_BatchNorm]:
    """The batch-norm layers that keep running statistics."""
    return [m for m in network.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]


def set_modes(networks: Mapping[str, nn.Module], stage: BoundStage) -> None:
    """Training mode for what some player of the stage owns, in every player's update; evaluation mode for the rest.

    Batch-norm is part of the method: an encoder whose statistics stop moving while the generator plays is another
    encoder. `statistics` of a network overrides its batch-norm layers.
    """
    for name, network in networks.items():
        owned = stage.owner(name) is not None
        network.train(owned)
        statistics = stage.networks[name].keys.statistics
        for layer in normalisers(network) if statistics else ():
            layer.train(statistics == "batch")


def clones(network: nn.Module) -> Buffers:
    """Copies of a network's buffers."""
    return {name: buffer.clone() for name, buffer in network.named_buffers()}


def statistics_of(network: nn.Module) -> set[str]:
    """The names of the buffers that are running statistics of batch-norm."""
    layers = set(normalisers(network))
    paths = [name for name, module in network.named_modules() if module in layers]
    kept = ("running_mean", "running_var", "num_batches_tracked")
    return {f"{path}.{name}" if path else name for path in paths for name in kept}


def fresh_buffers(network: nn.Module) -> Buffers:
    """Copies of a network's buffers, its batch-norm statistics set to the start."""
    buffers = clones(network)
    for name in statistics_of(network):
        buffers[name].fill_(1 if name.endswith("running_var") else 0)
    return buffers


def call_with(network: nn.Module, buffers: Buffers, inputs: tuple[Tensor, ...]) -> Tensor:
    """Apply a network with other buffers in the place of its own, which are left alone; these may change."""
    made: Tensor = functional_call(network, buffers, inputs)
    return made


@torch.no_grad()
def follow(average: nn.Module, original: nn.Module, decay: float) -> None:
    """Move a running average one step: average ← decay · average + (1 − decay) · original.

    Floating-point buffers (batch-norm statistics) are averaged like weights; counters are copied.
    """
    ours, theirs = average.state_dict(), original.state_dict()
    floating = [name for name, value in ours.items() if value.is_floating_point()]
    torch._foreach_lerp_([ours[name] for name in floating], [theirs[name] for name in floating], 1 - decay)
    for name in ours.keys() - set(floating):
        ours[name].copy_(theirs[name])
