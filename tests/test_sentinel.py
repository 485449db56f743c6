"""The sentinel: every death is seen, named, and answered as the recipe says; the healthy are left alone."""

import json
import math
import signal
from pathlib import Path

import pytest
import torch

import agekit
from agekit import RunError
from agekit.cli import main
from agekit.game import vitals
from agekit.game.deaths import signs
from agekit.game.vitals import Cloud, Contrast, Monitor, Verdict, Vitals
from agekit.train.checkpoint import checkpoints

from .runs import Quiet, agekit_run, begin, events_of, left_behind
from .tiny import TINY, equal, game_of, weights_of

pytestmark = pytest.mark.usefixtures("elsewhere")

OFTEN = ("sentinel.every=10", "sentinel.patience=2", "run.log_every=30", "run.pictures_every=1000", "data.batch=16")
POINT = (
    *OFTEN,
    "run.steps=60",
    "players.encoder.terms.real.weight=-1",
    "players.encoder.terms.fake=false",
    "players.encoder.terms.reconstruct=false",
)
ANTIPODES = (
    *OFTEN,
    "run.steps=200",
    "players.encoder.terms.fake=false",
    "players.encoder.terms.reconstruct=false",
    "players.generator.terms.recover=false",
    "players.encoder.optimizer.lr=0.01",
    "players.generator.optimizer.lr=0.01",
)
CONSTANT = (
    *OFTEN,
    "run.steps=20",
    "players.generator.optimizer.lr=1.0",
    "players.generator.terms.fake=false",
    "players.generator.terms.recover=false",
    'players.generator.terms.mean={reciprocity="l2",of="g(z)",to="x"}',
)
WON = (
    *OFTEN,
    "run.steps=60",
    "players.encoder.optimizer.lr=0.01",
    "players.encoder.updates=3",
    "players.encoder.terms.reconstruct=false",
    "players.generator.optimizer.lr=1e-5",
)
BLOWN_UP = ("players.generator.optimizer.lr=1e30", "run.log_every=1")


def events(name):
    """What the sentinel said, with the step of the line that says it."""
    lines = [json.loads(line) for line in Path(f"runs/{name}/metrics.jsonl").read_text().splitlines()]
    return [(line["step"], event) for line in lines for event in line.get("sentinel", [])]


# ---- deaths


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "settings", "of", "number", "limit", "knob"),
    [
        ("point", POINT, "e(x)", "spread", 0.01, "players.encoder.optimizer.lr: smaller"),
        ("antipodes", ANTIPODES, "e(g(z))", "line", 0.95, "another divergence than divergence kl_sphere"),
        ("constant", CONSTANT, "g(z)", "share", 0.05, "a reciprocity that brings g(z) back to a draw"),
        ("outright win", WON, "e(g(z))", "spread", 0.01, "players.encoder.updates: fewer"),
    ],
)
def test_a_recipe_that_dies_is_told_of_its_death_and_goes_on(name, settings, of, number, limit, knob):
    run = begin("dying", settings=settings, text=TINY)
    assert run.finished
    found = [(step, event) for step, event in events("dying") if event["name"] == name]
    assert found
    step, event = found[0]
    assert step == event["step"]
    assert event["action"] == "warn"
    value = event["evidence"][of][number]
    assert value > limit if name == "antipodes" else value < limit
    assert of in event["said"]
    assert any(knob in one for one in event["knobs"])
    text = events_of("runs/dying/events").Tensors("sentinel/text_summary")[0].tensor_proto.string_val[0].decode()
    assert event["said"] in text


def test_numbers_that_are_none_stop_a_run_whatever_it_is_told_of_deaths():
    for action in ("warn", "stop", "off"):
        with pytest.raises(RunError, match=r"step 1: players\.generator\.terms\.fake is nan.*players\.encoder\.optimi"):
            begin(f"none-{action}", TINY, settings=(*BLOWN_UP, f"sentinel.action={action}"))
        (step, event), *rest = events(f"none-{action}")
        assert (step, event["name"], event["evidence"]) == (
            1,
            "not finite",
            {"players.generator.terms.fake": {"step": 1.0, "value": "nan", "update": 2.0}},
        )
        assert rest == []


