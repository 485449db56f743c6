"""Weights that adapt, in a game: what controllers are told, when their weight counts, and where their state goes."""

import math
from typing import Any

import pytest
import torch

from agekit.contracts import Controller, Reading, option
from agekit.errors import RecipeError
from agekit.game.update import gradients_by
from agekit.plugins import load
from tests.tiny import equal, game_of, gradients_of, weights_of

TERMS = "players.encoder.terms"
BANG_BANG = '{ controller = "bang_bang", terms = ["real", "fake"], start = -0.5, drift = -0.001, correction = 0.02, '
BALANCE = '{ controller = "gradient_balance", term = "reconstruct", like = "real", factor = 2.0 }'


TOLD: list[tuple[Reading, float]] = []
"""What the echoes were told, in order: a reading and a rate."""


class Echo(Controller):
    """The weight is the value of a term in the step before."""

    term: str = option(help="the term")
    start: float = option(0.0, help="the first weight")

    def watches(self):
        return (self.term,)

    def begin(self):
        return {"weight": self.start, "steps": 0.0}

    def __call__(self, state, readings, rate):
        (seen,) = readings.values()
        TOLD.append((seen, rate))
        return {"weight": seen.gradient if self.gradients else seen.value, "steps": state["steps"] + 1}


class Norms(Echo):
    """The weight is the norm of a term's gradient in the step before."""

    gradients = True


ECHOES = {"echo": ("controllers", Echo), "norms": ("controllers", Norms)}


# ---- what they are told


def test_a_term_of_the_step_before_is_the_weight_of_the_next():
    game = game_of(
        f'{TERMS}.fake.weight={{ controller = "echo", term = "generator.recover", start = -1.0 }}',
        'players.generator.terms.recover.weight={ controller = "echo", term = "recover" }',
        components=ECHOES,
    )
    reports = [game.step() for _ in range(3)]
    recovered = [0.0, *(report.terms["generator"]["recover"].item() for report in reports[:2])]
    assert [float(report.weights["generator"]["recover"]) for report in reports] == recovered
    assert [float(report.weights["encoder"]["fake"]) for report in reports] == [-1.0, *recovered[1:]]
    assert {report.weights["encoder"]["reconstruct"] for report in reports} == {5.0}


def test_the_weight_scales_the_gradient_as_a_number_would():
    controlled = game_of(
        f'{TERMS}.fake.weight={{ controller = "echo", term = "real", start = -0.7 }}', components=ECHOES
    )
    plain = game_of(f"{TERMS}.fake.weight=-0.7")
    for game in (controlled, plain):
        game.step()
    assert equal(weights_of(controlled), weights_of(plain))
    for game in (controlled, plain):
        game.step()
    assert not equal(weights_of(controlled), weights_of(plain))


def test_the_rate_is_the_share_of_the_players_own_first_one():
    TOLD.clear()
    weight = '{ controller = "echo", term = "generator.recover" }'
    falling = 'players.encoder.optimizer={ lr = { schedule = "linear", start = 1e-3, end = 0.0 } }'
    warming = 'players.encoder.optimizer={ lr = { schedule = "linear", start = 0.0, end = 1e-3 } }'
    for rates, wanted in ((falling, [1, 0.75, 0.5, 0.25]), (warming, [1, 1, 1, 1]), ("run.seed=0", [1, 1, 1, 1])):
        TOLD.clear()
        game = game_of("run.steps=4", f"{TERMS}.fake.weight={weight}", rates, components=ECHOES)
        for _ in range(4):
            game.step()
        assert [rate for _, rate in TOLD] == pytest.approx(wanted)


def test_ideal_values_are_those_of_divergences_and_0_elsewhere():
    TOLD.clear()
    game = game_of(
        f'{TERMS}.real={{ divergence = "kl_gaussian" }}',
        f'{TERMS}.real.weight={{ controller = "echo", term = "real" }}',
        f'{TERMS}.fake.weight={{ controller = "echo", term = "generator.recover" }}',
        components=ECHOES,
    )
    game.step()
    assert [seen.ideal for seen, _ in TOLD] == pytest.approx([-0.5 + (1 / 6 + math.log(6)) / 2, 0])
    assert all(seen.gradient is None for seen, _ in TOLD)


