"""Networks, references, operators, metrics, rules and data sets that break one promise each, beside `faulty`."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

import agekit
from agekit.builtin.optimizers import SGD
from agekit.builtin.references import Gaussian, Sphere
from agekit.builtin.schedules import Constant
from agekit.builtin.toyfaces import ToyFaces
from agekit.contracts import Comparison, Controller, Metric, Operand, Reading, Source


class RightMap(agekit.Encoder):
    """A linear map."""

    def build(self, sees: tuple[agekit.Space, ...], makes: agekit.Space) -> nn.Module:
        return Module(self, math.prod(size or 1 for size in sees[0].shape), makes.shape[0] or 1)

    def before(self, x: Tensor) -> Tensor:
        return x.flatten(1)

    def after(self, codes: Tensor) -> Tensor:
        return codes


class Module(nn.Module):
    def __init__(self, network: RightMap, before: int, after: int) -> None:
        super().__init__()
        self.network = network
        self.layer = nn.Linear(before, after)

    def forward(self, x: Tensor) -> Tensor:
        return self.network.after(self.layer(self.network.before(x)))


class Remembers(RightMap):
    """A linear map over the norm of its weights, which is worked out once."""

    def build(self, sees: tuple[agekit.Space, ...], makes: agekit.Space) -> nn.Module:
        return Remembering(self, math.prod(size or 1 for size in sees[0].shape), makes.shape[0] or 1)


class Remembering(Module):
    def forward(self, x: Tensor) -> Tensor:
        if "norm" not in self.__dict__:
            self.__dict__["norm"] = self.layer.weight.norm()
        codes: Tensor = super().forward(x) / self.__dict__["norm"]
        return codes


class Clamps(RightMap):
    """A linear map that clamps its input in place."""

    def before(self, x: Tensor) -> Tensor:
        return x.clamp_(-0.5, 0.5).flatten(1)


class ViewsMaps(RightMap):
    """A linear map of contiguous images alone."""

    def before(self, x: Tensor) -> Tensor:
        return x.view(len(x), -1)


class SqueezesCodes(RightMap):
    """A linear map that makes a vector of one sample."""

    def after(self, codes: Tensor) -> Tensor:
        return codes.squeeze()


class Ignores(RightMap):
    """A linear map, of nothing."""

    def after(self, codes: Tensor) -> Tensor:
        return codes * 0 + 1


class Reseeds(RightMap):
    """A linear map that seeds torch."""

    def after(self, codes: Tensor) -> Tensor:
        torch.default_generator.manual_seed(0)
        return codes


class Widens(RightMap):
    """A linear map to double precision."""

    def after(self, codes: Tensor) -> Tensor:
        return codes.double()


class Keeps(RightMap):
    """A linear map that keeps what it sees."""

    def build(self, sees: tuple[agekit.Space, ...], makes: agekit.Space) -> nn.Module:
        self.sees = sees  # type: ignore[misc, assignment]
        return super().build(sees, makes)


class Flat(Gaussian):
    """Uniform codes that are said to be normal."""

    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        return (2 * torch.rand(n, self.dim, generator=generator) - 1) * math.sqrt(3)


class Corners(Sphere):
    """Six points of the sphere that are said to be all of it."""

    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        which = torch.randint(self.dim, (n,), generator=generator)
        sign = 2.0 * torch.randint(2, (n, 1), generator=generator) - 1
        return torch.nn.functional.one_hot(which, self.dim) * sign


class Chord(Sphere):
    """A sphere whose ways go through the ball."""

    def between(self, a: Tensor, b: Tensor, t: Tensor) -> Tensor:
        return torch.lerp(a, b, t)


class Whitening(Gaussian):
    """Normal codes that are projected by taking their mean off."""

    def project(self, codes: Tensor) -> Tensor:
        return codes - codes.mean(dim=0)


class Shifting(Gaussian):
    """Normal codes that are shifted by zeros of its own."""

    def project(self, codes: Tensor) -> Tensor:
        return codes + torch.zeros(self.dim, dtype=codes.dtype)


class Clipping(Gaussian):
    """Normal codes that are clipped in place."""

    def project(self, codes: Tensor) -> Tensor:
        codes.data.clamp_(-3, 3)
        return codes * 1


class RightDouble(agekit.Operator):
    """Twice the codes."""

    def space(self, *operands: agekit.Space) -> agekit.Space:
        if len(operands) != 1 or operands[0].kind != "z":
            raise ValueError("codes fit")
        return operands[0]

    def __call__(self, x: Tensor) -> Tensor:
        return 2 * x


class DoublesInPlace(RightDouble):
    """Twice the codes, in place."""

    def __call__(self, x: Tensor) -> Tensor:
        x.data.mul_(2)
        return x * 1


class DoublesWide(RightDouble):
    """Twice the codes, in double precision."""

    def __call__(self, x: Tensor) -> Tensor:
        return 2 * x.double()


class DoublesOnTheCPU(RightDouble):
    """Twice the codes, by twos of its own."""

    def __call__(self, x: Tensor) -> Tensor:
        return x * torch.full(x.shape, 2.0, dtype=x.dtype)


class DoublesCompiled(RightDouble):
    """Twice the codes; thrice, when it is compiled."""

    def __call__(self, x: Tensor) -> Tensor:
        return x * (3 if torch.compiler.is_compiling() else 2)


class DropsOne(RightDouble):
    """Twice the codes, and of one sample a vector."""

    def __call__(self, x: Tensor) -> Tensor:
        return 2 * x.squeeze(0)


class Half(agekit.Operator):
    """Half an image, of sides that must be known."""

    def space(self, *operands: agekit.Space) -> agekit.Space:
        if len(operands) != 1 or len(operands[0].shape) != 3:
            raise ValueError("an image fits")
        c, h, w = operands[0].shape
        return agekit.Space("half", (c, h // 2, w // 2))  # type: ignore[operator]

    def __call__(self, x: Tensor) -> Tensor:
        return torch.nn.functional.avg_pool2d(x, 2)


class FlatOnes(Half):
    """An image as a vector, where it is contiguous."""

    def space(self, *operands: agekit.Space) -> agekit.Space:
        if len(operands) != 1 or len(operands[0].shape) != 3 or None in operands[0].shape:
            raise ValueError("an image of a known size fits")
        return agekit.Space("flat", (math.prod(size or 1 for size in operands[0].shape),))

    def __call__(self, x: Tensor) -> Tensor:
        return x.view(len(x), -1)


class RightMean(Metric):
    """The mean of each sample, mean over samples, Σx/D. Source: nobody, 2020."""

    operands = {"of": Operand(vectors=True)}

    def rows(self, of: Tensor) -> Tensor:
        return of.mean(dim=1)

    def values(self, rows: Tensor, spaces: Mapping[str, agekit.Space]) -> Mapping[str, float]:
        return {"mean": rows.double().mean().item()}


class NotANumber(RightMean):
    """No number, ever."""

    def values(self, rows: Tensor, spaces: Mapping[str, agekit.Space]) -> Mapping[str, float]:
        return {"mean": math.nan}


class NoNumber(RightMean):
    """No number at all."""

    def values(self, rows: Tensor, spaces: Mapping[str, agekit.Space]) -> Mapping[str, float]:
        return {}


class ChangesRows(RightMean):
    """The mean of what it changes."""

    def rows(self, of: Tensor) -> Tensor:
        return of.mul_(2).mean(dim=1)


class Misjudged(RightMean):
    """The mean, of which its author thinks otherwise."""

    @classmethod
    def known(cls) -> Iterator[agekit.Known]:
        yield agekit.Known(cls(), ([[1.0, 2.0], [3.0, 6.0]],), {"mean": 3.5})


class Jittered(Comparison):
    """The distance of means, with noise of numpy's."""

    operands = {"of": Operand(vectors=True), "to": Operand(vectors=True)}

    def __call__(self, a: Tensor, b: Tensor) -> Mapping[str, float]:
        np.random.seed(0)
        return {"distance": (a.mean() - b.mean()).item() + float(np.random.rand())}


