"""Components of every shelf that break one promise each, for the checks of the conformance kit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

import agekit
from agekit.builtin.optimizers import SGD
from agekit.builtin.references import Sphere
from agekit.builtin.schedules import Constant
from agekit.builtin.toyfaces import ToyFaces
from agekit.contracts import Controller, Metric, Operand, Reading

PAST: list[int] = []
"""What some of these keep between calls."""


class Silent(agekit.Reciprocity):
    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        return (output - target).square().flatten(1).mean(dim=1)


class Mute(Silent):
    """Squared error of each sample."""

    scale: float = 1.0


class Listed(Silent):
    """Squared error of each sample, mean over elements."""

    scales: list[float] = agekit.option([1.0], help="a list")


class BadDefault(Silent):
    """Squared error of each sample, mean over elements."""

    scale: float = agekit.option(-1.0, help="a scale", ge=0)


class Summed(agekit.Reciprocity):
    """Squared error, |x − y|², without a source."""

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        return (output - target).square().mean()


class OneOperand(agekit.Reciprocity):
    """Takes less than is declared."""

    def __call__(self, output: Tensor) -> Tensor:
        return output.flatten(1).mean(dim=1)


class Refusing(agekit.Loss):
    """Takes nothing."""

    operands = {"of": Operand()}

    def __call__(self, of: Tensor) -> Tensor:
        raise ValueError("on principle")


class Neighbourly(Silent):
    """Weighs each sample by its place, Σ i (x_i − y_i)²."""

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        return super().__call__(output, target) * torch.arange(len(output)).to(output)


class Balanced(Silent):
    """Squared error as a share of the batch's mean, (x − y)² / mean (x − y)²."""

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        error = super().__call__(output, target)
        return error / error.mean()


class SaysEach(agekit.Loss):
    """The mean length of vectors, E|x|, declared to be that of each."""

    samplewise: ClassVar[bool] = True
    operands = {"of": Operand(vectors=True)}

    def __call__(self, of: Tensor) -> Tensor:
        return of.square().sum(dim=1).sqrt().mean()


class Logarithmic(agekit.Divergence):
    """The logarithm of the standard deviation, log s."""

    def __call__(self, codes: Tensor) -> Tensor:
        return codes.std(dim=0).log().mean().square()


class Coarse(Silent):
    """Rounds what is no float64, (x − y)²."""

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        return super().__call__(output if output.dtype == torch.float64 else output.round(), target)


class Rounding(Silent):
    """Rounds within autocast, (x − y)²."""

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        return super().__call__(output.round() if torch.is_autocast_enabled("cpu") else output, target)


class Compiled(Silent):
    """Is another thing when it is compiled."""

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        return super().__call__(output, target) * (2 if torch.compiler.is_compiling() else 1)


class Drawing(Silent):
    """Adds noise from the global state."""

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        return super().__call__(output + torch.randn_like(output), target)


class Numpy(Silent):
    """Adds noise from numpy's state."""

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        return super().__call__(output, target) + np.random.rand()


class NoIdeal(agekit.Divergence):
    """Mean squared code, |x|²/d, whose ideal is not 0."""

    def __call__(self, codes: Tensor) -> Tensor:
        return codes.square().mean()


class Contrary(Silent):
    """Minus the squared error, −(x − y)²."""

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        return -super().__call__(output, target)


class Contrarian(agekit.Adversarial):
    """The score itself, whoever plays."""

    def __call__(self, score: Tensor) -> Tensor:
        return score


class Rows(Metric):
    """The mean of each sample, Σx/D, less that of the batch."""

    operands = {"of": Operand(vectors=True)}

    def rows(self, of: Tensor) -> Tensor:
        return (of - of.mean()).mean(dim=1)

    def values(self, rows: Tensor, spaces: Mapping[str, agekit.Space]) -> Mapping[str, Any]:
        return {"mean": rows.mean().item(), "last": rows[-1]}


class Dividing(Rows):
    """Divides."""

    def values(self, rows: Tensor, spaces: Mapping[str, agekit.Space]) -> Mapping[str, Any]:
        return {"inverse": 1 / rows.sum().item()}


class Counting(Rows):
    """Counts its calls, Σ 1."""

    def values(self, rows: Tensor, spaces: Mapping[str, agekit.Space]) -> Mapping[str, Any]:
        PAST.append(1)
        return {"calls": float(len(PAST))}


class Linear(agekit.Encoder):
    """A linear map, wrong in the way that `fault` says."""

    fault: ClassVar[str] = "none"

    def build(self, sees: tuple[agekit.Space, ...], makes: agekit.Space) -> nn.Module:
        if sees[0].shape != (3, 16, 16):
            raise ValueError("images of 16 pixels fit")
        return Faulty(self.fault, 3 * 16 * 16, makes.shape[0] or 1)


