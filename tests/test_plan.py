"""The plan: what is computed, once each, in which mode, from which draws."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agekit.game.graph import Graph, Scope
from agekit.game.plan import MEANING, modes
from agekit.game.scope import scope_of
from agekit.recipe.language import parse_expression
from tests.fakes import AGE, bound, plans
from tests.fakes import modes as by_call


def planned(expressions: list[str], owns: list[str]) -> dict[str, str]:
    """The modes of every node that some expressions need."""
    scope = scope_of(bound(AGE))
    graph = Graph(scope)
    roots = [graph.add(parse_expression(text)) for text in expressions]
    found = modes(graph.nodes, roots, owns, scope)
    return {node.text: mode for node, mode in zip(graph.nodes, found, strict=True)}


@pytest.mark.parametrize(
    ("owns", "expected"),
    [
        ([], {"z": "constant", "g(z)": "constant", "e(g(z))": "constant"}),
        (["e"], {"z": "constant", "g(z)": "constant", "e(g(z))": "trained"}),
        (["g"], {"z": "constant", "g(z)": "trained", "e(g(z))": "through"}),
        (["g", "e"], {"z": "constant", "g(z)": "trained", "e(g(z))": "trained"}),
    ],
)
def test_ownership_alone_decides_the_mode(owns, expected):
    assert planned(["e(g(z))"], owns) == expected


def test_an_owned_network_above_another_is_trained_and_one_between_lets_through():
    assert planned(["g(e(g(z)))"], ["g"]) == {
        "z": "constant",
        "g(z)": "trained",
        "e(g(z))": "through",
        "g(e(g(z)))": "trained",
    }


def test_stop_makes_constant_what_is_reached_through_it_alone():
    assert planned(["g(stop(e(g(z))))"], ["g"]) == {
        "z": "constant",
        "g(z)": "constant",
        "e(g(z))": "constant",
        "stop(e(g(z)))": "constant",
        "g(stop(e(g(z))))": "trained",
    }
    assert planned(["g(stop(e(g(z))))", "g(z)"], ["g"])["g(z)"] == "trained"
    assert planned(["g(stop(e(g(z))))", "e(g(z))"], ["g"])["e(g(z))"] == "through"


def test_equal_calls_are_one_node_across_the_terms_of_a_player():
    plan = plans(AGE)["encoder"]
    texts = [node.text for node in plan.nodes]
    assert texts == ["x", "e(x)", "z", "g(z)", "e(g(z))", "g(e(x))"]
    assert len(texts) == len(set(texts))


def test_nodes_come_after_what_they_are_made_of():
    for plan in plans(AGE).values():
        assert all(argument < index for index, node in enumerate(plan.nodes) for argument in node.arguments)


def test_players_draw_only_what_they_use():
    plan = plans(
        AGE.replace('to = "z", weight', 'to = "z12", weight').replace('of = "g(e(x))", to = "x"', 'of = "z2", to = "z"')
    )
    assert (plan["encoder"].fields, plan["encoder"].draws) == (("x",), ("z", "z2"))
    assert (plan["generator"].fields, plan["generator"].draws) == ((), ("z", "z12"))


@pytest.mark.parametrize("name", ["z0", "z1", "z01", "zz", "y2"])
def test_draws_are_z_and_z2_and_so_on(name):
    with pytest.raises(ValueError, match=f"no field or draw is called '{name}'"):
        planned([name], [])


@pytest.mark.parametrize(
    ("divergence", "node", "draws"),
    [("against", None, ()), ("either", None, ()), ("cloud", "y", ("y",))],
)
def test_y_is_the_reference_itself_or_else_draws_of_it(divergence, node, draws):
    text = AGE.replace('{ divergence = "fixed", of = "e(x)" }', f'{{ divergence = "{divergence}", of = "e(x)" }}')
    plan = plans(text)["encoder"]
    of, to = plan.terms[0].binds
    assert (of.name, to.name) == ("of", "to")
    assert (None if to.node is None else plan.nodes[to.node].text) == node
    assert tuple(name for name in plan.draws if name == "y") == draws


def test_a_cloud_is_compared_with_any_other_cloud_of_its_size():
    text = AGE.replace(
        '{ divergence = "fixed", of = "e(x)" }', '{ divergence = "either", of = "e(x)", to = "e(g(z))" }'
    )
    assert by_call(plans(text)["encoder"])["e(g(z))"] == "trained"


def test_sizes_that_only_the_data_knows_fit_any():
    text = AGE.replace(
        '{ divergence = "fixed", of = "e(x)" }', '{ divergence = "either", of = "e(x)", to = "e(g(z))" }'
    )
    unknown = text.replace('dataset = "shapes"', 'dataset = "pictures"')
    (x,) = [space for space in scope_of(bound(unknown)).fields.values() if space.kind == "x"]
    assert str(x) == "x [3×?×?]"


def test_the_length_of_a_stage_falls_back_on_the_run():
    stage = bound(AGE).stages[0]
    assert (stage.keys.steps, stage.run.steps) == (None, 10)


def test_every_mode_has_its_meaning():
    used = {mode for plan in plans(AGE).values() for mode in plan.modes}
    assert used == set(MEANING)


CODES: st.SearchStrategy[str] = st.deferred(
    lambda: st.just("z") | IMAGES.map(lambda x: f"e({x})") | CODES.map(lambda z: f"stop({z})")
)
IMAGES: st.SearchStrategy[str] = st.deferred(
    lambda: st.just("x") | CODES.map(lambda z: f"g({z})") | IMAGES.map(lambda x: f"stop({x})")
)


def required(text: str, owns: list[str], scope: Scope) -> dict[str, bool]:
    """Whether the gradient of a single root passes each call, by walking down from the root as calculus does."""
    passes: dict[str, bool] = {}

    def below(expression) -> bool:
        inner = [below(argument) for argument in getattr(expression, "arguments", ())]
        return expression.name != "stop" and (expression.name in owns or any(inner))

    def walk(expression, reached: bool) -> None:
        passes[str(expression)] = passes.get(str(expression), False) or (reached and below(expression))
        for argument in getattr(expression, "arguments", ()):
            walk(argument, reached and expression.name != "stop")

    walk(parse_expression(text), True)
    return passes


SCOPE = scope_of(bound(AGE))


@settings(max_examples=200)
@given(IMAGES | CODES, st.sampled_from([[], ["g"], ["e"], ["g", "e"]]))
def test_modes_are_those_of_calculus(text, owns):
    graph = Graph(SCOPE)
    root = graph.add(parse_expression(text))
    found = {
        node.text: mode
        for node, mode in zip(graph.nodes, modes(graph.nodes, [root], owns, SCOPE), strict=True)
        if node.op != "draw" and node.op != "field"
    }
    wanted = {key: flag for key, flag in required(text, owns, SCOPE).items() if key in found}
    assert {key: mode != "constant" for key, mode in found.items()} == wanted
    assert all((mode == "trained") == (key.split("(")[0] in owns) for key, mode in found.items() if mode != "constant")


def test_binding_and_planning_load_no_torch():
    code = (
        "import sys\n"
        "from tests.fakes import AGE, plans\n"
        "import agekit.game.schema, agekit.plugins\n"
        "assert list(plans(AGE)) == ['encoder', 'generator']\n"
        "print(sorted({'torch', 'numpy', 'PIL'} & sys.modules.keys()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"
