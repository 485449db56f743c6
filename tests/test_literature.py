"""The systems of the literature, said as recipes: each binds, and its plan has the modes that its paper asks for."""

import pytest

from tests.fakes import AGE, bound, modes, plans

HEAD = """\
[data]
dataset = "shapes"
[latent]
reference = "ball"
[run]
steps = 1
"""


def test_age():
    plan = plans(AGE)
    assert modes(plan["encoder"]) == {
        "e(x)": "trained",
        "g(z)": "constant",
        "e(g(z))": "trained",
        "g(e(x))": "through",
    }
    assert modes(plan["generator"]) == {"g(z)": "trained", "e(g(z))": "through"}
    assert (plan["encoder"].fields, plan["encoder"].draws) == (("x",), ("z",))
    assert (plan["generator"].fields, plan["generator"].draws) == ((), ("z",))


ABLATIONS = {
    "no reconstruction": ('reconstruct = { reciprocity = "distance", of = "g(e(x))", to = "x", weight = 5 }', ""),
    "the direct game": (
        '{ divergence = "fixed", of = "e(g(z))" }',
        '{ divergence = "cloud", of = "e(g(z))", to = "e(x)" }',
    ),
    "image match on the generator": (
        "recover = {",
        'images = { reciprocity = "distance", of = "g(e(x))", to = "x" }\nrecover = {',
    ),
    "no latent match": ('recover = { reciprocity = "distance", of = "e(g(z))", to = "z", weight = 7.5 }', ""),
}


@pytest.mark.parametrize("name", ABLATIONS)
def test_ablations_of_age(name):
    text = AGE.replace(*ABLATIONS[name])
    assert text != AGE
    assert list(plans(text)) == ["encoder", "generator"]


def test_the_generator_that_matches_images_trains_through_a_constant_code():
    plan = plans(AGE.replace(*ABLATIONS["image match on the generator"]))["generator"]
    assert modes(plan)["e(x)"] == "constant"
    assert modes(plan)["g(e(x))"] == "trained"


VAE = """
[networks]
g = { generator = "tiny" }
e = { encoder = "tiny" }
[players.both]
owns = ["e", "g"]
[players.both.terms]
reconstruct = { reciprocity = "distance", of = "g(e(x))", to = "x" }
prior = { loss = "kl", of = "e(x)" }
"""


def test_vae_takes_the_distribution_and_its_sample_from_one_call():
    plan = plans(HEAD + VAE)["both"]
    assert modes(plan) == {"e(x)": "trained", "g(e(x))": "trained"}
    code = next(index for index, node in enumerate(plan.nodes) if node.text == "e(x)")
    (prior,) = plan.terms[1].binds
    assert (prior.node, prior.distribution) == (code, True)
    assert plan.draws == ()


CRITIC = """
[networks]
g = { generator = "tiny" }
d = { critic = "tiny" }
[players.critic]
owns = ["d"]
[players.critic.terms]
real = { adversarial = "verdict", role = "real", of = "d(x)" }
fake = { adversarial = "verdict", role = "fake", of = "d(g(z))" }
[players.generator]
owns = ["g"]
[players.generator.terms]
fool = { adversarial = "verdict", role = "fool", of = "d(g(z))" }
"""


def test_dcgan():
    plan = plans(HEAD + CRITIC)
    assert modes(plan["critic"]) == {"d(x)": "trained", "g(z)": "constant", "d(g(z))": "trained"}
    assert modes(plan["generator"]) == {"g(z)": "trained", "d(g(z))": "through"}


def test_wgan_gp_penalises_at_the_very_tensor_that_entered_the_critic():
    penalty = 'penalty = { loss = "penalty", score = "d(mix(x, g(z)))", at = "mix(x, g(z))", weight = 10 }\n'
    plan = plans(HEAD + CRITIC.replace("[players.generator]", f"{penalty}[players.generator]"))["critic"]
    assert modes(plan)["g(z)"] == "constant"
    assert modes(plan)["d(mix(x, g(z)))"] == "trained"
    assert [plan.nodes[index].text for index in plan.watched] == ["mix(x, g(z))"]
    score, at = plan.terms[-1].binds
    assert score.node is not None
    assert plan.nodes[score.node].arguments == (at.node,)


