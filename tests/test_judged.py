"""Metrics and held-out data in recipes: what may be said of them, and what is wrong where it is not."""

import pytest

from agekit.contracts import Divergence, Metric
from agekit.errors import Problem, RecipeError
from agekit.game.check import bind
from agekit.recipe.compose import absolute, overlay, parse, setting, stages
from tests.fakes import AGE, Agreement, Distance, bound, registries

HELD_OUT = 'held_out = { split = "test" }'
JUDGED = (
    AGE.replace("batch = 16", f"batch = 16\n{HELD_OUT}")
    + """\
metrics_every = "2 epochs"

[metrics]
far = { reciprocity = "distance", of = "g(e(x))", to = "x" }
codes = { divergence = "either", of = "e(x)", count = 500, statistics = "running" }
parses = { metric = "agreement", of = "s(x)", to = "mask", strict = true }
"""
)
LENT = 's = { parser = "tiny", from = "runs/s" }\nd = { critic = "tiny", from = "runs/d" }\n'
JUDGED = JUDGED.replace("g = {", f"{LENT}g = {{", 1)


def said(text):
    with pytest.raises(RecipeError) as caught:
        bound(text)
    return [str(problem) for problem in caught.value.problems]


def test_a_metric_and_any_loss_may_be_judged():
    (stage,) = bound(JUDGED).stages
    assert list(stage.metrics) == ["far", "codes", "parses"]
    far, codes, parses = stage.metrics.values()
    assert isinstance(far.component, Distance)
    assert isinstance(codes.component, Divergence)
    assert parses.component == Agreement(strict=True)
    assert (far.keys.count, far.keys.statistics) == (None, "recalibrated")
    assert (codes.keys.count, codes.keys.statistics) == (500, "running")
    assert {name: str(text) for name, text in parses.operands.items()} == {"of": "s(x)", "to": "mask"}
    assert stage.run.metrics_every == "2 epochs"


def test_held_out_samples_are_of_the_same_data_set_with_other_options():
    recipe = bound(JUDGED)
    assert recipe.held_out == recipe.dataset.model_copy(update={"split": "test"})
    assert bound(AGE).held_out is None


