"""Weights that adapt, in a game: what controllers are told, when their weight counts, and where their state goes."""

import json
import math
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from agekit.contracts import Controller, Reading, option
from agekit.errors import PluginError, RecipeError, RunError
from agekit.game.cost import cost
from agekit.game.describe import describe_plan
from agekit.game.update import gradients_by
from agekit.game.views import Gallery
from agekit.plugins import load
from agekit.train import checkpoint as saved
from tests.runs import STAGED, Killed, Quiet, begin, events_of, go_on, killed, left_behind
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


# ---- where the state goes


CONTROLLED = STAGED.replace(
    'of = "e(g(z))", weight = -1', f'of = "e(g(z))", weight = {BANG_BANG}excess = 0.05, most = 0.0 }}'
).replace('to = "x", weight = 5', f'to = "x", weight = {BALANCE}')
GOES_ON = CONTROLLED.replace("players.encoder.terms.reconstruct.weight = 7.5", "")
"""Both controllers are the same in both stages."""


@pytest.mark.parametrize("change", ["", "excess = 0.06"])
def test_a_state_goes_on_where_the_next_stage_has_an_equal_controller(change):
    later = f"{TERMS}.fake.weight.{change}" if change else ""
    game = game_of(text=GOES_ON.rstrip() + f"\n{later}\n")
    for _ in range(5):
        game.step()
    before = game.controllers.states
    assert before["encoder", "fake"]["weight"].item() not in (-0.5, 0)
    game.enter(1)
    weights = game.controllers.weights(game.stage.players[0], game.progress)
    assert float(weights["fake"]) == (-0.5 if change else before["encoder", "fake"]["weight"].item())
    assert game.controllers.states["encoder", "reconstruct"] == before["encoder", "reconstruct"]


def test_a_stage_may_put_a_number_in_the_place_of_a_controller():
    game = game_of(text=CONTROLLED)
    reports = [game.step() for _ in range(6)]
    assert float(reports[4].weights["encoder"]["reconstruct"]) != 5
    assert reports[5].weights["encoder"]["reconstruct"] == 7.5
    assert list(game.controllers.states) == [("encoder", "fake")]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, cache):
    """What a run with controllers leaves behind where nothing happens to it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("whole"))
        patch.setenv("AGEKIT_CACHE", str(cache))
        begin("whole", GOES_ON)
        return left_behind("whole")


@pytest.mark.slow
@pytest.mark.parametrize("step", [2, 5, 7])
@pytest.mark.usefixtures("elsewhere")
def test_a_run_that_is_resumed_has_the_same_weights_to_the_byte(step, uninterrupted):
    assert len(uninterrupted[1]["controllers"]) > 100
    begin("cut", GOES_ON, Quiet(step, lambda: signal.raise_signal(signal.SIGINT)))
    assert go_on("cut", GOES_ON).finished
    assert left_behind("cut") == uninterrupted
    with pytest.raises(Killed):
        begin("killed", GOES_ON, Quiet(step, killed))
    assert go_on("killed", GOES_ON).finished
    assert left_behind("killed") == uninterrupted


@pytest.mark.usefixtures("elsewhere")
def test_a_checkpoint_puts_states_back_and_is_refused_by_a_game_with_others(tmp_path):
    game = game_of(text=GOES_ON)
    for _ in range(3):
        game.step()
    checkpoint = saved.save(tmp_path, game, Gallery(game), {}, 1)
    kept = {name: value.clone() for name, value in game.controllers.named_tensors()}
    assert set(kept) == {
        "encoder.fake.weight",
        *(f"encoder.reconstruct.{entry}" for entry in ("weight", "term", "like")),
    }
    game.step()
    reached = game.controllers.states["encoder", "fake"]["weight"]
    assert reached != kept["encoder.fake.weight"]
    saved.restore(checkpoint, game, Gallery(game))
    assert equal(dict(game.controllers.named_tensors()), kept)
    assert reached != kept["encoder.fake.weight"]  # what was reported before stays as it was
    other = game_of(text=STAGED)
    with pytest.raises(RunError, match=r"of a game with other controllers: encoder\.fake\.weight is unknown here"):
        saved.restore(checkpoint, other, Gallery(other))


@pytest.mark.usefixtures("elsewhere")
def test_weights_are_in_the_metrics_and_on_the_board():
    begin("shown", GOES_ON)
    lines = [json.loads(line) for line in Path("runs/shown/metrics.jsonl").read_text().splitlines()]
    weights = [line["weights"]["encoder"] for line in lines]
    assert all(isinstance(value, float) for weight in weights for value in weight.values())
    assert len({weight["fake"] for weight in weights}) > 1
    assert len({weight["reconstruct"] for weight in weights}) == len(lines)
    curve = [event.value for event in events_of("runs/shown/events").Scalars("weights/encoder/reconstruct")]
    assert curve == pytest.approx([weight["reconstruct"] for weight in weights], rel=1e-6)


def test_the_plan_says_what_moves_a_weight():
    game = game_of(text=CONTROLLED)
    lines = describe_plan(game.recipe, game.scope, cost(game.recipe, game.scope)).splitlines()
    said = [line.strip() for line in lines if "is moved after each step" in line]
    assert said == [
        "the weight of fake is moved after each step by real, fake",
        "the weight of reconstruct is moved after each step by reconstruct, real, "
        "and the norms of their gradients in the last update",
        "the weight of fake is moved after each step by real, fake",
    ]
    assert any(line.strip().startswith("+[bang_bang: terms ('real', 'fake'), start -0.5,") for line in lines)


# ---- contracts that are broken


@pytest.mark.parametrize(
    ("begins", "moves", "said"),
    [
        ({}, {}, "has the state nothing, where numbers fit, one of them called weight"),
        ({"size": 1.0}, {}, r"has the state size \[\], where"),
        ({"weight": 1.0}, {"weight": torch.zeros(2)}, r"has the state weight \[2\], where numbers fit"),
        ({"weight": 1.0}, {"weight": 1.0, "more": 2.0}, "has a state of weight and then weight, more, where"),
    ],
)
def test_a_state_that_is_none_is_named_with_its_controller_and_term(begins, moves, said):
    class Broken(Controller):
        """A broken one."""

        def watches(self):
            return ("real",)

        def begin(self):
            return begins

        def __call__(self, state, readings, rate):
            return moves

    with pytest.raises(PluginError, match=rf"Broken, the weight of players\.encoder\.terms\.fake, {said}"):
        game_of(
            f'{TERMS}.fake.weight={{ controller = "broken" }}', components={"broken": ("controllers", Broken)}
        ).step()


@pytest.mark.usefixtures("elsewhere")
def test_a_weight_that_is_none_ends_the_run_with_its_name():
    settings = [f"{TERMS}.reconstruct.weight.{key}" for key in ("factor=1e308", "least=10.0")]
    with pytest.raises(RunError, match=r"step 1: the controller's encoder\.reconstruct\.weight is not finite"):
        begin("spoilt", GOES_ON, settings=[*settings, "run.log_every=1"])