def test_r1_penalises_at_the_data():
    penalty = 'penalty = { loss = "penalty", score = "d(x)", at = "x" }\n'
    plan = plans(HEAD + CRITIC.replace("[players.generator]", f"{penalty}[players.generator]"))["critic"]
    assert [plan.nodes[index].text for index in plan.watched] == ["x"]
    assert modes(plan)["d(x)"] == "trained"


def test_a_frozen_critic_passes_what_a_penalty_differentiates():
    frozen = CRITIC.replace('d = { critic = "tiny" }', 'd = { critic = "tiny", from = "runs/d" }')
    start = frozen.index("[players.critic]")
    text = frozen[:start] + frozen[frozen.index("[players.generator]") :]
    plan = plans(HEAD + text + 'smooth = { loss = "penalty", score = "d(x)", at = "x" }\n')["generator"]
    assert modes(plan)["d(x)"] == "through"


CONDITIONAL = """
[data.fields]
l = "grey(x)"
ab = "chroma(x)"
[networks]
g = { generator = "tiny", sees = ["z", "l"], makes = "ab" }
e = { encoder = "tiny", sees = ["ab", "l"] }
[players.encoder]
owns = ["e"]
[players.encoder.terms]
real = { divergence = "fixed", of = "e(ab, l)" }
fake = { divergence = "fixed", of = "e(g(z, l), l)", weight = -0.5 }
reconstruct = { reciprocity = "distance", of = "g(e(ab, l), l)", to = "ab", weight = 10 }
[players.generator]
owns = ["g"]
updates = 4
[players.generator.terms]
fake = { divergence = "fixed", of = "e(g(z, l), l)" }
recover = { reciprocity = "distance", of = "e(g(z, l), l)", to = "z", weight = 10 }
"""


def test_conditional_age():
    text = HEAD.replace("[latent]", CONDITIONAL.split("[networks]")[0] + "[latent]")
    plan = plans(text + "[networks]" + CONDITIONAL.split("[networks]")[1])
    assert modes(plan["generator"])["e(g(z, l), l)"] == "through"
    assert plan["generator"].fields == ("x",)
    (made,) = [node for node in plan["generator"].nodes if node.text == "g(z, l)"]
    assert str(made.space) == "ab [2×8×8]"


PARSER = """
[data]
dataset = "shapes"
[networks]
s = { parser = "tiny" }
[players.parser]
owns = ["s"]
[players.parser.terms]
classes = { loss = "cross_entropy", of = "s(x)", to = "mask" }
[views]
parsed = { of = "s(x)", beside = "s(x)" }
[run]
steps = 1
"""


def test_a_parser_s_own_training_needs_no_latent_space():
    plan = plans(PARSER)["parser"]
    assert modes(plan) == {"s(x)": "trained"}
    assert plan.fields == ("x", "mask")
    assert str(plan.nodes[1].space) == "scores of mask [3×8×8]"
    assert plan.nodes[1].space.classes == plan.nodes[2].space.classes != ()
    assert bound(PARSER).reference is None


SEMANTIC = """
[networks]
g = { generator = "tiny" }
e = { encoder = "tiny" }
s = { parser = "tiny", from = "runs/parser_faces" }
t = { average_of = "e", decay = 0.99 }
[players.encoder]
owns = ["e"]
[players.encoder.terms]
real = { divergence = "fixed", of = "e(x)" }
teacher = { reciprocity = "distance", of = "e(x)", to = "t(x)" }
[players.generator]
owns = ["g"]
[players.generator.terms]
same_parts = { reciprocity = "distance", of = "s(g(e(x)))", to = "s(x)" }
true_parts = { loss = "cross_entropy", of = "s(g(e(x)))", to = "mask" }
"""


def test_a_semantic_loss_passes_through_a_frozen_parser():
    plan = plans(HEAD + SEMANTIC)
    assert modes(plan["generator"]) == {
        "e(x)": "constant",
        "g(e(x))": "trained",
        "s(g(e(x)))": "through",
        "s(x)": "constant",
    }
    assert modes(plan["encoder"]) == {"e(x)": "trained", "t(x)": "constant"}
