"""A recorder for the CPU that behaves as CUDA graphs do: Python speaks once, memory is read anew.

Every operation below autograd is written down with the very tensors it read and made; a replay does them again, into
the same memory. So a number that an update reads from Python stays as it was when it was recorded, as in a graph.
"""

from __future__ import annotations

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from agekit.errors import PluginError
from agekit.game.recording import Unrecordable

UNMARKED = {torch.ops.aten.native_batch_norm.default: (3, 4)}  # what an operation writes and its schema does not tell


class Tape:
    """Records operations; `recorded` counts recordings, `begun` how often it began anew.

    `spoilt` are the generators of what could not be recorded, which a graph may leave as if they were still captured.
    """

    rates = torch.float64

    def __init__(self):
        self.recorded = self.begun = 0
        self.spoilt = []

    def begin(self):
        self.begun += 1

    def rehearse(self, work):
        work()
        return ""

    def record(self, work, generators):
        before = [one.get_state() for one in generators]
        taping = Taping()
        try:
            with taping:
                work()
        except (RuntimeError, PluginError) as error:
            self.spoilt += generators
            raise Unrecordable(str(error)) from error
        finally:
            taping.undo()
            for one, state in zip(generators, before, strict=True):
                one.set_state(state)
        self.recorded += 1
        return taping.replay


class Taping(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.done = []
        self.before = {}
        self.made = set()

    def __torch_dispatch__(self, operation, types, arguments=(), named=None):
        named = named or {}
        if operation is torch.ops.aten._local_scalar_dense.default:
            raise RuntimeError("a number is read")
        for one in written(operation, arguments, named):
            if one.untyped_storage().data_ptr() not in self.made:
                self.before.setdefault(id(one), (one, one.clone()))
        made = operation(*arguments, **named)
        if not aliases(operation):
            self.made.update(one.untyped_storage().data_ptr() for one in tensors(made))
        self.done.append((operation, arguments, named, made))
        return made

    @torch.no_grad()
    def undo(self):
        """As if it had not been done: a capture does nothing."""
        for one, value in self.before.values():
            one.copy_(value)

    @torch.no_grad()
    def replay(self):
        for operation, arguments, named, made in self.done:
            if aliases(operation) and not operation._schema.is_mutable:
                continue  # a view sees what its base holds
            again = operation(*arguments, **named)
            if not aliases(operation):
                for old, new in zip(tensors(made), tensors(again), strict=True):
                    old.copy_(new)


def tensors(values):
    return [one for one in tree_leaves(values) if isinstance(one, torch.Tensor)]


def aliases(operation):
    """Whether what it returns lies in what it is given: a view, or an operation in place."""
    return operation._schema.is_mutable or any(one.alias_info for one in operation._schema.returns)


def written(operation, arguments, named):
    """The tensors that an operation writes into."""
    given = dict(enumerate(arguments))
    places = [n for n, one in enumerate(operation._schema.arguments) if one.alias_info and one.alias_info.is_write]
    for place in (*places, *UNMARKED.get(operation, ())):
        name = operation._schema.arguments[place].name
        yield from tensors(given[place] if place in given else named.get(name))
