"""The keys of a recipe that the engine itself reads; all others are options of components."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from ..contracts import Controller, Schedule

EVERY = re.compile(r"(\d+) (step|epoch)s?\Z")


def _parsed(interval: int | str) -> tuple[int, str]:
    """The number, at least 1, and the unit, step or epoch, of an interval."""
    found = EVERY.match(interval if isinstance(interval, str) else f"{interval} steps")
    if not found or int(found[1]) < 1:
        raise ValueError('a number of steps, or a text such as "500 steps" or "1 epoch", fits')
    return int(found[1]), found[2]


def _interval(value: int | str) -> int | str:
    _parsed(value)
    return value


Interval = Annotated[int | str, AfterValidator(_interval)]
Count = Annotated[int, Field(ge=1)]
Statistics = Literal["recalibrated", "running", "batch"]


def in_steps(interval: int | str, steps_per_epoch: int) -> int:
    """An interval in steps.

    >>> in_steps("2 epochs", 100), in_steps(500, 100)
    (200, 500)
    """
    number, unit = _parsed(interval)
    return number * (steps_per_epoch if unit == "epoch" else 1)


BEST = re.compile(r"(lowest|highest) (\w[\w-]*)(?:\.(\w+))?\Z")


@dataclass(frozen=True)
class Best:
    """By which number the best checkpoint is chosen; without a key, by the first of the metric."""

    lowest: bool
    metric: str
    key: str | None

    def better(self, value: float, other: float) -> bool:
        """Whether a value is better than another."""
        return value < other if self.lowest else value > other


def best_of(text: str) -> Best:
    """What `run.best` says. Raises `ValueError` where it makes no sense.

    >>> best_of("lowest codes.excess")
    Best(lowest=True, metric='codes', key='excess')
    """
    found = BEST.match(text)
    if not found:
        raise ValueError('lowest or highest, and a metric, as in "lowest codes.excess", fits')
    return Best(found[1] == "lowest", found[2], found[3])


def _best(text: str) -> str:
    best_of(text)
    return text


class Table(BaseModel):
    """Keys that the engine reads. Values are taken strictly, and never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, populate_by_name=True)

    @classmethod
    def written(cls) -> frozenset[str]:
        """The keys, as recipes write them."""
        return frozenset(entry.alias or name for name, entry in cls.model_fields.items())


class Length(Table):
    """How long something is: in steps, or in epochs."""

    steps: Count | None = Field(None, description="length in steps")
    epochs: Count | None = Field(None, description="length in passes over the data")

    @field_validator("epochs")
    @classmethod
    def _not_both(cls, epochs: int | None, read: ValidationInfo) -> int | None:
        if epochs is not None and (steps := read.data.get("steps")) is not None:
            raise ValueError(f"one of steps and epochs fits, and steps = {steps} is there too")
        return epochs


class About(Table):
    """What the recipe is, for people: what it reproduces, from where, and the numbers published for it.

    A recipe that extends another does not inherit `published`.
    """

    summary: str = ""
    source: str = ""
    published: dict[str, Any] = {}


class DataKeys(Table):
    """`[data]`, beside the data set and its options."""

    batch: Count = Field(64, description="samples a batch")
    flip: bool = Field(False, description="mirror each sample left to right with probability one half")
    fields: dict[str, str] = Field({}, description="further fields, derived from the others by expressions")
    held_out: dict[str, Any] | None = Field(
        None,
        description='options of the data set that differ for samples held out: split = "test", or share = 0.1',
        json_schema_extra={"anyOf": [{"type": "object"}, {"const": False}]},
    )


class HeldOutShare(Table):
    """`[data.held_out]`, where no part of the data set is there to be held out."""

    share: float = Field(gt=0, lt=1, description="share of the samples that is set aside, chosen by run.seed")


class NetworkKeys(Table):
    """`[networks]`: an entry's keys, beside the component and its options."""

    sees: tuple[str, ...] | None = Field(None, description="kinds of the arguments; by default what the component says")
    makes: str | None = Field(None, description="kind of the result; by default what the component says")
    source: str | None = Field(
        None, alias="from", description="a run's folder or safetensors file to take weights of, or an exported program"
    )
    class_names: tuple[str, ...] | None = Field(
        None, description="the classes it tells apart, where no field of the data names them or it has others"
    )
    class_mapping: dict[str, tuple[str, ...]] | None = Field(
        None, description="what is made of its classes: each new class with those it takes together"
    )
    average_of: str | None = Field(None, description="another network, of which this one is the running average")
    decay: float = Field(0.999, ge=0, lt=1, description="share of itself that a running average keeps each step")
    statistics: Literal["batch", "running"] | None = Field(
        None, description="what batch-norm uses in training; by default batch where a player owns the network"
    )
    buffers: Literal["all", "owner"] = Field(
        "all", description="whose updates move the running statistics: all players', or only the owner's"
    )


class TermKeys(Table):
    """A term's keys, beside the loss, its options and its operands."""

    weight: float | Schedule | Controller = Field(1.0, description="factor of the term")


OPTIMIZER = "adam"
"""The optimizer of a player that names none."""


