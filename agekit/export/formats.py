"""The formats: how a network is written, how it is read again, and the code that reads it."""

from __future__ import annotations

import copy
import io
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor
from torch.distributions import Distribution

from ..errors import AgekitError
from ..files import replacing
from ..plugins import Loaded
from ..train.sources import read_program
from .parts import Applied, Part
from .reading import network, write_network

Applying = Callable[..., Tensor]
"""What was read: inputs in, what the network makes out."""


class Format(ABC):
    """One format: `suffix` ends the names of its files."""

    suffix: str

    @abstractmethod
    def write(self, part: Part, file: Path) -> None:
        """Write a network. Raises `AgekitError` where the format does not hold it."""

    @abstractmethod
    def read(self, file: Path, loaded: Loaded) -> Applying:
        """The network again, from the file alone."""

    @abstractmethod
    def code(self, part: Part, file: str) -> str:
        """The code that loads it."""


class Safetensors(Format):
    """The weights, and how they are used, without code: for agekit."""

    suffix = ".safetensors"

    def write(self, part: Part, file: Path) -> None:
        write_network(part, file)

    def read(self, file: Path, loaded: Loaded) -> Applying:
        return Applied(network(file, loaded))

    def code(self, part: Part, file: str) -> str:
        return f'import agekit\nimport torch\n\n{part.name} = agekit.load_network("{file}")\n{_example(part)}'


class TorchExport(Format):
    """A program of torch's own: for anything that has torch."""

    suffix = ".pt2"

    def write(self, part: Part, file: Path) -> None:
        buffer = io.BytesIO()
        torch.export.save(exported(part), buffer)
        with replacing(file) as temporary:
            temporary.write_bytes(buffer.getvalue())

    def read(self, file: Path, loaded: Loaded) -> Applying:  # noqa: ARG002 - the contract
        return read_program(file)

    def code(self, part: Part, file: str) -> str:
        return f'import torch\n\n{part.name} = torch.export.load("{file}").module()\n{_example(part)}'


class Onnx(Format):
    """An ONNX model: for anything else."""

    suffix = ".onnx"
    needs = ("onnx", "onnxscript", "onnxruntime")

    def write(self, part: Part, file: Path) -> None:
        if missing := [name for name in self.needs if find_spec(name) is None]:
            raise AgekitError(f"--format onnx needs {', '.join(missing)}: pip install 'agekit[onnx]'")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its own use of what torch and numpy deprecate
            model = torch.onnx.export(
                exported(part),
                dynamo=True,
                input_names=_names(part),
                output_names=[f"{part.makes.kind}_made"],
                verbose=False,
            )
            assert model is not None  # noqa: S101 - dynamo = True makes one
            with replacing(file) as temporary:
                model.save(str(temporary))

    def read(self, file: Path, loaded: Loaded) -> Applying:  # noqa: ARG002 - the contract
        import onnxruntime

        session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])

        def apply(*inputs: Tensor) -> Tensor:
            named = zip((one.name for one in session.get_inputs()), inputs, strict=True)
            return torch.from_numpy(session.run(None, {name: value.numpy() for name, value in named})[0])

        return apply

    def code(self, part: Part, file: str) -> str:
        names = _names(part)
        inputs = "\n".join(f"{name} = {_drawn(part, index, numpy=True)}" for index, name in enumerate(names))
        fed = ", ".join(f'"{name}": {name}' for name in names)
        return (
            f'import numpy as np\nimport onnxruntime\n\n{part.name} = onnxruntime.InferenceSession("{file}")\n'
            f"{inputs}\nmade = {part.name}.run(None, {{{fed}}})[0]  # {_shape(part)}"
        )


FORMATS: dict[str, Format] = {"safetensors": Safetensors(), "torch-export": TorchExport(), "onnx": Onnx()}


def exported(part: Part) -> torch.export.ExportedProgram:
    """A network as a program of any batch size. Raises `AgekitError` where torch cannot make one of it."""
    module = copy.deepcopy(part.game.networks[part.source]).eval().requires_grad_(False)
    with torch.no_grad():
        for name, buffer in module.named_buffers():
            buffer.copy_(part.buffers[name])
    module = module.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    inputs = part.inputs(2)
    sizes = tuple({0: torch.export.Dim("batch", min=1)} for _ in inputs)
    try:
        with _unchecked():
            return torch.export.export(Applied(module), inputs, dynamic_shapes={"inputs": sizes}, strict=False)
    except Exception as error:  # whatever a plugin's network makes the compiler raise
        first = str(error).strip().splitlines() or [type(error).__name__]
        raise AgekitError(f"{part.name} cannot be exported as a program: {first[0]}") from error


@contextmanager
def _unchecked() -> Iterator[None]:
    """Meanwhile, distributions do not look at their numbers, which there are none of."""
    before = Distribution._validate_args
    Distribution.set_default_validate_args(False)
    try:
        yield
    finally:
        Distribution.set_default_validate_args(before)


def _names(part: Part) -> list[str]:
    kinds = [space.kind for space in part.sees]
    return [kind if kinds.count(kind) == 1 else f"{kind}_{index}" for index, kind in enumerate(kinds)]


def _example(part: Part) -> str:
    inputs = ", ".join(_drawn(part, index, numpy=False) for index in range(len(part.sees)))
    return f"made = {part.name}({inputs})  # {_shape(part)}"


def _drawn(part: Part, index: int, *, numpy: bool) -> str:
    """Code that makes an input of the right shape."""
    space = part.sees[index]
    sizes = ", ".join(str(size) for size in (8, *space.shape))
    if space.kind in part.game.fields and space.classes:
        return f"np.zeros(({sizes},), np.int64)" if numpy else f"torch.zeros({sizes}, dtype=torch.int64)"
    return f"np.random.randn({sizes}).astype(np.float32)" if numpy else f"torch.randn({sizes})"


def _shape(part: Part) -> str:
    return f"[8, {', '.join(map(str, part.makes.shape))}]" if part.makes.shape else "[8]"