MISTAKES = {
    "a misspelt metric": (
        'metric = "agreement"',
        'metric = "agreemnt"',
        "game.toml:41: metrics.parses.metric: no metric is called 'agreemnt'; did you mean agreement?",
    ),
    "an unknown key": (
        "count = 500",
        "cuont = 500",
        "game.toml:40: metrics.codes.cuont: unknown key; did you mean count?",
    ),
    "a weight": (
        "count = 500",
        "weight = 2",
        "game.toml:40: metrics.codes.weight: unknown key; known: count, divergence, generated, of, on, statistics, to",
    ),
    "a wrong count": (
        "count = 500",
        "count = 0",
        "game.toml:40: metrics.codes.count: found 0, where a whole number greater than or equal to 1 fits",
    ),
    "wrong statistics": (
        'statistics = "running"',
        'statistics = "moving"',
        "game.toml:40: metrics.codes.statistics: found 'moving', where recalibrated or running or batch fits",
    ),
    "a wrong option": (
        "strict = true",
        "strict = 1",
        "game.toml:41: metrics.parses.strict: found 1, where true or false fits",
    ),
    "no table": (
        'far = { reciprocity = "distance", of = "g(e(x))", to = "x" }',
        'far = "x"',
        "game.toml:39: metrics.far: found 'x', where a table fits",
    ),
    "no component": (
        'metric = "agreement", ',
        "",
        "game.toml:41: metrics.parses: names no component: one of divergence = …, reciprocity = …, adversarial = …, "
        "loss = …, metric = … fits; did you mean metric?",
    ),
    "an unknown name": (
        'of = "s(x)"',
        'of = "s(xx)"',
        "game.toml:41: metrics.parses.of: no field or draw is called 'xx'; did you mean x?",
    ),
    "no scores": (
        'of = "s(x)"',
        'of = "e(x)"',
        "game.toml:41: metrics.parses: of is to be scores of mask [3×8×8], since to is mask, and e(x) is z [6]",
    ),
    "a missing operand": (
        ', to = "mask"',
        "",
        "game.toml:41: metrics.parses: the operand 'to' is missing: which expression is it?",
    ),
    "a loss that differentiates": (
        'metric = "agreement", of = "s(x)", to = "mask", strict = true',
        'loss = "penalty", score = "d(x)", at = "x"',
        "game.toml:41: metrics.parses: loss penalty takes derivatives itself, and metrics are taken without them",
    ),
    "a name that is no file's": (
        "parses =",
        '"a/b" =',
        "game.toml:41: metrics.a/b: is no plain name: up to 100 letters, digits, dashes and underscores fit",
    ),
    "a metric in a player's place": (
        'recover = { reciprocity = "distance"',
        'recover = { metric = "agreement"',
        "game.toml:28: players.generator.terms.recover: found metric, where one of divergence = …, reciprocity = …, "
        "adversarial = …, loss = … fits",
    ),
    "an unknown option of the data": (
        HELD_OUT,
        'held_out = { spilt = "test" }',
        "game.toml:4: data.held_out.spilt: unknown key; did you mean split?",
    ),
    "a wrong option of the data": (
        HELD_OUT,
        'held_out = { split = "tset" }',
        "game.toml:4: data.held_out.split: found 'tset', where train or test fits",
    ),
    "another data set": (
        HELD_OUT,
        'held_out = { dataset = "pictures", split = "test" }',
        "game.toml:4: data.held_out.dataset: held-out samples are of the same data set: its other options differ here",
    ),
    "what is trained on": (
        HELD_OUT,
        'held_out = { split = "train" }',
        "game.toml:4: data.held_out: says nothing that differs, and so would hold out the samples that are trained on",
    ),
    "nothing": (
        HELD_OUT,
        "held_out = {}",
        "game.toml:4: data.held_out: says nothing that differs, and so would hold out the samples that are trained on",
    ),
    "other shapes": (
        HELD_OUT,
        "held_out = { size = 16 }",
        "game.toml:4: data.held_out: the field x is image [3×16×16] held out, and image [3×8×8] in training",
    ),
    "no table of options": (HELD_OUT, "held_out = 3", "game.toml:4: data.held_out: found 3, where a table fits"),
    "a share that is none": (
        HELD_OUT,
        "held_out = { share = 1.5 }",
        "game.toml:4: data.held_out.share: found 1.5, where a number less than 1 fits",
    ),
    "a share, and options": (
        HELD_OUT,
        'held_out = { share = 0.5, split = "test" }',
        "game.toml:4: data.held_out.split: unknown key; known: share",
    ),
    "the best by nothing": (
        'metrics_every = "2 epochs"',
        'best = "lowest fra.value"',
        "game.toml:36: run.best: no metric is called 'fra'; did you mean far?",
    ),
    "the best in other words": (
        'metrics_every = "2 epochs"',
        'best = "least far"',
        "game.toml:36: run.best: found 'least far', where lowest or highest, and a metric, as in "
        '"lowest codes.excess", fits',
    ),
    "data that is not trained on": (
        'statistics = "running"',
        'on = "held out"',
        "game.toml:40: metrics.codes.on: found 'held out', where training fits",
    ),
    "a wrong interval": (
        'metrics_every = "2 epochs"',
        'metrics_every = "2 weeks"',
        "game.toml:36: run.metrics_every: found '2 weeks', where a number of steps, or a text such as "
        '"500 steps" or "1 epoch", fits',
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_problem_at_its_line(name):
    was, becomes, message = MISTAKES[name]
    assert JUDGED.count(was) == 1
    assert said(JUDGED.replace(was, becomes)) == [message]


def test_both_parts_of_the_data_are_wrong_in_one_place_alone():
    assert said(JUDGED.replace("batch = 16", "size = 2")) == [
        "game.toml:3: data.size: found 2, where a whole number greater than or equal to 4 fits"
    ]


def composed(text, *settings):
    document = parse(text, "game.toml")
    problems: list[Problem] = []
    for one in settings:
        document = overlay(document, setting(one, document), problems)
    assert problems == []
    return document


def test_metrics_and_held_out_data_are_removed_and_exchanged_as_all_else_is():
    document = composed(JUDGED, "metrics.far=false", "data.held_out=false", 'metrics.codes={ divergence = "against" }')
    recipe = bind(document, registries(), "game")
    assert recipe.held_out is None
    (codes, _) = recipe.stages[0].metrics.values()
    assert (codes.label, codes.keys.count, codes.keys.statistics) == ("divergence against", 500, "running")
    document = composed(JUDGED, 'metrics.parses={ loss = "cross_entropy" }')
    *_, parses = bind(document, registries(), "game").stages[0].metrics.values()
    assert parses.label == "loss cross_entropy"
    assert not isinstance(parses.component, Metric)


def test_another_data_set_has_other_options_to_hold_out_by():
    document = composed(JUDGED, 'data.dataset="pictures"')
    assert document.tree["data"] == {"dataset": "pictures", "batch": 16}
    document = composed(JUDGED, 'data={ dataset = "pictures", held_out = { split = "test" } }')
    assert document.tree["data"]["held_out"] == {"split": "test"}


def test_a_stage_may_judge_by_other_metrics_and_not_on_other_data():
    one, two = bound(JUDGED + "[[stages]]\n[[stages]]\nmetrics.far = false\nmetrics.codes.count = 7\n").stages
    assert (list(one.metrics), list(two.metrics)) == (["far", "codes", "parses"], ["codes", "parses"])
    assert [stage.metrics["codes"].keys.count for stage in (one, two)] == [500, 7]
    assert said(JUDGED + "[[stages]]\n[[stages]]\ndata.held_out = false\n") == [
        "game.toml:44: stages.1.data.held_out: cannot change between stages"
    ]


def test_the_place_of_held_out_data_is_made_absolute(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    document = absolute(composed(AGE, "data.root=a", 'data.held_out={ root = "b", split = "test" }'))
    assert document.tree["data"]["root"] == str(tmp_path / "a")
    assert document.tree["data"]["held_out"] == {"root": str(tmp_path / "b"), "split": "test"}
    (laid,) = stages(absolute(composed(AGE + "[[stages]]\ndata.held_out.root = 'c'\n")))
    assert laid.tree["data"]["held_out"]["root"] == str(tmp_path / "c")
