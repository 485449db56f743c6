"""Weights that adapt: their state goes from stage to stage, into checkpoints, and into what is told."""

import json
import signal
from pathlib import Path

import pytest
import torch

from agekit.contracts import Controller
from agekit.errors import PluginError, RunError
from agekit.game.cost import cost
from agekit.game.describe import describe_plan
from agekit.game.views import Gallery
from agekit.train import checkpoint as saved
from tests.runs import STAGED, Killed, Quiet, begin, events_of, go_on, killed, left_behind
from tests.tiny import equal, game_of

TERMS = "players.encoder.terms"
BANG_BANG = '{ controller = "bang_bang", terms = ["real", "fake"], start = -0.5, drift = -0.001, correction = 0.02, '
BALANCE = '{ controller = "gradient_balance", term = "reconstruct", like = "real", factor = 2.0 }'


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
