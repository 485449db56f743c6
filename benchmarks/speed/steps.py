"""Rows of the step: agekit against the reference loop, the step by hand, the convolutions alone; time and memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from agekit.game.recording import REHEARSALS

from .rounds import Series, alternate, as_json, median, ratios, workers
from .rows import Goal, Row
from .worker import Setup

Clock = Literal["wall", "cpu"]
"""By which clock ratios are taken: as seconds pass, or as the processor spends them, for a shared machine."""


@dataclass(frozen=True)
class Plan:
    """How the steps are measured."""

    setup: Setup
    clock: Clock
    budget_seconds: float
    steps: int
    goals: Mapping[str, Goal]
    full: str = "fp32"
    """The precision that stands for float32 on this device."""
    apart: bool = True
    """Whether each contender sits in a process of its own."""
    no_bf16: str = ""
    """Why bfloat16 is not measured, where it is not."""

    def seconds(self, series: Series) -> Sequence[float]:
        """The times that count."""
        return series.seconds if self.clock == "wall" else series.cpu_seconds


def step_rows(plan: Plan) -> Iterator[Row]:
    """One precision after the other, each with all its contenders in turn."""
    yield from _rows(plan, plan.full, "float32" if plan.full == "fp32" else "float32 (TF32)", memory=True)
    if plan.no_bf16:
        yield Row(_measure(plan, "bfloat16"), plan.goals.get("bf16"), note=f"not taken, for {plan.no_bf16}")
    else:
        yield from _rows(plan, "bf16", "bfloat16", memory=False)


def _measure(plan: Plan, name: str) -> str:
    return f"age_celeba step, batch {plan.setup.batch}, {name}"


def _rows(plan: Plan, precision: str, name: str, *, memory: bool) -> Iterator[Row]:
    def told(contender: str, precision: str = precision) -> Setup:
        return replace(plan.setup, contender=contender, precision=precision)

    setups = {
        "reference": told("reference", "fp32"),
        **{who: told(who) for who in ("engine", "by hand", "convolutions", "contiguous convolutions")},
    }
    with workers(setups, apart=plan.apart) as found:
        warm_up = 2 if plan.setup.device == "cpu" else REHEARSALS + 2  # until every update is recorded
        seconds_each = plan.budget_seconds / (1 if plan.no_bf16 else 2)
        series = alternate(found, steps=plan.steps, budget_seconds=seconds_each, warm_up=warm_up)
        most = {who: found[who].memory() for who in ("engine", "reference")}
    raw = {"contenders": as_json(series), "clock": plan.clock}
    seconds = {who: plan.seconds(one) for who, one in series.items()}
    shown = {who: f"{median(of, '.4g')} s" for who, of in seconds.items()}
    alone = min(
        ("convolutions", "contiguous convolutions"), key=lambda who: sorted(seconds[who])[len(seconds[who]) // 2]
    )
    speedup = ratios(seconds["reference"], seconds["engine"])
    yield Row(
        _measure(plan, name),
        plan.goals.get(precision),
        speedup,
        shown["engine"],
        f"reference loop {shown['reference']}",
        raw=raw,
    )
    yield Row(
        f"engine against the step by hand, {name}",
        plan.goals.get("by hand"),
        ratios(seconds["engine"], seconds["by hand"]),
        shown["engine"],
        f"by hand {shown['by hand']}",
    )
    yield Row(
        f"share of the attainable, {name}",
        plan.goals.get("attainable") if memory else None,
        ratios(seconds[alone], seconds["engine"]),
        shown["engine"],
        f"{alone} alone {shown[alone]}",
    )
    if memory:
        above = {who: of["above"] for who, of in most.items()}
        yield Row(
            f"peak memory, batch {plan.setup.batch}, {name}",
            plan.goals.get("memory"),
            [above["engine"] / above["reference"]],
            f"{above['engine']:.0f} MB",
            f"reference loop {above['reference']:.0f} MB",
            "; ".join(f"the whole process of the {w} {of['whole']:.0f} MB" for w, of in most.items() if "whole" in of),
            raw={"megabytes": most},
        )
