"""Systems of the literature that judge an encoder and a generator together, or codes: each binds, with its modes."""

from tests.fakes import modes, plans

HEAD = """\
[data]
dataset = "shapes"
[latent]
reference = "ball"
[run]
steps = 1
"""


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