class PlayerKeys(Table):
    """A player's keys."""

    owns: tuple[str, ...] = Field(description="the networks it trains")
    updates: Count = Field(1, description="its updates a step")
    optimizer: dict[str, Any] = Field({}, description=f"the optimizer, {OPTIMIZER} unless it is named, and its options")
    terms: dict[str, dict[str, Any]] = Field(description="what it minimises: the weighted sum of these")


class View(Table):
    """What is shown and judged.

    An expression of images is shown as a grid, one of vectors by its statistics. `statistics` is what batch-norm uses:
    `recalibrated` passes data along this very view first and then judges each sample by itself, `running` uses the
    averages kept in training, `batch` those of the shown batch.
    """

    of: str = Field(description="the expression that is shown")
    beside: str | None = Field(None, description="an expression shown next to it, for the same draws and data")
    along: str | None = Field(None, description="a draw that moves from one value to another along each row")
    times: Count = Field(
        1, description="how often each sample of the data is shown, a row of its own, with other draws"
    )
    count: Annotated[int, Field(ge=1, le=4096)] = Field(64, description="samples shown")
    statistics: Statistics = Field("recalibrated", description="batch-norm statistics")


class MetricKeys(Table):
    """A metric's keys, beside the metric or the loss, its options and its operands."""

    count: Count | None = Field(None, description="samples it is taken on; by default all held-out ones, or else 1024")
    generated: Count | None = Field(
        None, description="of a comparison of sets: samples of those made of draws alone; by default as many as of data"
    )
    on: Literal["training"] | None = Field(
        None, description="the data of training, in place of what is held out, where there is some"
    )
    statistics: Statistics = Field("recalibrated", description="batch-norm statistics, as those of views")


class Run(Length):
    """`[run]`: how long a stage is that does not say so itself, from which seed, and what is written when."""

    seed: Annotated[int, Field(ge=0, lt=2**63)] = Field(0, description="every draw is a function of it")
    stop_after: Count | None = Field(None, description="end the whole run after so many steps")
    log_every: Interval = Field(50, description="steps between lines of metrics")
    pictures_every: Interval = Field(500, description="steps between pictures of the views")
    gradients_every: Interval | Literal["never"] | None = Field(
        None, description='steps between measurements of each term\'s gradient; by default with the pictures; "never"'
    )
    metrics_every: Interval = Field(1000, description="steps between takings of the metrics, which also end a run")
    checkpoint_every: Interval = Field(1000, description="steps between checkpoints")
    best: Annotated[str, AfterValidator(_best)] | None = Field(
        None, description='keep the best checkpoint by a metric, too: "lowest codes.excess", "highest fidelity.psnr"'
    )
    keep: Count = Field(3, description="how many of the latest checkpoints are kept")


class Sentinel(Table):
    """`[sentinel]`: what is done where a game dies: codes collapse, pictures ignore their draws, one player wins.

    Numbers that are none end a run under `warn` and `off`, too: nothing can go on from them, unless they are skipped.
    """

    action: Literal["warn", "stop", "roll back", "off"] = Field(
        "warn", description="say so and go on, stop, go on from the last healthy checkpoint more slowly, or do not look"
    )
    every: Interval = Field(50, description="steps between looks")
    patience: Count = Field(3, description="looks in a row that must show a death")
    factor: float = Field(0.5, gt=0, lt=1, description="of a roll back: what the learning rates concerned are times")
    rollbacks: Count = Field(3, description="roll backs, after which the run stops")
    skips: int = Field(
        0, ge=0, description="updates in a row, of a player, that are not applied since a number of theirs is none"
    )


class Compute(Table):
    """`[compute]`: where and how precisely."""

    device: str = Field("auto", description="auto, cpu, cuda, cuda:1, …; auto takes a GPU where there is one")
    precision: Literal["auto", "fp32", "tf32", "bf16", "fp64"] = Field(
        "auto",
        description="of the networks; auto is tf32 where CUDA has it, or else fp32; losses are in float32 or better",
    )
    channels_last: bool = Field(True, description="lay images out channels last, as convolutions like it")
    graphs: bool | Literal["auto"] = Field(
        "auto", description="record whole updates as CUDA graphs; auto does so on CUDA, where one rank plays"
    )
    compile: bool = Field(
        False, description="compile networks by torch.compile, but for those under gradient penalties"
    )
    deterministic: bool = Field(True, description="refuse operations whose result is not repeatable")
    micro_batch: Count | None = Field(
        None,
        description="most samples whose activations are in memory at once; losses see the whole batch nevertheless",
    )
    batch_norm: Literal["together", "apart"] = Field(
        "together",
        description="whose samples its statistics are of, where several ranks play: all ranks', or each one's",
    )
    patience: Count = Field(600, description="seconds that a rank waits for another in a step, before it is given up")
    threads: Count | None = Field(None, description="CPU threads; by default what the machine offers")


class Stage(Length):
    """A stage's own keys, beside what it overrides."""

    name: str = "train"
    optimizer: Literal["fresh", "carried"] = Field("carried", description="state of the optimizers as the stage begins")
