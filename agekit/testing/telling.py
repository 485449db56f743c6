"""Whether known values tell a formula from its likely mistakes: each mistake is made, and has to change some value."""

from __future__ import annotations

import linecache
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

Value = Callable[[], Tensor]

TORCH = str(Path(torch.__file__).parent)


@dataclass(frozen=True)
class Mistake:
    """What may be computed in the place of something else."""

    right: str
    wrong: str
    instead: Callable[..., Tensor]


SUM = Mistake("the mean", "a sum", Tensor.sum)
MEAN = Mistake("the sum", "a mean", Tensor.mean)
DEVIATION = Mistake("the variance", "a standard deviation", Tensor.std)
VARIANCE = Mistake("the standard deviation", "a variance", Tensor.var)
ABSOLUTE = Mistake("the square", "an absolute value", lambda x, *_, **__: x.abs())
SQUARE = Mistake("the absolute value", "a square", Tensor.square)
ROOTLESS = Mistake("the square root", "what it is of", lambda x, *_, **__: x)
UNDIVIDED = Mistake("the quotient", "what is divided", lambda x, *_, **__: x)
MISTAKES = {
    "mean": SUM,
    "sum": MEAN,
    "var": DEVIATION,
    "std": VARIANCE,
    "square": ABSOLUTE,
    "abs": SQUARE,
    "sqrt": ROOTLESS,
    **dict.fromkeys(("div", "true_divide", "__truediv__"), UNDIVIDED),
    **dict.fromkeys(("pow", "__pow__"), ABSOLUTE),
}
"""The likely mistake in the place of a function of torch, by its name."""


@dataclass(frozen=True)
class Place:
    """Where in a component's code a mistake can be made."""

    code: CodeType
    instruction: int
    line: int
    mistake: Mistake

    def __str__(self) -> str:
        path = Path(self.code.co_filename)
        text = linecache.getline(str(path), self.line).strip()
        return f"whether line {self.line} of {path.name} takes {self.mistake.right} or {self.mistake.wrong}, `{text}`"


class Making(TorchFunctionMode):
    """Makes the mistake at one place, or at none, and notes the places of a package where one can be made."""

    def __init__(self, package: str, chosen: Place | None = None) -> None:
        super().__init__()
        self.package = package
        self.chosen = chosen
        self.places: dict[Place, None] = {}

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        mistake = _possible(func, args)
        frame = _written(sys._getframe(1), self.package) if mistake else None
        if mistake and frame:
            place = Place(frame.f_code, frame.f_lasti, frame.f_lineno, mistake)
            self.places[place] = None
            if place == self.chosen:
                return mistake.instead(*args, **kwargs)
        return func(*args, **kwargs)


def _possible(func: Any, args: tuple[Any, ...]) -> Mistake | None:
    """The mistake that can be made in the place of a call."""
    mistake = MISTAKES.get(getattr(func, "__name__", ""))
    if mistake is None or not args or not isinstance(args[0], Tensor) or not args[0].is_floating_point():
        return None
    number = args[1] if len(args) > 1 and isinstance(args[1], int | float) else None
    if mistake is UNDIVIDED:
        return mistake if number not in (None, 1) else None
    return mistake if mistake is not ABSOLUTE or func.__name__ == "square" or number == 2 else None


def _written(frame: FrameType | None, package: str) -> FrameType | None:
    """The innermost frame outside torch, where that is of the package, and not of this kit, which makes operands."""
    while frame and frame.f_code.co_filename.startswith(TORCH):
        frame = frame.f_back
    name = f"{frame.f_globals.get('__name__', '')}." if frame else ""
    return frame if name.startswith(f"{package}.") and not name.startswith(f"{__package__}.") else None


def untold(known: Sequence[Value], elsewhere: Sequence[Value], package: str) -> str:
    """The first mistake in a package that changes a value elsewhere, and no known one; empty where there is none."""
    theirs, ours = ([_Made.plainly(value, package) for value in values] for values in (elsewhere, known))
    for place in dict.fromkeys(place for made in theirs for place in made.places):
        if any(made.changes(place) for made in theirs) and not any(made.changes(place) for made in ours):
            return str(place)
    return ""


@dataclass(frozen=True)
class _Made:
    """A value, as it is made, what it is, and the places on its way."""

    value: Value
    right: Tensor
    places: Mapping[Place, None]
    package: str

    @classmethod
    def plainly(cls, value: Value, package: str) -> _Made:
        with Making(package) as noting:
            return cls(value, value(), noting.places, package)

    def changes(self, place: Place) -> bool:
        """Whether it is another value, or none, with a mistake made at a place."""
        if place not in self.places:
            return False
        try:
            with Making(self.package, place):
                wrong = self.value()
        except Exception:  # noqa: BLE001 - the mistake may raise anything
            return True
        return wrong.shape != self.right.shape or not torch.allclose(wrong, self.right, rtol=1e-5, atol=1e-8)
