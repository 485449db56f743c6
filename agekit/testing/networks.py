"""Checks of networks: what a build makes of what it sees, in every mode in which the engine uses it."""

from __future__ import annotations

import copy
import functools
from dataclasses import dataclass

import torch
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.distributions import Distribution

from ..contracts import Network, Space
from ..game.graph import Signature
from ..game.networks import apply_to_shapes
from . import compiling, declared
from .instances import instances
from .layouts import laid_out
from .losses import close
from .purity import undrawn, untouched
from .spaces import batch, made, offers
from .subject import Broken, NotApplicable, Subject

N = 6


@dataclass(frozen=True)
class Built:
    """A network, and spaces for which it can be built."""

    network: Network
    sees: tuple[Space, ...]
    makes: Space

    def __str__(self) -> str:
        return f"{self.network!r}, of {', '.join(map(str, self.sees))}"

    def module(self, seed: int = 0) -> nn.Module:
        """A module with weights of this seed."""
        torch.manual_seed(seed)
        return self.network.build(self.sees, self.makes)

    def inputs(self, seed: int = 0) -> tuple[Tensor, ...]:
        """A batch of what it sees."""
        return tuple(batch(space, N, seed + index) for index, space in enumerate(self.sees))


def drawn(value: Tensor | Distribution) -> Tensor:
    """A tensor as it is, and of a distribution a draw, the same each time."""
    if isinstance(value, Tensor):
        return value
    torch.manual_seed(0)
    sample: Tensor = value.rsample()
    return sample


@functools.cache
def built(subject: Subject) -> tuple[Built, ...]:
    """Every instance of a network with the first spaces for which it can be built.

    Raises `NotApplicable` where the default one cannot be built for any.
    """
    found = []
    for index, network in enumerate(instances(subject)):
        one = _built(network) if isinstance(network, Network) else None
        if one is None and not index:
            raise NotApplicable("it can be built for none of the spaces that were tried; build() says what would fit")
        found += [one] if one else []
    return tuple(found)


def _built(network: Network) -> Built | None:
    for spaces in offers((*network.sees, network.makes)):
        one = Built(network, tuple(spaces[kind] for kind in network.sees), made(spaces[network.makes]))
        try:
            one.module()
        except ValueError:
            continue
        return one
    return None


def contract(subject: Subject) -> None:
    """Its options, and that it makes what it promises: with numbers, in both modes, and on the meta device."""
    declared.options(subject)
    try:
        every = built(subject)
    except NotApplicable as reason:
        raise Broken(str(reason)) from reason
    for one in every:
        module = one.module()
        for mode, n in ((True, N), (False, N), (False, 1)):
            _check_made(one, drawn(module.train(mode)(*(x[:n] for x in one.inputs()))), n)
        try:
            apply_to_shapes(copy.deepcopy(module).to("meta"), Signature(one.sees, one.makes, one.makes), 2)
        except RuntimeError as error:
            raise Broken(f"{one}: it cannot be applied on the meta device, which has shapes alone: {error}") from error


def _check_made(one: Built, value: Tensor, n: int) -> None:
    if [*value.shape] != [n, *one.makes.shape]:
        raise Broken(f"{one}: it makes {[*value.shape]} of n = {n}, where {one.makes} is promised")
    if value.dtype != torch.float32 or not value.isfinite().all():
        raise Broken(f"{one}: it makes {value.dtype} or values that are not finite, where finite float32 fits")


def gradient(subject: Subject) -> None:
    """A gradient reaches every parameter, and every input that has one; all of it is finite."""
    for one in built(subject):
        module = _shaken(one.module())
        leaves = [x.requires_grad_() if x.is_floating_point() else x for x in one.inputs()]
        value = drawn(module(*(leaf.clone() for leaf in leaves)))
        (value * torch.randn(value.shape, generator=torch.Generator().manual_seed(1))).sum().backward()  # type: ignore[no-untyped-call]
        seen = {f"input {index + 1}": leaf for index, leaf in enumerate(leaves) if leaf.is_floating_point()}
        for name, leaf in {**seen, **dict(module.named_parameters())}.items():
            lost = leaf.grad is None or (name in seen and not leaf.grad.any())
            if leaf.requires_grad and (leaf.grad is None or lost or not leaf.grad.isfinite().all()):
                raise Broken(f"{one}: {'no' if lost else 'no finite'} gradient reaches {name}")


@torch.no_grad()
def _shaken(module: nn.Module) -> nn.Module:
    """The module with its weights moved somewhat: what begins at zero passes no gradient yet."""
    chance = torch.Generator().manual_seed(2)
    for parameter in module.parameters():
        parameter.add_(0.02 * torch.randn(parameter.shape, generator=chance))
    return module


