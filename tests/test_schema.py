"""The JSON Schema of recipes: what editors complete and check."""

import json
import tomllib
from functools import cache
from typing import Any

import pytest

from agekit.contracts import Network
from agekit.game.schema import json_schema
from agekit.plugins import load
from agekit.recipe.find import shipped
from tests import fakes
from tests.json_schema import complaints

PLACES = {
    "dataset": "/properties/data",
    "reference": "/properties/latent",
    "schedule": "/$defs/schedule",
    "controller": "/$defs/controller",
    "optimizer": "/$defs/optimizer",
    "metric": "/$defs/metric",
}


@cache
def schema() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(json_schema(load().registries)))
    return made


def wrong(recipe: str, whole: Any = None) -> list[str]:
    whole = whole or schema()
    return list(complaints(tomllib.loads(recipe), whole, whole))


def test_every_registered_component_and_its_options_are_there():
    registries = load().registries
    seen = 0
    for registry in registries.shelves.values():
        key = registry.shelf.key
        if key == "operator":
            continue
        otherwise = "/$defs/network" if issubclass(registry.shelf.contract, Network) else "/$defs/term"
        table = schema()
        for part in PLACES.get(key, otherwise).strip("/").split("/"):
            table = table[part]
        cases = {
            case["if"]["properties"][key]["const"]: case["then"]
            for case in table["allOf"]
            if key in case["if"]["required"]
        }
        assert set(cases) == set(registry) == set(table["properties"][key]["enum"])
        for name, entry in registry.entries.items():
            assert entry.component.model_fields.keys() <= cases[name]["properties"].keys()
            assert cases[name]["description"] == entry.component.summary()
            assert cases[name]["additionalProperties"] is False
            seen += 1
    assert seen >= 30


def test_every_shipped_recipe_fits():
    checked = [wrong(path.read_text(encoding="utf-8")) for path in shipped().values()]
    assert checked == [[]] * len(checked)
    assert len(checked) >= 9


def test_it_holds_plain_json_and_no_reference_leads_nowhere():
    text = json.dumps(schema())
    assert schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    named = {part.split('"')[0] for part in text.split('"$ref": "#/$defs/')[1:]}
    assert named
    assert named <= schema()["$defs"].keys()
    assert "#ref" not in text


@pytest.mark.parametrize(
    "text",
    [
        "[view]\na = 1",
        "[data]\ndataset = 'shapes'\nbatc = 1",
        "[data]\ndataset = 'shape'",
        "[data]\nbatch = 0",
        "[latent]\nreference = 'ball'\ndim = '3'",
        "[networks]\ng = { generator = 'tiny', widht = 3 }",
        "[networks]\ng = { generator = 'tinny' }",
        "[players.a]\nupdate = 2",
        "[players.a]\noptimizer = { optimizer = 'adm' }",
        "[players.a.terms]\nb = { divergence = 'fixed', of = 'e(x)', to = 'y' }",
        "[players.a.terms]\nb = { divergence = 'fixed', weight = { schedule = 'ramp', finish = 3.0 } }",
        "[players.a.terms]\nb = { divergence = 'fixed', weight = { controller = 'follow', terms = 3 } }",
        "[players.a.terms]\nb = { divergence = 'fixed', weight = { optimizer = 'adam' } }",
        "[players.a]\noptimizer = { optimizer = 'adam', lr = { controller = 'follow', terms = ['b'] } }",
        "[players.a.terms]\nb = { divergence = 'cloud', bandwidths = ['a'] }",
        "[views]\na = { off = 'x' }",
        "[views]\na = 3",
        "[metrics]\na = 3",
        "[metrics]\na = { metric = 'agreement', off = 'x' }",
        "[metrics]\na = { metric = 'agreement', count = 0 }",
        "[metrics]\na = { divergence = 'fixed', weight = 3 }",
        "[data]\ndataset = 'shapes'\nheld_out = 3",
        "[run]\nsteps = 0",
        "[sentinel]\naction = 'panic'",
        "[sentinel]\nfactor = 1.0",
        "[[stages]]\nstep = 3",
        "[stages]\nsteps = 3",
    ],
)
def test_mistakes_are_seen(text):
    small = json_schema(fakes.registries())
    assert wrong(text, small)


@pytest.mark.parametrize(
    "text",
    [
        fakes.AGE,
        "extends = 'age_celeba'\n[players.generator]\nterms.fake = false\n[views]\nsamples = false",
        "[networks]\nt = { average_of = 'e', decay = 0.9 }\ns = { parser = 'tiny', from = 'runs/a' }",
        "[players.a.terms]\nb = { weight = { schedule = 'ramp', end = 3.0 } }",
        "[players.a.terms]\nb = { weight = { controller = 'follow', terms = ['real', 'c.fake'] } }",
        "[players.a.terms]\nb = { weight = { least = 0.5 } }",
        "[players.a.terms]\nb = { loss = 'penalty', score = 'd(x)', at = 'x', weight = 10 }",
        "[players.a]\noptimizer = { lr = { schedule = 'ramp', end = 3 } }",
        "[metrics]\na = { metric = 'agreement', of = 's(x)', to = 'mask', count = 3 }\nb = false",
        "[metrics]\na = { divergence = 'fixed', of = 'e(x)', statistics = 'running' }",
        "[run]\nmetrics_every = '1 epoch'",
        "[sentinel]\naction = 'roll back'\nevery = '1 epoch'\npatience = 2\nfactor = 0.1",
        "[data]\ndataset = 'shapes'\nheld_out = { split = 'test' }",
        "[data]\nheld_out = false",
        "[[stages]]\nname = 'a'\noptimizer = 'fresh'\nplayers.b = false\ndata.batch = 3",
    ],
)
def test_what_recipes_may_say_fits(text):
    assert wrong(text, json_schema(fakes.registries())) == []
