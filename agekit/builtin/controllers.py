"""Controllers: weights that follow what the game does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from pydantic import model_validator
from torch import Tensor

from agekit.contracts import Controller, Known, Reading, option


class BangBang(Controller):
    """A weight that drifts on, and is pushed back after every step in which a watched term is above its limit.

    w ← clip(w + rate (drift + correction [some value > ratio · ideal + excess]), least, most)

    with `rate` the learning rate as a share of its first, and `ideal` what a term comes to where the codes follow the
    reference exactly. The adversary's weight of the released colorization code is, with `kl_gaussian` in the formula of
    2018 as its terms, start = −0.5, drift = −0.001, correction = 0.02, most = 0, ratio = 1.05. The ideal of `kl_sphere`
    is 0, so that its limit is an excess; near the optimum it rises about half as fast as that formula, so that the same
    limit is half of 5 % of that one's ideal, 0.025 (log d − 1/2): 0.057 at d = 16.

    Source: the released code of Ulyanov, Vedaldi and Lempitsky 2018; on-off control.
    Shapes: values [] -> weight [].
    """

    terms: tuple[str, ...] = option(help="the terms that are watched: `term`, or `player.term`", min_length=1)
    start: float = option(help="the weight of the first step")
    drift: float = option(help="what is added after each step, times the rate")
    correction: float = option(help="what is added besides where a term is above its limit, times the rate")
    ratio: float = option(1.0, help="a term's limit, in multiples of its ideal value", ge=0)
    excess: float = option(0.0, help="what is added to the limit", ge=0)
    least: float | None = option(None, help="the weight never falls below it")
    most: float | None = option(None, help="the weight never rises above it")

    @model_validator(mode="after")
    def _sensible(self) -> BangBang:
        if self.drift * self.correction > 0:
            raise ValueError("a correction against the drift, of the other sign, fits")
        if self.least is not None and self.most is not None and self.least > self.most:
            raise ValueError("a least weight that is no greater than the most fits")
        return self

    @classmethod
    def known(cls) -> Iterator[Known]:
        slow = cls(terms=("a", "b"), start=-0.5, drift=-0.001, correction=0.02, ratio=1.05, most=0.0)
        for value, weight in ((2.0, -0.5005), (2.2, -0.4905)):
            readings = {"a": Reading(torch.tensor(1.0), 2.0), "b": Reading(torch.tensor(value), 2.0)}
            yield Known(slow, ({"weight": torch.tensor(-0.5)}, readings, 0.5), {"weight": weight})

    def watches(self) -> tuple[str, ...]:
        return self.terms

    def check(self, own: str, ideals: Mapping[str, float | None]) -> None:  # noqa: ARG002 - any weight may be this
        for name, ideal in ideals.items():
            if ideal is None and self.ratio:
                raise ValueError(f"the ideal value of {name} is not known; ratio = 0 and an excess fit")
            if ideal is not None and self._limit(ideal) <= ideal:
                raise ValueError(
                    f"the limit of {name} is {self._limit(ideal):g}, and its ideal value is {ideal:g}, "
                    "above which every finite batch lies; a greater excess fits"
                )

    def begin(self) -> Mapping[str, float]:
        return {"weight": self.start}

    def __call__(
        self, state: Mapping[str, Tensor], readings: Mapping[str, Reading], rate: float
    ) -> Mapping[str, Tensor]:
        above = torch.stack([one.value > self._limit(one.ideal) for one in readings.values()]).any().double()
        moved = state["weight"] + rate * (self.drift + self.correction * above)
        held = self.least is not None or self.most is not None
        return {"weight": moved.clamp(self.least, self.most) if held else moved}

    def _limit(self, ideal: float | None) -> float:
        return self.ratio * (ideal or 0.0) + self.excess


class Margin(Controller):
    """A weight that is full while one term is above another by less than a margin, and 0 from there on.

    w = full where upper − lower < margin, 0 otherwise

    On both divergences of an adversarial encoder, full = 1 for that of the data and −1 for that of the fakes, it keeps
    the encoder from driving fakes ever farther away: the gradient is that of max(−margin, lower − upper). There the
    update's own values decide; here it is those of the step before.

    Source: Heljakka, Solin and Kannala 2020, Towards Photographic Image Manipulation with Balanced Growing of
    Generative Autoencoders, and the code released with it, where the margin is between 0.2 and 0.6 in units of the KL.
    Shapes: values [] -> weight [].
    """

    upper: str = option(help="the term that is to be above the other, by no more than the margin")
    lower: str = option(help="the other term")
    margin: float = option(help="how far the upper term may be above the lower", gt=0)
    full: float = option(1.0, help="the weight within the margin")

    @classmethod
    def known(cls) -> Iterator[Known]:
        both = cls(upper="a", lower="b", margin=0.5, full=-1.0)
        for value, weight in ((1.4, -1.0), (1.6, 0.0)):
            readings = {"a": Reading(torch.tensor(value), 0.0), "b": Reading(torch.tensor(1.0), 0.0)}
            yield Known(both, ({"weight": torch.tensor(-1.0)}, readings, 1.0), {"weight": weight})

    def watches(self) -> tuple[str, ...]:
        return self.upper, self.lower

    def begin(self) -> Mapping[str, float]:
        return {"weight": self.full}

    def __call__(
        self,
        state: Mapping[str, Tensor],
        readings: Mapping[str, Reading],
        rate: float,  # noqa: ARG002 - it does not depend on how fast is learnt
    ) -> Mapping[str, Tensor]:
        within = readings[self.upper].value - readings[self.lower].value < self.margin
        return {"weight": torch.where(within, self.full, torch.zeros_like(state["weight"]))}


class GradientBalance(Controller):
    """A weight that keeps the norm of a term's gradient at a multiple of another's.

    w = factor · clip(A / (B + eps), least, most),   A ← s A + (1 − s) |∇ like|,   B ← s B + (1 − s) |∇ term|

    with s the smoothing, A and B beginning at 0, and the gradients those of the unweighted terms by all parameters of
    their players. There is no smoothing in the source, the gradients are those by the last layer alone, and the limits
    are 0 and 10⁴.

    Source: Esser, Rombach and Ommer 2021, equation 7.
    Shapes: norms [] -> weight [].
    """

    gradients = True
    term: str = option(help="the term whose gradient is scaled: the one whose weight this is")
    like: str = option(help="the term whose gradient sets the size")
    factor: float = option(1.0, help="how many times as long the weighted gradient is; its sign is the weight's")
    start: float = option(1.0, help="the weight of the first step")
    smoothing: float = option(0.9, help="share of a running mean that is kept in a step", ge=0, lt=1)
    least: float = option(0.0, help="the quotient never falls below it", ge=0)
    most: float = option(1e4, help="the quotient never rises above it", ge=0)
    eps: float = option(1e-6, help="added to the term's norm, δ in the source", gt=0)

    @model_validator(mode="after")
    def _sensible(self) -> GradientBalance:
        if self.least > self.most:
            raise ValueError(f"a least quotient of at most {self.most:g} fits")
        return self

    @classmethod
    def known(cls) -> Iterator[Known]:
        start = {name: torch.tensor(value).double() for name, value in cls(term="a", like="b").begin().items()}
        readings = {
            name: Reading(torch.tensor(0.0), 0.0, torch.tensor(norm)) for name, norm in {"a": 2.0, "b": 6.0}.items()
        }
        balance = cls(term="a", like="b", factor=0.5, smoothing=0.75, eps=0.25)
        yield Known(balance, (start, readings, 1.0), {"weight": 1.0, "term": 0.5, "like": 1.5})

    def watches(self) -> tuple[str, ...]:
        return self.term, self.like

    def check(self, own: str, ideals: Mapping[str, float | None]) -> None:  # noqa: ARG002 - it sees gradients alone
        player, _, term = own.partition(".")
        if self.term not in (term, own):
            raise ValueError(f"it is the weight of {own}, and scales {self.term} by its gradient; term = {term!r} fits")
        if "." in self.like and not self.like.startswith(f"{player}."):
            raise ValueError(f"{self.like} has gradients by other parameters than {own}; a term of {player} fits")

    def begin(self) -> Mapping[str, float]:
        return {"weight": self.start, "term": 0.0, "like": 0.0}

    def __call__(
        self,
        state: Mapping[str, Tensor],
        readings: Mapping[str, Reading],
        rate: float,  # noqa: ARG002 - it does not depend on how fast is learnt
    ) -> Mapping[str, Tensor]:
        norms = {name: one.gradient for name, one in readings.items() if one.gradient is not None}
        term = state["term"].lerp(norms[self.term].double(), 1 - self.smoothing)
        like = state["like"].lerp(norms[self.like].double(), 1 - self.smoothing)
        quotient = (like / (term + self.eps)).clamp(self.least, self.most)
        return {"weight": self.factor * quotient, "term": term, "like": like}
