"""Mistakes in a recipe: what is written in the place of what, and the one line that is then said."""

from tests.fakes import AGE

REAL = 'real = { divergence = "fixed", of = "e(x)" }'
RECONSTRUCT = 'reconstruct = { reciprocity = "distance", of = "g(e(x))", to = "x", weight = 5 }'
GENERATOR = AGE[AGE.index('fake = { divergence = "fixed", of = "e(g(z))" }') : AGE.index("\n[views]")]


def term(change: str) -> tuple[str, str]:
    return REAL, change


NOBODY = "nobody trains it: let a player own it, or say where its weights come from (from, average_of)"
NETWORKS = "one of generator = …, encoder = …, critic = …, parser = … fits"
WEIGHT = "a number or a table with schedule = … or a table with controller = …"
LOSSES = "one of divergence = …, reciprocity = …, adversarial = …, loss = … fits"

MISTAKES = {
    "an unknown table": (("[views]", "[view]"), "game.toml:27: view: unknown key; did you mean views?"),
    "an unknown key": (("batch =", "batc ="), "game.toml:3: data.batc: unknown key; did you mean batch?"),
    "an unknown option": (
        ('"tiny"', '"tiny", widht = 3'),
        "game.toml:10: networks.g.widht: unknown key; did you mean width?",
    ),
    "an unknown key of a player": (
        ("updates =", "update ="),
        "game.toml:22: players.generator.update: unknown key; did you mean updates?",
    ),
    "a misspelt component": (
        ('"tiny"', '"tinny"'),
        "game.toml:10: networks.g.generator: no generator is called 'tinny'; did you mean tiny?",
    ),
    "a misspelt data set": (
        ('"shapes"', '"shape"'),
        "game.toml:2: data.dataset: no dataset is called 'shape'; did you mean shapes?",
    ),
    "a misspelt shelf": (
        ("generator =", "generater ="),
        f"game.toml:10: networks.g: names no component: {NETWORKS}; did you mean generator?",
    ),
    "no component": (
        term('real = { of = "e(x)" }'),
        f"game.toml:16: players.encoder.terms.real: names no component: {LOSSES}",
    ),
    "two components": (
        term('real = { divergence = "fixed", loss = "kl", of = "e(x)" }'),
        f"game.toml:16: players.encoder.terms.real: found divergence and loss, where {LOSSES}",
    ),
    "a component of another contract": (
        ('dataset = "shapes"', 'generator = "tiny"'),
        "game.toml:1: data: found generator, where one of dataset = … fits",
    ),
    "a component that is no text": (
        ('dataset = "shapes"', "dataset = 3"),
        "game.toml:2: data.dataset: found 3, where a component's name fits",
    ),
    "text for a number": (("= 16", '= "16"'), "game.toml:3: data.batch: found '16', where a whole number fits"),
    "a fraction for a whole number": (
        ("dim = 6", "dim = 6.5"),
        "game.toml:7: latent.dim: found 6.5, where a whole number fits",
    ),
    "a truth for a number": (
        ("dim = 6", "dim = true"),
        "game.toml:7: latent.dim: found true, where a whole number fits",
    ),
    "a number too small": (
        ("dim = 6", "dim = 0"),
        "game.toml:7: latent.dim: found 0, where a whole number greater than or equal to 1 fits",
    ),
    "a weight that is not finite": (
        ("weight = -1", "weight = nan"),
        "game.toml:17: players.encoder.terms.fake.weight: found nan, where a finite number fits",
    ),
    "a weight that is text": (
        ("weight = -1", 'weight = "1"'),
        f"game.toml:17: players.encoder.terms.fake.weight: found '1', where {WEIGHT} fits",
    ),
    "a weight that is an empty table": (
        ("weight = -1", "weight = {}"),
        f"game.toml:17: players.encoder.terms.fake.weight: found {{}}, where {WEIGHT} fits",
    ),
    "a rate that is a table without a schedule": (
        ('owns = ["e"]', 'owns = ["e"]\noptimizer.lr = { end = 1 }'),
        "game.toml:15: players.encoder.optimizer.lr: "
        "found {'end': 1}, where a number or a table with schedule = … fits",
    ),
    "a rate below zero": (
        ('owns = ["e"]', 'owns = ["e"]\noptimizer = { lr = -1.0 }'),
        "game.toml:15: players.encoder.optimizer.lr: found -1.0, where a number greater than or equal to 0 "
        "or a table with schedule = … fits",
    ),
    "a misspelt schedule": (
        ("weight = -1", 'weight = { schedule = "rampp", end = 1.0 }'),
        "game.toml:17: players.encoder.terms.fake.weight.schedule: no schedule is called 'rampp'; did you mean ramp?",
    ),
    "a schedule without its end": (
        ("weight = -1", 'weight = { schedule = "ramp" }'),
        "game.toml:17: players.encoder.terms.fake.weight.end: is missing; a number fits: the value at last",
    ),
    "a misspelt controller": (
        ("weight = -1", 'weight = { controller = "folow", terms = ["real"] }'),
        "game.toml:17: players.encoder.terms.fake.weight.controller: no controller is called 'folow'; "
        "did you mean follow?",
    ),
    "a controller of a term that is not there": (
        ("weight = -1", 'weight = { controller = "follow", terms = ["rael", "real"] }'),
        "game.toml:17: players.encoder.terms.fake.weight: watches 'rael', and no term is called so; did you mean real?",
    ),
    "a controller of a player that is not there": (
        ("weight = -1", 'weight = { controller = "follow", terms = ["generater.recover"] }'),
        "game.toml:17: players.encoder.terms.fake.weight: watches 'generater.recover', and no term is called so; "
        "did you mean generator.recover?",
    ),
    "a controller of a term that another player has": (
        ("weight = -1", 'weight = { controller = "follow", terms = ["recover"] }'),
        "game.toml:17: players.encoder.terms.fake.weight: watches 'recover', and no term is called so; "
        "did you mean generator.recover?",
    ),
    "a controller that cannot work on what it watches": (
        ("weight = -1", 'weight = { controller = "follow", terms = ["real"], needs = 1 }'),
        "game.toml:17: players.encoder.terms.fake.weight: the ideal value of real is 0, where 1 or more fits",
    ),
    "a controller of a rate": (
        ('owns = ["e"]', 'owns = ["e"]\noptimizer.lr = { controller = "follow", terms = ["real"] }'),
        "game.toml:15: players.encoder.optimizer.lr: "
        "found a table with controller = …, where a number or a table with schedule = … fits",
    ),
    "an optimizer for a weight": (
        ("weight = -1", 'weight = { optimizer = "adam" }'),
        f"game.toml:17: players.encoder.terms.fake.weight: found a table with optimizer = …, where {WEIGHT} fits",
    ),
    "a misspelt optimizer": (
        ('owns = ["e"]', 'owns = ["e"]\noptimizer = { optimizer = "adm" }'),
        "game.toml:15: players.encoder.optimizer.optimizer: no optimizer is called 'adm'; did you mean adam?",
    ),
    "a wrong entry of a list": (
        term('real = { divergence = "cloud", of = "e(x)", bandwidths = [1.0, "a"] }'),
        "game.toml:16: players.encoder.terms.real.bandwidths.1: found 'a', where a number fits",
    ),
    "a wrong entry of a table": (
        term("real = 3"),
        "game.toml:16: players.encoder.terms.real: found 3, where a table fits",
    ),
    "a network that is no table": (
        ('{ generator = "tiny" }', '"tiny"'),
        "game.toml:10: networks.g: found 'tiny', where a table fits",
    ),
    "a player that is no table": (
        ("[players.encoder]", "[players]\nextra = 3\n[players.encoder]"),
        "game.toml:14: players.extra: found 3, where a table fits",
    ),
    "a network applied to what it made": (
        ('of = "e(x)"', 'of = "e(e(x))"'),
        "game.toml:16: players.encoder.terms.real.of: e sees x [3×8×8], and was given z [6], which e(x) is: e(e(x))",
    ),
    "an unknown source": (
        ('of = "e(x)"', 'of = "e(xx)"'),
        "game.toml:16: players.encoder.terms.real.of: no field or draw is called 'xx'; did you mean x?",
    ),
    "an unknown network": (
        ('of = "e(x)"', 'of = "enc(x)"'),
        "game.toml:16: players.encoder.terms.real.of: no network or operator is called 'enc'; "
        "known: chroma, e, g, grey, mix, stop",
    ),
    "a network without arguments": (
        ('of = "e(x)"', 'of = "e"'),
        "game.toml:16: players.encoder.terms.real.of: e is applied to something, as in e(…); alone it has no value",
    ),
    "a source with arguments": (
        ('of = "e(x)"', 'of = "x(z)"'),
        "game.toml:16: players.encoder.terms.real.of: x is no network or operator, and cannot be applied: x(z)",
    ),
    "too many arguments": (
        ('of = "e(x)"', 'of = "e(x, x)"'),
        "game.toml:16: players.encoder.terms.real.of: e sees 1 (x), and was given 2: e(x, x)",
    ),
    "an operator's refusal": (
        ('of = "e(x)"', 'of = "e(mix(x, z))"'),
        "game.toml:16: players.encoder.terms.real.of: mix(x, z): takes two of one kind and shape",
    ),
    "an operator's number of arguments": (
        ('of = "e(x)"', 'of = "grey(x, x)"'),
        "game.toml:16: players.encoder.terms.real.of: grey takes another number of arguments than the 2 of grey(x, x)",
    ),
    "no expression": (
        ('of = "e(x)"', 'of = "e(x"'),
        "game.toml:16: players.encoder.terms.real.of: 'e(x' ends where ) or , should stand",
    ),
    "an expression that is no text": (
        ('of = "e(x)"', "of = 3"),
        "game.toml:16: players.encoder.terms.real.of: found 3, where an expression in quotes fits",
    ),
    "a network owned twice": (
        ('owns = ["g"]', 'owns = ["g", "e"]'),
        "game.toml:21: players.generator.owns: e is owned twice, by encoder and by generator",
    ),
    "a network owned twice by one": (
        ('owns = ["g"]', 'owns = ["g", "g"]'),
        "game.toml:21: players.generator.owns: g is owned twice, by generator",
    ),
    "a network owned by nobody": (("g = {", 't = { encoder = "tiny" }\ng = {'), f"game.toml:10: networks.t: {NOBODY}"),
    "a player that trains nothing it owns": (
        (GENERATOR, 'fake = { divergence = "fixed", of = "e(x)" }\n'),
        "game.toml:21: players.generator.owns: none of its terms trains g",
    ),
    "a player whose gradient is stopped": (
        (GENERATOR, 'fake = { divergence = "fixed", of = "e(stop(g(z)))" }\n'),
        "game.toml:21: players.generator.owns: none of its terms trains g",
    ),
    "a divergence of images": (
        ('of = "e(x)"', 'of = "x"'),
        "game.toml:16: players.encoder.terms.real: of is to be vectors, [n, d], and x is x [3×8×8]",
    ),
    "a fixed reference with another": (
        ('of = "e(x)"', 'of = "e(x)", to = "y"'),
        "game.toml:16: players.encoder.terms.real.to: unknown key; known: direction, divergence, of, weight",
    ),
    "a divergence to images": (
        term('real = { divergence = "cloud", of = "e(x)", to = "x" }'),
        "game.toml:16: players.encoder.terms.real: to is to be vectors, [n, d], and x is x [3×8×8]",
    ),
    "clouds of two dimensions": (
        term('real = { divergence = "either", of = "e(x)", to = "pose" }'),
        "game.toml:16: players.encoder.terms.real: of and to are to match, and are z [6] and pose [5]: "
        "e(x) against pose",
    ),
    "samples where the reference is needed": (
        term('real = { divergence = "against", of = "e(x)", to = "e(g(z))" }'),
        "game.toml:16: players.encoder.terms.real: to is compared with the reference alone, y; found e(g(z))",
    ),
    "outputs and targets of two kinds": (
        (RECONSTRUCT, RECONSTRUCT.replace('to = "x"', 'to = "z"')),
        "game.toml:18: players.encoder.terms.reconstruct: of and to are to match, and are x [3×8×8] and z [6]: "
        "g(e(x)) against z",
    ),
    "a missing operand": (
        (RECONSTRUCT, RECONSTRUCT.replace(', to = "x"', "")),
        "game.toml:18: players.encoder.terms.reconstruct: the operand 'to' is missing: which expression is it?",
    ),
    "an operand of another kind": (
        term('real = { adversarial = "verdict", role = "real", of = "e(x)" }'),
        "game.toml:16: players.encoder.terms.real: of is to be of kind score, and e(x) is z [6]",
    ),
    "scores of nothing": (
        term('real = { loss = "cross_entropy", of = "e(x)", to = "label" }'),
        "game.toml:16: players.encoder.terms.real: of is to be scores of label [2], since to is label, "
        "and e(x) is z [6]",
    ),
    "a view beside another kind": (
        ('beside = "x"', 'beside = "z"'),
        "game.toml:29: views.reconstructions: g(e(x)), which is x [3×8×8], cannot stand beside z, which is z [6]",
    ),
    "a view along what it does not draw": (
        ('beside = "x"', 'along = "z"'),
        "game.toml:29: views.reconstructions: nothing to move along: 'z' is no draw of g(e(x))",
    ),
    "a view that is no expression": (
        ('samples = "g(z)"', 'samples = "g(z))"'),
        "game.toml:28: views.samples: 'g(z))' goes on after the expression, at ')'",
    ),
    "a view of nothing": (
        ('samples = "g(z)"', "samples = {}"),
        "game.toml:28: views.samples.of: is missing; text fits: the expression that is shown",
    ),
    "a derived field's loop": (
        ("batch = 16", 'batch = 16\nfields = { l = "grey(l)" }'),
        "game.toml:4: data.fields.l: the field 'l' is derived from itself: l → l",
    ),
    "a derived field of draws": (
        ("batch = 16", 'batch = 16\nfields = { l = "z2" }'),
        "game.toml:4: data.fields.l: uses z2, and a field is derived from other fields alone, by operators",
    ),
    "a derived field of networks": (
        ("batch = 16", 'batch = 16\nfields = { l = "g(e(x))" }'),
        "game.toml:4: data.fields.l: uses g, and a field is derived from other fields alone, by operators",
    ),
    "a derived field with a field's name": (
        ("batch = 16", 'batch = 16\nfields = { x = "grey(x)" }'),
        "game.toml:4: data.fields.x: the name is taken; choose another",
    ),
    "a derived field that is no text": (
        ("batch = 16", "batch = 16\nfields = { l = 3 }"),
        "game.toml:4: data.fields.l: found 3, where text fits",
    ),
    "a kind that is not there": (
        ('"tiny"', '"tiny", sees = ["z", "lum"]'),
        "game.toml:10: networks.g: nothing here is of kind 'lum'; known: label, mask, pose, score, x, z",
    ),
    "an average of nothing": (
        ("g = {", 't = { average_of = "ee" }\ng = {'),
        "game.toml:10: networks.t.average_of: no network is called 'ee'; did you mean e?",
    ),
    "an average with options": (
        ("g = {", 't = { average_of = "e", decai = 0.9 }\ng = {'),
        "game.toml:10: networks.t.decai: unknown key of a running average; did you mean decay?",
    ),
    "an average out of range": (
        ("g = {", 't = { average_of = "e", decay = 1 }\ng = {'),
        "game.toml:10: networks.t.decay: found 1, where a number less than 1 fits",
    ),
    "a decay of no average": (
        ('"tiny"', '"tiny", decay = 0.9'),
        "game.toml:10: networks.g.decay: has no effect here: it is of a running average, a network with average_of",
    ),
    "two lengths": (
        ("steps = 10", "steps = 10\nepochs = 3"),
        "game.toml:33: run.epochs: found 3, where one of steps and epochs fits, and steps = 10 is there too",
    ),
    "no length": (
        ("steps = 10", ""),
        "game.toml:31: run: says no length: run.steps or run.epochs (or those of each stage) is needed",
    ),
    **{
        f"an interval of {every}": (
            ("steps = 10", f"steps = 10\nlog_every = {every}"),
            f"game.toml:33: run.log_every: found {every}, where a number of steps, or a text such as "
            '"500 steps" or "1 epoch", fits',
        )
        for every in ("'2 weeks'", "'0 step'", "'00 steps'", "'-1 epoch'", "0", "-5")
    },
}
