"""A plugin of components without a tensor library: enough to bind and to plan any recipe of the literature.

Nothing in here computes. What a test needs of a component is its options, its operands, and its spaces.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from agekit.contracts import (
    SCORE,
    Adversarial,
    Controller,
    Critic,
    DataField,
    Dataset,
    Divergence,
    Encoder,
    Generator,
    Loss,
    Metric,
    Operand,
    Operator,
    Optimizer,
    Parser,
    Reciprocity,
    Reference,
    Schedule,
    Source,
    Space,
    option,
)
from agekit.game.bound import Recipe
from agekit.game.check import bind
from agekit.game.plan import Plan, plan_player
from agekit.game.scope import scope_of
from agekit.hooks import hookimpl
from agekit.plugins import Loaded, add
from agekit.recipe.compose import parse
from agekit.registry import Registries


class Shapes(Dataset):
    """Coloured shapes with parse maps."""

    licence = "none"
    homepage = ""

    size: int | None = option(8, help="side of the pictures", unit="pixels", ge=4)
    split: Literal["train", "test"] = option("train", help="which of them")

    def fields(self) -> Mapping[str, DataField]:
        return {
            "x": DataField("image", (3, self.size, self.size)),
            "mask": DataField("classes", (self.size, self.size), ("ground", "disc", "square")),
            "label": DataField("classes", (), ("disc", "square")),
            "pose": DataField("vector", (5,), ("left", "right", "lift", "tilt", "zoom")),
        }

    def open(self) -> Source:
        raise NotImplementedError


class Pictures(Shapes):
    """Pictures whose size is known when the data is prepared."""

    size: int | None = option(None, help="side of the pictures", unit="pixels")


class Unbuildable:
    """What a network of no tensor library has to say about being built."""

    def build(self, sees: tuple[Space, ...], makes: Space) -> Any:
        raise NotImplementedError


class TinyGenerator(Unbuildable, Generator):
    """A generator."""

    width: int = option(4, help="channels", ge=1)
    depth: int = option(2, help="layers", ge=1)


class OtherGenerator(Unbuildable, Generator):
    """Another generator, with one option in common."""

    depth: int = option(3, help="layers", ge=1)


class TinyEncoder(Unbuildable, Encoder):
    """An encoder."""

    width: int = option(4, help="channels", ge=1)


class TinyCritic(Unbuildable, Critic):
    """A critic."""


class TinyParser(Unbuildable, Parser):
    """A parser."""


class Ball(Reference):
    """A reference."""

    def sample(self, n: int, *, generator: Any) -> Any:
        raise NotImplementedError

    def project(self, codes: Any) -> Any:
        raise NotImplementedError

    def between(self, a: Any, b: Any, t: Any) -> Any:
        raise NotImplementedError

    @property
    def variance(self) -> float:
        return 1.0


class Fixed(Divergence):
    """A divergence with its reference fixed."""

    direction: Literal["qp", "pq"] = option("qp", help="which way round")

    def __call__(self, p: Any) -> Any:
        raise NotImplementedError


class Cloud(Divergence):
    """A divergence of samples alone."""

    compares = "samples"
    bandwidths: tuple[float, ...] = option((1.0,), help="of the kernel", min_length=1)

    def __call__(self, p: Any, q: Any) -> Any:
        raise NotImplementedError


class Against(Divergence):
    """A divergence from the reference alone."""

    compares = "reference"

    def __call__(self, p: Any, q: Any) -> Any:
        raise NotImplementedError


class Either(Divergence):
    """A divergence from a reference or from samples."""

    def __call__(self, p: Any, q: Any) -> Any:
        raise NotImplementedError


class Distance(Reciprocity):
    """A reciprocity."""

    def __call__(self, output: Any, target: Any) -> Any:
        raise NotImplementedError


class Verdict(Adversarial):
    """An adversarial loss."""

    def __call__(self, score: Any) -> Any:
        raise NotImplementedError


class Penalty(Loss):
    """A gradient penalty, (|∂score/∂at| − 1)²."""

    operands = {"score": Operand(kind=SCORE), "at": Operand(differentiated=True)}

    def __call__(self, score: Any, at: Any) -> Any:
        raise NotImplementedError


class SampleKL(Loss):
    """The KL of each sample's posterior to the prior, above a margin or below it."""

    operands = {"of": Operand(kind="z", takes=frozenset({"distribution"}))}
    margin: float | None = option(None, help="[margin − KL]₊ in the place of KL")

    def __call__(self, posterior: Any) -> Any:
        raise NotImplementedError


class ExpELBO(Loss):
    """The exponential of a fake's evidence bound, per sample."""

    operands = {
        "code": Operand(kind="z", takes=frozenset({"distribution"})),
        "of": Operand(),
        "to": Operand(like="of"),
    }

    def __call__(self, posterior: Any, output: Any, target: Any) -> Any:
        raise NotImplementedError


class CrossEntropy(Loss):
    """Cross-entropy of class scores against classes."""

    operands = {"of": Operand(scores="to"), "to": Operand()}

    def __call__(self, scores: Any, classes: Any) -> Any:
        raise NotImplementedError


class Agreement(Metric):
    """Agreement of class scores with classes."""

    operands = {"of": Operand(scores="to"), "to": Operand()}
    strict: bool = option(False, help="all or nothing")

    def rows(self, scores: Any, classes: Any) -> Any:
        raise NotImplementedError

    def values(self, rows: Any, spaces: Mapping[str, Space]) -> Mapping[str, float]:
        raise NotImplementedError