def layout(subject: Subject) -> None:
    """Laid out channels last, as the engine does, it makes the same."""
    for one in built(subject):
        module = one.module().eval()
        plain = _mean(module(*one.inputs()))
        module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        try:
            other = _mean(module(*map(laid_out, one.inputs())))
        except RuntimeError as error:
            raise Broken(f"{one}: laid out channels last it raises {error}") from error
        if not close(other, plain, 1e-3):
            raise Broken(f"{one}: it makes something else when it is laid out channels last")


def order(subject: Subject) -> None:
    """In evaluation mode a sample's value depends on no other sample."""
    for one in built(subject):
        module, inputs = one.module().eval(), one.inputs()
        whole = _mean(module(*inputs))
        halves = [_mean(module(*(x[rows] for x in inputs))) for rows in (slice(0, N // 2), slice(N // 2, N))]
        if not close(torch.cat(halves), whole, 1e-4):
            raise Broken(f"{one}: in evaluation mode a sample's value depends on the rest of its batch")


def apart(subject: Subject) -> None:
    """Two calls share no part of a graph: one can be led back, and then the other, as the engine does with terms."""
    for one in built(subject):
        module = one.module()
        calls = [drawn(module(*one.inputs(seed))) for seed in range(2)]
        try:
            for value in calls:
                if value.requires_grad:
                    torch.autograd.backward(value.sum())
        except RuntimeError as error:
            raise Broken(f"{one}: a call needs the graph of the call before it, which is gone: {error}") from error


def _mean(value: Tensor | Distribution) -> Tensor:
    mean: Tensor = value if isinstance(value, Tensor) else value.mean
    return mean.detach()


def bfloat16(subject: Subject) -> None:
    """Within autocast to bfloat16 its values are finite and near; a distribution's are float32."""
    for one in built(subject)[:1]:
        module = one.module().eval()
        exact = _mean(module(*one.inputs()))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            made = module(*one.inputs())
        value = _mean(made)
        if isinstance(made, Distribution) and value.dtype != torch.float32:
            raise Broken(f"the distribution has parameters in {value.dtype} within autocast, where float32 fits")
        if not value.isfinite().all() or (value.float() - exact).norm() > 0.1 * exact.norm() + 1e-3:
            raise Broken("its values are far off within autocast to bfloat16")


def compiled(subject: Subject) -> None:
    """Compiled by torch.compile it makes the same."""
    for one in built(subject)[:1]:
        module = one.module()
        values = []
        with compiling.compiled(copy.deepcopy(module)) as call:
            for apply in (module, call):
                torch.manual_seed(3)  # for dropout
                values.append(_mean(apply(*one.inputs())))
        if not close(values[0], values[1], 1e-4):
            raise Broken("it makes something else when it is compiled")


def state(subject: Subject) -> None:
    """What it has learnt is in its state_dict, whole: through a file's bytes into a fresh module, it makes the same.

    Building and applying it leaves the component and its inputs as they are.
    """
    for one in built(subject):
        inputs = one.inputs()
        with untouched(one.network, {f"input {i + 1}": x for i, x in enumerate(inputs)}, one):
            drawn(one.module()(*inputs))
        module, other = one.module(), one.module(seed=1)
        drawn(module(*one.inputs(seed=7)))  # running statistics move
        other.load_state_dict(load(save({name: x.contiguous() for name, x in module.state_dict().items()})))
        for mode in (False, True):
            torch.manual_seed(3)
            value = drawn(module.train(mode)(*one.inputs()))
            torch.manual_seed(3)
            again = drawn(other.train(mode)(*one.inputs()))
            if not torch.equal(value, again):
                raise Broken(f"{one}: saved and loaded, it makes something else: its state is not whole")


def seed(subject: Subject) -> None:
    """Its first weights are a function of torch's global seed; in evaluation mode it is a function of its inputs."""
    for one in built(subject):
        with undrawn(f"{one}, its build", "numpy", "Python"):
            first, again, other = (one.module(seed).state_dict() for seed in (0, 0, 1))
        if not all(torch.equal(first[name], again[name]) for name in first):
            raise Broken(f"{one}: the same seed gives other weights")
        if first and all(torch.equal(first[name], other[name]) for name in first):
            raise Broken(f"{one}: another seed gives the same weights")
        module = one.module().eval()
        with undrawn(f"{one}, in evaluation mode"):
            value, other_value = (_mean(module(*one.inputs())) for _ in range(2))
        if not torch.equal(value, other_value):
            raise Broken(f"{one}: in evaluation mode it makes something else each time")
