"""Binding of what is judged, and on what: views, metrics, held-out data."""

from __future__ import annotations

from collections.abc import Mapping

from ..contracts import DataField, Dataset, Measure
from ..errors import nearest
from ..recipe.source import Key
from ..recipe.tables import HeldOutShare, MetricKeys, View, best_of
from .bind import Binder
from .bound import BoundStage, MetricSpec


def views(binder: Binder) -> dict[str, View]:
    """The `[views]` table; a text is the expression that is shown."""
    bound = {}
    for name, value in binder.table("views").items():
        key: Key = ("views", name)
        given = {"of": value} if isinstance(value, str) else value
        view = binder.keys(View, given, key)
        if view:
            bound[name] = view
    return bound


def metrics(binder: Binder) -> dict[str, MetricSpec]:
    """The `[metrics]` table: each entry is a metric, or a loss that is taken as one."""
    bound = {}
    for name, value in binder.table("metrics").items():
        key: Key = ("metrics", name)
        if not binder.is_table(value, key):
            continue
        own, rest = binder.split(MetricKeys, value, key)
        measure = binder.measure(Measure, rest, key, MetricKeys.written())
        if own and measure:
            label, component, operands = measure
            bound[name] = MetricSpec(name, component, label, operands, own)
    return bound


def held_out(binder: Binder, dataset: Dataset) -> tuple[Dataset | None, float | None]:
    """The data set of the held-out samples, and the share that is set aside, where that is what is said.

    The data set is that of training, with the options of `[data.held_out]` laid over; with a share, it is that itself.
    """
    key: Key = ("data", "held_out")
    table = binder.table("data")
    said = table.get("held_out")
    if not isinstance(said, dict):
        return None, None
    if "dataset" in said:
        binder.wrong((*key, "dataset"), "held-out samples are of the same data set: its other options differ here")
        return None, None
    if "share" in said and "share" not in type(dataset).model_fields:
        own = binder.keys(HeldOutShare, said, key)
        return dataset, own.share if own else None
    known = len(binder.problems)
    own_options = {
        name: value for name, value in table.items() if name == "dataset" or name in type(dataset).model_fields
    }
    bound = binder.component(Dataset, {**own_options, **said}, key)
    if bound is None or len(binder.problems) > known:
        return None, None
    if bound[1] == dataset:
        binder.wrong(key, "says nothing that differs, and so would hold out the samples that are trained on")
    elif problem := other_field(bound[1].fields(), dataset.fields()):
        binder.wrong(key, problem)
    return bound[1], None


def check_best(stage: BoundStage, binder: Binder) -> None:
    """Report where the best checkpoint is to be chosen by a metric that is not taken."""
    written = binder.document.tree.get("metrics", {})  # what could not be bound is reported already
    if stage.run.best is not None and (metric := best_of(stage.run.best).metric) not in {*stage.metrics, *written}:
        binder.wrong(("run", "best"), f"no metric is called {metric!r}; {nearest(metric, stage.metrics)}")


def other_field(held_out: Mapping[str, DataField], training: Mapping[str, DataField]) -> str:
    """The first field in which held-out samples are not like those of training; empty where all are alike."""
    for name in (*training, *(held_out.keys() - training)):
        here, there = held_out.get(name), training.get(name)
        if here != there:
            return f"the field {name} is {_described(here)} held out, and {_described(there)} in training"
    return ""


def _described(field: DataField | None) -> str:
    if field is None:
        return "not there"
    sizes = "×".join("?" if size is None else str(size) for size in field.shape)
    classes = f" of {len(field.classes)} classes" if field.classes else ""
    return f"{field.values} [{sizes}]{classes}"
