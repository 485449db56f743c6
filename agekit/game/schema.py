"""The JSON Schema of recipes, of all that is registered, so that editors complete and check."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..contracts import SHELVES, Component, Controller, Dataset, Loss, Measure, Network, Optimizer, Reference, Schedule
from ..recipe.tables import (
    About,
    Compute,
    DataKeys,
    MetricKeys,
    NetworkKeys,
    PlayerKeys,
    Run,
    Sentinel,
    Stage,
    Table,
    TermKeys,
    View,
)
from ..registry import Registries
from .bind import keys_of

Schema = dict[str, Any]
EXPRESSION: Schema = {"type": "string", "description": 'an expression, such as "e(g(z))"'}


def json_schema(registries: Registries) -> Schema:
    """The schema of a recipe's file. A table that names no component, as in a recipe that extends another, is free."""
    references = {shelf.contract.__name__: f"#/$defs/{shelf.key}" for shelf in SHELVES}
    maker = _Maker(registries, references)
    defs = {
        "schedule": maker.component_table(Schedule, None),
        "controller": maker.component_table(Controller, None),
        "optimizer": maker.component_table(Optimizer, None),
        "term": maker.component_table(Loss, TermKeys),
        "metric": maker.component_table(Measure, MetricKeys),
        "network": maker.component_table(Network, NetworkKeys),
    }
    player = maker.plain(PlayerKeys)
    player["properties"]["optimizer"] = {"$ref": "#/$defs/optimizer"}
    player["properties"]["terms"] = _named({"$ref": "#/$defs/term"})
    view = {"anyOf": [EXPRESSION, maker.plain(View)]}
    body: Schema = {
        "extends": {"type": "string", "description": "a recipe to start from: a file, or a shipped recipe's name"},
        "about": maker.plain(About),
        "data": maker.component_table(Dataset, DataKeys),
        "latent": maker.component_table(Reference, None),
        "networks": _named({"$ref": "#/$defs/network"}),
        "players": _named(player),
        "views": _named(view),
        "metrics": _named({"$ref": "#/$defs/metric"}),
        "run": maker.plain(Run),
        "sentinel": maker.plain(Sentinel),
        "compute": maker.plain(Compute),
    }
    stage = maker.plain(Stage)
    stage["properties"] |= {name: table for name, table in body.items() if name != "extends"}
    body["stages"] = {"type": "array", "items": stage, "minItems": 1}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "an agekit recipe",
        "type": "object",
        "properties": body,
        "additionalProperties": False,
        "$defs": defs,
    }


def _named(schema: Schema) -> Schema:
    """A table of named entries, any of which `false` removes."""
    return {"type": "object", "additionalProperties": {"anyOf": [schema, {"const": False}]}}


class _Maker:
    """Makes schemas of tables, with nested components as references."""

    def __init__(self, registries: Registries, references: dict[str, str]) -> None:
        self.registries = registries
        self.references = references

    def plain(self, model: type[Table] | type[Component]) -> Schema:
        """A table of these keys; none is required, since a recipe may extend another."""
        made = model.model_json_schema(by_alias=True, ref_template="#ref/{model}")
        properties = {name: self._resolved(schema) for name, schema in made.get("properties", {}).items()}
        return {"type": "object", "properties": properties, "additionalProperties": False}

    def _resolved(self, schema: Any) -> Any:
        if isinstance(schema, dict):
            if "$ref" in schema:
                return {"$ref": self.references[schema["$ref"].removeprefix("#ref/")]}
            return {key: self._resolved(value) for key, value in schema.items() if key != "title"}
        return [self._resolved(value) for value in schema] if isinstance(schema, list) else schema

    def component_table(self, contract: type[Component], keys: type[Table] | None) -> Schema:
        """A table that names a component of one of the shelves of a contract, and then has its options."""
        own = self.plain(keys)["properties"] if keys else {}
        names = {key: {"enum": sorted(self.registries.by_key[key])} for key in keys_of(contract)}
        others = dict.fromkeys(
            self.registries.by_key.keys() - names.keys(), False
        )  # where either of two contracts fits
        cases = [case for key in names for case in self._cases(key, own)]
        return {"type": "object", "properties": {**others, **names, **own}, "allOf": cases}

    def _cases(self, key: str, own: Schema) -> Iterable[Schema]:
        for name, entry in self.registries.by_key[key].entries.items():
            table = self.plain(entry.component)
            operands = entry.component.operands if issubclass(entry.component, Measure) else {}
            table["properties"] |= {key: {"const": name}, **own, **dict.fromkeys(operands, EXPRESSION)}
            table["description"] = entry.component.summary()
            yield {"if": {"properties": {key: {"const": name}}, "required": [key]}, "then": table}
