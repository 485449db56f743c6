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


ALI = """
[networks]
g = { generator = "tiny" }
e = { encoder = "tiny" }
d = { critic = "tiny", sees = ["x", "z"] }
[players.critic]
owns = ["d"]
[players.critic.terms]
real = { adversarial = "verdict", role = "real", of = "d(x, e(x))" }
fake = { adversarial = "verdict", role = "fake", of = "d(g(z), z)" }
[players.imitators]
owns = ["g", "e"]
[players.imitators.terms]
fool = { adversarial = "verdict", role = "fool", of = "d(g(z), z)" }
swap = { adversarial = "verdict", role = "fake", of = "d(x, e(x))" }
"""


def test_ali():
    plan = plans(HEAD + ALI)
    assert modes(plan["critic"]) == {
        "e(x)": "constant",
        "d(x, e(x))": "trained",
        "g(z)": "constant",
        "d(g(z), z)": "trained",
    }
    assert modes(plan["imitators"]) == {
        "g(z)": "trained",
        "d(g(z), z)": "through",
        "e(x)": "trained",
        "d(x, e(x))": "through",
    }


WAE = """
[networks]
g = { generator = "tiny" }
e = { encoder = "tiny" }
[players.both]
owns = ["e", "g"]
[players.both.terms]
reconstruct = { reciprocity = "distance", of = "g(e(x))", to = "x" }
"""


def test_wae_mmd_compares_with_draws_of_the_reference():
    plan = plans(HEAD + WAE + 'match = { divergence = "cloud", of = "e(x)", weight = 10 }\n')["both"]
    assert plan.draws == ("y",)
    assert modes(plan) == {"e(x)": "trained", "g(e(x))": "trained"}


WAE_GAN = (
    WAE.replace('e = { encoder = "tiny" }', 'e = { encoder = "tiny" }\nc = { critic = "tiny", sees = ["z"] }')
    + """\
fool = { adversarial = "verdict", role = "fool", of = "c(e(x))", weight = 10 }
[players.critic]
owns = ["c"]
[players.critic.terms]
real = { adversarial = "verdict", role = "real", of = "c(z)" }
fake = { adversarial = "verdict", role = "fake", of = "c(e(x))" }
"""
)


def test_wae_gan():
    plan = plans(HEAD + WAE_GAN)
    assert modes(plan["both"]) == {"e(x)": "trained", "g(e(x))": "trained", "c(e(x))": "through"}
    assert modes(plan["critic"]) == {"c(z)": "trained", "e(x)": "constant", "c(e(x))": "trained"}


def test_aae_has_a_phase_of_its_own_for_regularisation():
    phase = '[players.regularise]\nowns = ["e"]\n[players.regularise.terms]\n'
    text = WAE_GAN.replace('owns = ["e", "g"]', 'owns = ["g"]').replace("fool = {", f"{phase}fool = {{")
    plan = plans(HEAD + text)
    assert modes(plan["regularise"]) == {"e(x)": "trained", "c(e(x))": "through"}
    assert modes(plan["both"]) == {"e(x)": "constant", "g(e(x))": "trained"}


INTRO = """
[networks]
g = { generator = "tiny" }
e = { encoder = "tiny" }
[players.encoder]
owns = ["e"]
[players.encoder.terms]
reconstruct = { reciprocity = "distance", of = "g(e(x))", to = "x" }
real = { loss = "kl", of = "e(x)" }
fake = { loss = "kl", of = "e(g(z))", margin = 10.0 }
again = { loss = "kl", of = "e(stop(g(e(x))))", margin = 10.0 }
[players.generator]
owns = ["g"]
[players.generator.terms]
reconstruct = { reciprocity = "distance", of = "g(stop(e(x)))", to = "x" }
fake = { loss = "kl", of = "e(g(z))" }
again = { loss = "kl", of = "e(g(stop(e(x))))" }
"""


def test_introvae():
    plan = plans(HEAD + INTRO)
    assert modes(plan["encoder"]) == {
        "e(x)": "trained",
        "g(e(x))": "through",
        "g(z)": "constant",
        "e(g(z))": "trained",
        "stop(g(e(x)))": "constant",
        "e(stop(g(e(x))))": "trained",
    }
    assert modes(plan["generator"])["e(g(stop(e(x))))"] == "through"
    assert modes(plan["generator"])["g(stop(e(x)))"] == "trained"
    assert modes(plan["generator"])["e(x)"] == "constant"


SOFT_INTRO = """
[networks]
g = { generator = "tiny" }
e = { encoder = "tiny" }
[players.encoder]
owns = ["e"]
[players.encoder.terms]
reconstruct = { reciprocity = "distance", of = "g(e(x))", to = "x" }
real = { loss = "kl", of = "e(x)" }
fake = { loss = "exp_elbo", code = "e(g(z))", of = "g(e(g(z)))", to = "g(z)" }
[players.generator]
owns = ["g"]
[players.generator.terms]
reconstruct = { reciprocity = "distance", of = "g(stop(e(x)))", to = "x" }
fake = { loss = "kl", of = "e(g(z))" }
again = { reciprocity = "distance", of = "g(stop(e(g(z))))", to = "stop(g(z))" }
"""


def test_soft_introvae():
    plan = plans(HEAD + SOFT_INTRO)
    assert modes(plan["encoder"]) == {
        "e(x)": "trained",
        "g(e(x))": "through",
        "g(z)": "constant",
        "e(g(z))": "trained",
        "g(e(g(z)))": "through",
    }
    generator = modes(plan["generator"])
    assert generator["e(g(z))"] == "through"
    assert generator["stop(e(g(z)))"] == "constant"
    assert generator["g(stop(e(g(z))))"] == "trained"
    assert generator["g(z)"] == "trained"
    assert list(generator).count("g(z)") == 1


def test_what_is_reached_through_stop_alone_is_constant():
    text = SOFT_INTRO.replace('fake = { loss = "kl", of = "e(g(z))" }\n', "")
    generator = modes(plans(HEAD + text)["generator"])
    assert generator["g(z)"] == generator["e(g(z))"] == "constant"
    assert generator["g(stop(e(g(z))))"] == "trained"


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