class Faulty(nn.Module):
    def __init__(self, fault: str, before: int, after: int) -> None:
        super().__init__()
        self.fault = fault
        self.layer = nn.Linear(before, after + (fault == "too long"))
        self.spare = nn.Linear(2, 2) if fault == "unused weights" else nn.Identity()
        self.hidden = torch.randn(())
        if fault == "fixed weights":
            nn.init.ones_(self.layer.weight)
            nn.init.ones_(self.layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        codes: Tensor = self.layer(x.flatten(1))
        if self.fault == "takes the batch's mean off":
            return codes - codes.mean(dim=0)
        doubled = torch.is_autocast_enabled("cpu") if self.fault == "doubles in half precision" else False
        doubled |= self.fault == "doubles when compiled" and torch.compiler.is_compiling()
        return codes * 2 if doubled else codes * self.hidden if self.fault == "a weight aside" else codes


class TooLong(Linear):
    """A linear map to one number more."""

    fault = "too long"


class Unused(Linear):
    """A linear map, and another that is not used."""

    fault = "unused weights"


class Fixed(Linear):
    """A linear map of ones."""

    fault = "fixed weights"


class Centred(Linear):
    """A linear map, less the mean of the batch."""

    fault = "takes the batch's mean off"


class Doubled(Linear):
    """A linear map that is another one in half precision."""

    fault = "doubles in half precision"


class Recompiled(Linear):
    """A linear map that is another one when it is compiled."""

    fault = "doubles when compiled"


class Aside(Linear):
    """A linear map times a number that is no parameter."""

    fault = "a weight aside"


class Wide(Sphere):
    """A sphere that says too large a variance."""

    @property
    def variance(self) -> float:
        return 1.0


class Unprojected(Sphere):
    """A sphere without a map onto it."""

    def project(self, codes: Tensor) -> Tensor:
        return codes


class Straight(Sphere):
    """A sphere with a way that does not arrive."""

    def between(self, a: Tensor, b: Tensor, t: Tensor) -> Tensor:
        return self.project(a + t * (b - a) / 2)


class Unguarded(Sphere):
    """A sphere that divides by the length, even where it is 0."""

    def project(self, codes: Tensor) -> Tensor:
        length: Tensor = torch.linalg.vector_norm(codes, dim=1, keepdim=True)
        return codes / length


class Cut(Sphere):
    """A sphere that lets no gradient through the length."""

    def project(self, codes: Tensor) -> Tensor:
        length: Tensor = torch.linalg.vector_norm(codes.detach(), dim=1, keepdim=True)
        return codes / length


class Restless(Sphere):
    """A sphere that draws as it likes."""

    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        return self.project(torch.randn(n, self.dim))


class Twice(agekit.Operator):
    """Says that it doubles the channels."""

    def space(self, *operands: agekit.Space) -> agekit.Space:
        if len(operands) != 1 or len(operands[0].shape) != 3:
            raise ValueError("an image fits")
        return agekit.Space("x", (6, *operands[0].shape[1:]))

    def __call__(self, x: Tensor) -> Tensor:
        return x


class Stopping(agekit.Operator):
    """Says that it stops, and does not."""

    stops = True

    def space(self, *operands: agekit.Space) -> agekit.Space:
        if len(operands) != 1 or operands[0].kind != "z":
            raise ValueError("codes fit")
        return operands[0]

    def __call__(self, x: Tensor) -> Tensor:
        return x * 1


class Centring(Stopping):
    """Takes the mean of the batch off."""

    stops = False

    def __call__(self, x: Tensor) -> Tensor:
        return x - x.mean(dim=0)


class Growing(Stopping):
    """Grows with each call."""

    def __call__(self, x: Tensor) -> Tensor:
        PAST.append(1)
        return x * len(PAST)


class Noisy(Stopping):
    """Adds noise from the global state."""

    def __call__(self, x: Tensor) -> Tensor:
        return x + torch.randn_like(x)


class Endless(agekit.Schedule):
    """1/step."""

    def __call__(self, progress: agekit.Progress) -> float:
        return 1 / progress.step if progress.step else float("inf")


class Unsaid(Endless):
    """says"""


class Wandering(agekit.Schedule):
    """Another number whenever it is asked."""

    def __call__(self, progress: agekit.Progress) -> float:
        PAST.append(1)
        return float(len(PAST))


class Misknown(Constant):
    """A constant of which its author thinks otherwise."""

    @classmethod
    def known(cls) -> Iterator[agekit.Known]:
        yield agekit.Known(cls(value=2.0), (agekit.Progress(0, 1, 1),), 3.0)


class Deaf(SGD):
    """Descends at a rate of its own."""

    def build(self, parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
        return Own(list(parameters), lr=0.1)


class Own(torch.optim.SGD):
    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            group["lr"] = 0.1
        return super().step(closure)


class Forgetful(SGD):
    """Keeps its momentum to itself."""

    momentum: float = agekit.option(0.5, help="share that is kept", ge=0, lt=1)

    def build(self, parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
        return Losing(list(parameters), lr=0.1, momentum=self.momentum)


class Losing(torch.optim.SGD):
    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "state": {}}


class Outside(Controller):
    """Counts its calls outside of its state, w ← w + count."""

    def watches(self) -> tuple[str, ...]:
        return ("term",)

    def begin(self) -> Mapping[str, float]:
        return {"weight": 0.0}

    def __call__(
        self, state: Mapping[str, Tensor], readings: Mapping[str, Reading], rate: float
    ) -> Mapping[str, Tensor]:
        PAST.append(1)
        return {name: value + len(PAST) for name, value in state.items()}


class Weightless(Outside):
    """Begins without a weight."""

    def begin(self) -> Mapping[str, float]:
        return {"other": 0.0}


class BlowingUp(Outside):
    """Divides by what it watches."""

    def __call__(
        self, state: Mapping[str, Tensor], readings: Mapping[str, Reading], rate: float
    ) -> Mapping[str, Tensor]:
        return {name: value + 1 / readings["term"].value.double() for name, value in state.items()}


class Backwards(ToyFaces):
    """Faces, with x at last."""

    def fields(self) -> Mapping[str, agekit.DataField]:
        return dict(reversed([*super().fields().items()]))


class Mislabelled(ToyFaces):
    """Faces of one class less than there are."""

    def fields(self) -> Mapping[str, agekit.DataField]:
        return {**super().fields(), "mask": agekit.DataField("classes", (self.size, self.size), ("ground",))}