def test_a_game_is_stopped_where_the_recipe_says_so_and_the_command_says_why(capsys):
    words = [word for setting in (*POINT, "sentinel.action=stop") for word in ("--set", setting)]
    assert agekit_run(*words) == 1
    err = capsys.readouterr().err
    assert "codes are at a point: e(x) has" in err
    assert "what usually helps: players.encoder.optimizer.lr: smaller" in err
    assert "the last healthy checkpoint is step-" in err
    assert err.count("\n") == 1
    assert [event["action"] for _, event in events("tiny-0001")] == ["stop"]


def test_a_warning_is_on_the_console_once(capsys):
    assert agekit_run(*(word for setting in POINT for word in ("--set", setting))) == 0
    out = capsys.readouterr().out
    assert out.count("point: codes are at a point: e(x) has") == 1
    assert "          players.encoder.optimizer.lr: smaller" in out


def test_who_does_not_want_to_know_is_not_told(monkeypatch):
    monkeypatch.setattr(Monitor, "ask", None)
    begin("deaf", TINY, settings=(*POINT, "run.steps=30", "sentinel.action=off"))
    assert events("deaf") == []


# ---- what is healthy


@pytest.mark.parametrize(
    "settings",
    [
        ("data.size=16", "latent.dim=8", "data.batch=32", "data.count=512", "data.held_out=false"),
        ("data.size=16", "data.batch=16", "data.count=256", "data.held_out=false", "latent.reference=gaussian"),
    ],
)
@pytest.mark.slow
def test_healthy_games_raise_no_alarm(settings):
    game = agekit.build(agekit.load("quickstart", *settings))
    monitor = Monitor(game)
    for step in range(60):
        report = game.step()
        if step % 15 == 14:
            assert signs(monitor.look(report.terms), game.stage) == []


def test_looking_moves_nothing_and_sees_the_same_twice():
    game = game_of()
    report = game.step()
    monitor, before = Monitor(game), weights_of(game)
    first = monitor.look(report.terms)
    torch.manual_seed(3)
    assert monitor.look(report.terms) == first == Monitor(game).look(report.terms)
    assert equal(before, weights_of(game))
    assert [cloud.of for cloud in first.clouds] == ["e(x)", "e(g(z))"]
    assert [contrast.of for contrast in first.contrasts] == ["g(z)"]


# ---- vital signs against closed forms


def fixed(monkeypatch, texts):
    """Let calls come to what is given, whatever their networks make of the leaves."""
    real = vitals.evaluate  # type: ignore[attr-defined]

    def made(game, nodes, leaves, statistics, key, *, by_batch):
        flow = real(game, nodes, leaves, statistics, key, by_batch=by_batch)
        for index, node in enumerate(nodes):
            if node.text in texts:
                flow.values[index] = texts[node.text](flow.values[index], leaves)
        return flow

    monkeypatch.setattr(vitals, "evaluate", made)


def test_vital_signs_are_what_they_say(monkeypatch):
    """Codes ±v, v of norm 1, in equal numbers: all of their variance on one line, the variance of the sphere."""
    game = game_of()
    report = game.step()
    v = torch.nn.functional.normalize(torch.arange(1.0, 7), dim=0)
    signs = torch.tensor([1.0, -1.0]).repeat(4)[:, None]
    fixed(
        monkeypatch,
        {
            "e(x)": lambda codes, _: signs * v,
            "e(g(z))": lambda codes, _: v.expand(len(codes), 6),
            "g(z)": lambda made, leaves: 0.1 * leaves["x"],
        },
    )
    seen = Monitor(game).look(report.terms)
    antipodes, point = seen.clouds
    assert (antipodes.spread, antipodes.line) == pytest.approx((1, 1), abs=1e-6)
    assert point.spread == pytest.approx(0, abs=1e-12)
    assert seen.contrasts[0].share == pytest.approx(0.1, rel=1e-6)


def test_conditional_pictures_are_told_from_those_that_ignore_their_draws(monkeypatch):
    """What a picture is conditioned on makes no contrast: only what changes with the draws does."""
    text = TINY.replace(
        'g = { generator = "dcgan", width = 2 }',
        'g = { generator = "dcgan", width = 2 }\nh = { generator = "small", sees = ["z", "z"], width = 4 }',
    ).replace('owns    = ["g"]', 'owns    = ["g", "h"]')
    text = text.replace("[views]", 'both = { reciprocity = "l1", of = "h(z, e(x))", to = "x" }\n\n[views]')
    game = game_of(text=text)
    report = game.step()
    alive = next(one for one in Monitor(game).look(report.terms).contrasts if one.of == "h(z, e(x))")
    assert alive.share > 0.01
    fixed(monkeypatch, {"h(z, e(x))": lambda made, leaves: leaves["x"]})
    dead = next(one for one in Monitor(game).look(report.terms).contrasts if one.of == "h(z, e(x))")
    assert dead.share == 0