def test_norms_are_those_of_the_unweighted_gradient_in_the_last_update():
    settings = ("players.generator.optimizer={ lr = 0.0 }", "players.generator.terms.recover.weight=1.0")
    plain = game_of(*settings)
    plain.seats = plain.seats[1:]
    owned = [
        [
            gradient
            for name, gradient in gradients_of(plain, "generator", update, {"fake": 0.0})[0].items()
            if name[0] == "g"
        ]
        for update in (0, 1)
    ]
    wanted = [torch.cat([gradient.flatten() for gradient in one]).norm().item() for one in owned]
    game = game_of(
        *settings[:1],
        'players.generator.terms.recover.weight={ controller = "norms", term = "recover" }',
        components=ECHOES,
    )
    game.seats = game.seats[1:]
    report = game.step()
    found = game.controllers.states["generator", "recover"]["weight"].item()
    assert found == report.norms["generator"]["recover"].item() == pytest.approx(wanted[1], rel=1e-6)
    assert found != pytest.approx(wanted[0], rel=1e-3)


def test_measuring_gradients_changes_none_of_them():
    norms = f'{TERMS}.real.weight={{ controller = "norms", term = "fake", start = 1.0 }}'
    for text in (norms, norms.replace("norms", "echo")):
        game = game_of(text, components=ECHOES)
        game.step()
        assert equal(weights_of(game), weights_of(played_once()))


def played_once():
    game = game_of()
    game.step()
    return game


def test_gradients_are_measured_only_where_they_are_asked_for(monkeypatch):
    measured = []

    def measuring(*given):
        measured.append(given)
        return gradients_by(*given)

    monkeypatch.setattr("agekit.game.update.gradients_by", measuring)
    for name, times in (("echo", 0), ("norms", 1)):
        measured.clear()
        weight = f'{{ controller = "{name}", term = "recover" }}'
        game_of(f"players.generator.terms.recover.weight={weight}", components=ECHOES).step()
        assert len(measured) == times  # of two updates, in the last


def test_a_term_without_a_gradient_has_norm_0():
    game = game_of(
        'players.generator.terms.still={ reciprocity = "l2", of = "stop(e(g(z)))", to = "z" }',
        'players.generator.terms.still.weight={ controller = "norms", term = "still" }',
        components=ECHOES,
    )
    assert game.step().norms["generator"]["still"].item() == 0


NUMBERS = {
    "bang_bang": {"terms": ("a", "b"), "start": 1.0, "drift": 0.1, "correction": -1.0, "excess": 1.0, "most": 2.0},
    "margin": {"upper": "a", "lower": "b", "margin": 0.2},
    "gradient_balance": {"term": "a", "like": "b"},
}


@pytest.mark.parametrize("name", sorted(load().registries.controllers))
def test_no_controller_waits_for_the_device(name):
    """On the meta device there is no number to wait for: whoever looks at one fails."""
    controller: Any = load().registries.controllers[name].model_validate(NUMBERS[name])
    number = torch.zeros((), device="meta")
    state = {entry: number.double() for entry in controller.begin()}
    moved = controller(state, dict.fromkeys(controller.watches(), Reading(number, 0.0, number)), 1.0)
    assert moved.keys() == state.keys()
    assert {(value.device.type, value.shape) for value in moved.values()} == {("meta", torch.Size())}


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (BALANCE.replace('"reconstruct"', '"fake"'), "weight of encoder.reconstruct, and scales fake by its gradient"),
        (BALANCE.replace('"real"', '"generator.fake"'), "by other parameters than encoder.reconstruct; a term of enc"),
    ],
)
def test_gradient_balance_is_refused_where_its_norms_are_not_comparable(weight, message):
    with pytest.raises(RecipeError, match=message):
        game_of(f"{TERMS}.reconstruct.weight={weight}")


@pytest.mark.parametrize("reference", ["sphere", "uniform"])
def test_a_divergence_without_a_known_ideal_trains_and_has_no_limit_in_multiples_of_it(reference):
    """SIGReg knows no ideal at the uniform reference; that concerns only who asks for one."""
    said = f'latent.reference="{reference}"', f'{TERMS}.real={{ divergence = "sigreg", of = "e(x)" }}'
    assert game_of(*said).step().terms["encoder"]["real"].isfinite()
    watching = f"{TERMS}.fake.weight={BANG_BANG.replace(', ratio = 1.05', '')}excess = 0.05, most = 0.0 }}"
    if reference == "sphere":
        assert game_of(*said, watching).step().weights["encoder"]["fake"] == -0.5
    else:
        with pytest.raises(RecipeError, match=r"the ideal value of real is not known; ratio = 0 and an excess fit"):
            game_of(*said, watching)
        loose = watching.replace("excess = 0.05", "ratio = 0.0, excess = 0.5")
        assert game_of(*said, loose).step().weights["encoder"]["fake"] == -0.5