class Stop(Operator):
    """Cuts the gradient."""

    stops = True

    def space(self, *operands: Space) -> Space:
        if len(operands) != 1:
            raise ValueError("takes one operand")
        return operands[0]

    def __call__(self, x: Any) -> Any:
        raise NotImplementedError


class Mix(Operator):
    """Interpolates."""

    def space(self, *operands: Space) -> Space:
        if len(operands) != 2 or not operands[0].fits(operands[1]):
            raise ValueError("takes two of one kind and shape")
        return operands[0]

    def __call__(self, x: Any, y: Any, *, generator: Any) -> Any:
        raise NotImplementedError


class Grey(Operator):
    """An image's luma."""

    def space(self, operand: Space) -> Space:  # type: ignore[override]  # as a plugin may write it
        if len(operand.shape) != 3:
            raise ValueError(f"takes an image, found {operand}")
        return Space("grey", (1, *operand.shape[1:]))

    def __call__(self, x: Any) -> Any:
        raise NotImplementedError


class Chroma(Operator):
    """An image's two colour channels."""

    def space(self, *operands: Space) -> Space:
        return Space("chroma", (2, *operands[0].shape[1:]))

    def __call__(self, x: Any) -> Any:
        raise NotImplementedError


class Ramp(Schedule):
    """A schedule."""

    start: float = option(0.0, help="the value at first")
    end: float = option(help="the value at last")

    def __call__(self, progress: Any) -> float:
        raise NotImplementedError


class Follow(Controller):
    """A controller."""

    terms: tuple[str, ...] = option(help="the terms that are watched", min_length=1)
    needs: float = option(0.0, help="the least ideal value that will do")

    def watches(self) -> tuple[str, ...]:
        return self.terms

    def begin(self) -> Mapping[str, float]:
        raise NotImplementedError

    def __call__(self, state: Any, readings: Any, rate: float) -> Any:
        raise NotImplementedError

    def check(self, own: str, ideals: Mapping[str, float | None]) -> None:
        for name, ideal in ideals.items():
            if ideal is not None and ideal < self.needs:
                raise ValueError(f"the ideal value of {name} is {ideal:g}, where {self.needs:g} or more fits")


class Descent(Optimizer):
    """An optimizer."""

    momentum: float = option(0.0, help="of the average", ge=0, lt=1)

    def build(self, parameters: Any) -> Any:
        raise NotImplementedError


@hookimpl
def agekit_register(registries: Registries) -> None:
    """Put the fakes on their shelves."""
    registries.datasets.add("shapes", Shapes)
    registries.datasets.add("pictures", Pictures)
    registries.generators.add("tiny", TinyGenerator)
    registries.generators.add("other", OtherGenerator)
    registries.encoders.add("tiny", TinyEncoder)
    registries.critics.add("tiny", TinyCritic)
    registries.parsers.add("tiny", TinyParser)
    registries.references.add("ball", Ball)
    registries.divergences.add("fixed", Fixed)
    registries.divergences.add("cloud", Cloud)
    registries.divergences.add("against", Against)
    registries.divergences.add("either", Either)
    registries.reciprocities.add("distance", Distance)
    registries.adversarial.add("verdict", Verdict)
    registries.losses.add("penalty", Penalty)
    registries.losses.add("kl", SampleKL)
    registries.losses.add("exp_elbo", ExpELBO)
    registries.losses.add("cross_entropy", CrossEntropy)
    registries.metrics.add("agreement", Agreement)
    registries.operators.add("stop", Stop)
    registries.operators.add("mix", Mix)
    registries.operators.add("grey", Grey)
    registries.operators.add("chroma", Chroma)
    registries.schedules.add("ramp", Ramp)
    registries.controllers.add("follow", Follow)
    registries.optimizers.add("adam", Descent)


AGE = """\
[data]
dataset = "shapes"
batch = 16

[latent]
reference = "ball"
dim = 6

[networks]
g = { generator = "tiny" }
e = { encoder = "tiny" }

[players.encoder]
owns = ["e"]
[players.encoder.terms]
real = { divergence = "fixed", of = "e(x)" }
fake = { divergence = "fixed", of = "e(g(z))", weight = -1 }
reconstruct = { reciprocity = "distance", of = "g(e(x))", to = "x", weight = 5 }

[players.generator]
owns = ["g"]
updates = 3
[players.generator.terms]
fake = { divergence = "fixed", of = "e(g(z))" }
recover = { reciprocity = "distance", of = "e(g(z))", to = "z", weight = 7.5 }

[views]
samples = "g(z)"
reconstructions = { of = "g(e(x))", beside = "x" }

[run]
steps = 10
"""
"""The AGE of the fakes, on which mistakes are made."""


def registries() -> Registries:
    """Shelves with the fakes on them, and nothing else."""
    loaded = Loaded()
    add(loaded, __import__(__name__, fromlist=["_"]), "fakes")
    return loaded.registries


def bound(text: str) -> Recipe:
    """A recipe's text, bound."""
    return bind(parse(text, "game.toml"), registries(), "game")


def plans(text: str, stage: int = 0) -> dict[str, Plan]:
    """The plans of a recipe's players, by name."""
    recipe = bound(text)
    return {player.name: plan_player(player, scope_of(recipe)) for player in recipe.stages[stage].players}


def modes(plan: Plan) -> dict[str, str]:
    """The mode of every call of a plan, by its text."""
    return {node.text: mode for node, mode in zip(plan.nodes, plan.modes, strict=True) if node.op not in LEAVES}


LEAVES = ("field", "draw", "derived")