def test_signs_tell_causes_before_what_follows_from_them():
    stage = game_of().stage
    vitals = Vitals(
        (Cloud("e(x)", False, 0.9, 0.3, 6), Cloud("e(g(z))", True, 0.0, 0.3, 6)), (Contrast("g(z)", 0.001),), ()
    )
    assert [one.name for one in signs(vitals, stage)] == ["constant"]
    alive = Vitals(vitals.clouds, (Contrast("g(z)", 0.2),), (Verdict("encoder", "e(x)", 0.5),))
    assert [(one.name, one.players) for one in signs(alive, stage)] == [("outright win", ("encoder",))]
    both = (Cloud("e(x)", False, 0.001, 0.3, 6), vitals.clouds[1])
    assert [one.name for one in signs(Vitals(both, (), ()), stage)] == ["point"]
    won = Vitals((), (), (Verdict("encoder", "e(x)", 0.005),))
    assert [one.name for one in signs(won, stage)] == ["outright win"]


# ---- going back

BACK = (*POINT, "run.checkpoint_every=5", "run.keep=1", "sentinel.action=roll back", "sentinel.rollbacks=2")


def test_a_run_goes_back_to_where_it_was_healthy_and_on_more_slowly():
    with pytest.raises(RunError, match="stopped after 2 roll backs, and the last healthy checkpoint is step-"):
        begin("back", TINY, settings=BACK)
    found = [event for _, event in events("back")]
    assert [event["action"] for event in found] == ["roll back", "roll back", "stop"]
    assert [event.get("factors") for event in found] == [{"encoder": 0.5}, {"encoder": 0.25}, None]
    lines = [json.loads(line) for line in Path("runs/back/metrics.jsonl").read_text().splitlines()]
    steps = [line["step"] for line in lines]
    assert steps == sorted(set(steps))
    rates = {line["learning_rates"]["encoder"] for line in lines}
    assert len(rates) > 1
    assert {line["learning_rates"]["generator"] for line in lines} == {lines[0]["learning_rates"]["generator"]}


def test_a_run_that_blows_up_before_its_first_checkpoint_goes_back_to_its_beginning():
    with pytest.raises(RunError, match="stopped after 1 roll backs, and the last healthy checkpoint is step-000000000"):
        begin("up", TINY, settings=(*BLOWN_UP, "sentinel.action=roll back", "sentinel.rollbacks=1"))
    assert [one.path.name for one in checkpoints(Path("runs/up/checkpoints"))] == ["step-000000000"]
    (_, event), (_, last) = events("up")
    assert event["factors"] == {"encoder": 0.5, "generator": 0.5}
    assert (event["to"], last["action"]) == ("step-000000000", "stop")


def test_a_smaller_rate_keeps_alive_what_died():
    """The generator blows up at a rate at which it is well after going back often enough."""
    settings = ("run.steps=12", "players.generator.optimizer.lr=1e30", "sentinel.factor=1e-33", "run.log_every=1")
    run = begin("cured", TINY, settings=(*settings, "sentinel.action=roll back"))
    assert run.finished
    assert [event["action"] for _, event in events("cured")] == ["roll back"]
    terms = json.loads(Path("runs/cured/metrics.jsonl").read_text().splitlines()[-1])["terms"]
    assert all(math.isfinite(value) for values in terms.values() for value in values.values())


@pytest.mark.slow
def test_a_run_that_went_back_resumes_to_the_same_bytes():
    """Interrupted before it ails, while it does, and after it went back: the same run."""
    settings = (*BACK, "run.steps=36", "sentinel.every=6", "sentinel.factor=1e-3", "run.log_every=4")
    assert begin("whole", TINY, settings=settings).finished
    assert [event["action"] for _, event in events("whole")] == ["roll back"]
    for after in (3, 20, 33):
        name = f"broken-{after}"
        begin(name, TINY, Quiet(after, lambda: signal.raise_signal(signal.SIGINT)), settings)
        assert main(["resume", f"runs/{name}"]) == 0
        assert left_behind(name) == left_behind("whole")