class RightWeight(Controller):
    """Adds the term, w ← w + v. Source: nobody, 2020."""

    def watches(self) -> tuple[str, ...]:
        return ("term",)

    def begin(self) -> Mapping[str, float]:
        return {"weight": 1.0}

    def __call__(
        self, state: Mapping[str, Tensor], readings: Mapping[str, Reading], rate: float
    ) -> Mapping[str, Tensor]:
        return {"weight": state["weight"] + rate * self.step(readings["term"]).double().clamp(-1, 1)}

    def step(self, reading: Reading) -> Tensor:
        return reading.value


class Unasked(RightWeight):
    """Adds a gradient that it has not asked for."""

    def step(self, reading: Reading) -> Tensor:
        return reading.gradient * 2  # type: ignore[return-value, operator]


class Idealist(RightWeight):
    """Adds what is above an ideal that need not be known."""

    def step(self, reading: Reading) -> Tensor:
        return reading.value - reading.ideal  # type: ignore[operator]


class Waiting(RightWeight):
    """Looks whether the term is above 0."""

    def step(self, reading: Reading) -> Tensor:
        return reading.value if reading.value.item() > 0 else -reading.value


class Stepping(Constant):
    """A constant that counts how often it was asked."""

    asked: ClassVar[int] = 0

    def __call__(self, progress: agekit.Progress) -> float:
        type(self).asked += 1
        return self.value


class FirstAlone(SGD):
    """Moves the first parameter."""

    def build(self, parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
        return torch.optim.SGD([next(iter(parameters))], lr=0.1)


class Decaying(SGD):
    """Moves what has no gradient."""

    def build(self, parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
        return Decay(list(parameters), lr=0.1)


class Decay(torch.optim.SGD):
    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.data.mul_(1 - 0.1 * group["lr"])
        return super().step(closure)


class Noise(SGD):
    """Adds noise."""

    def build(self, parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
        return Noisily(list(parameters), lr=0.1)


class Noisily(torch.optim.SGD):
    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.data.add_(1e-3 * group["lr"] * torch.randn_like(parameter))
        return super().step(closure)


@dataclass(frozen=True)
class Shuffle:
    """Samples in an order of its own."""

    source: Source
    order: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.source)

    def identity(self) -> str:
        return self.source.identity()

    def name(self, index: int) -> str:
        return self.source.name(self.order[index])

    def read(self, index: int) -> Mapping[str, np.ndarray]:
        return self.source.read(self.order[index])


class Shuffled(ToyFaces):
    """Faces in another order each time."""

    def open(self) -> Any:
        source = super().open()
        return Shuffle(source, tuple(random.sample(range(len(source)), len(source))))


class Framed(ToyFaces):
    """Faces that frame pictures as no face is."""

    def frame(self, image: Any) -> np.ndarray:
        return np.zeros((3, 7, 7), np.uint8)


class Relabelled(ToyFaces):
    """Faces whose fields are others each time."""

    times: ClassVar[list[int]] = []

    def fields(self) -> Mapping[str, agekit.DataField]:
        self.times.append(1)
        return super().fields()
