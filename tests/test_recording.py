"""Updates that are recorded and replayed: the same bytes as played one by one; what cannot be recorded says why."""

import gc
import threading
import weakref
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import agekit
from agekit.game.ahead import Ahead
from agekit.game.batches import Batches
from agekit.game.randomness import Draws, KeptDraws
from agekit.game.settle import settle
from agekit.game.views import Gallery
from agekit.recipe.tables import Compute
from agekit.train.checkpoint import restore, save
from agekit.train.compute import describe, prepare_compute

from .tape import Tape
from .tiny import equal, game_of, weights_of

BALANCE = (
    'players.encoder.terms.reconstruct.weight={ controller = "gradient_balance", term = "reconstruct", like = "real" }'
)
SCHEDULE = 'players.generator.optimizer.lr={ schedule = "linear", start = 1e-3, end = 1e-4 }'
STEPS = 6


def optimizers_of(game):
    return {
        f"{seat.player.name}.{parameter}.{name}": value
        for seat in game.seats
        for parameter, state in seat.optimizer.state_dict()["state"].items()
        for name, value in state.items()
    }


def played(*settings, recorder=None, **more):
    """A game after some steps, with what these left to be told."""
    game = game_of(*settings, recorder=recorder, **more)
    return game, [game.step() for _ in range(STEPS)]


def assert_same(ours, theirs):
    (game, reports), (other, others) = ours, theirs
    assert equal(weights_of(game), weights_of(other))
    assert equal(optimizers_of(game), optimizers_of(other))
    for one, two in zip(reports, others, strict=True):
        for told, other_told in ((one.terms, two.terms), (one.norms, two.norms), (one.weights, two.weights)):
            assert told == other_told
        assert one.rates == two.rates


@pytest.mark.parametrize(
    "settings",
    [
        (),
        ("data.flip=true", "players.encoder.updates=3", "run.seed=3"),
        (BALANCE, SCHEDULE, "players.encoder.updates=2"),
        ("compute.micro_batch=3",),
        ('networks.g.buffers="owner"', "networks.e.spectral_norm=true"),
        ('players.encoder.optimizer.optimizer="sgd"', "players.encoder.optimizer.momentum=0.9"),
        ('players.encoder.terms.slices={ divergence = "sigreg", of = "e(x)", slices = 8 }', "data.batch=20"),
        ('compute.precision="fp64"',),
        ('players.encoder.terms.fake.weight={ schedule = "linear", start = -1.0, end = -0.2 }',),
    ],
    ids=["plain", "flips", "controller and schedule", "portions", "buffers", "momentum", "slices", "fp64", "weights"],
)
def test_replays_are_the_updates_played_one_by_one(settings):
    tape = Tape()
    assert_same(played(*settings, recorder=tape), played(*settings))
    assert tape.recorded == (3 if BALANCE in settings else 2)  # an update that is measured is another


class Reads(agekit.Divergence):
    """Reads a number of its codes, and so waits for them."""

    compares = "samples"

    def __call__(self, p, q):
        return (p - q).square().mean() * (1.0 if p.detach().sum().item() < 1e9 else 2.0)


class Plain(agekit.Optimizer):
    """Descent that is no single kernel."""

    def build(self, parameters):
        return torch.optim.SGD(list(parameters), 1e-3, fused=False)


def test_what_cannot_be_recorded_is_played_and_says_why():
    components = {"reads": ("divergences", Reads), "plain": ("optimizers", Plain)}
    settings = (
        'players.encoder.terms.odd={ divergence = "reads", of = "e(x)", to = "z" }',
        'players.generator.optimizer.optimizer="plain"',
    )
    tape = Tape()
    ours = played(*settings, recorder=tape, components=components)
    assert_same(ours, played(*settings, components=components))
    assert tape.recorded == 0
    drawing = ours[0].seats[0].routines[True]._draws.generators
    assert len(drawing) == len(tape.spoilt) == 1
    assert drawing[0] is not tape.spoilt[0]
    reasons = ours[0].unrecorded()
    assert "term odd" in reasons["encoder"]
    assert "a number is read" in reasons["encoder"]
    assert reasons == {
        "encoder": reasons["encoder"],
        "generator": "its optimizer is not one kernel that reads its learning rate on the device",
    }
    assert game_of().unrecorded() == {}


def test_a_game_that_is_put_back_is_recorded_anew(elsewhere):
    tape, plain = Tape(), game_of()
    game = game_of(recorder=tape)
    for one in (game, plain):
        for _ in range(4):
            one.step()
    saved = save(Path(), game, Gallery(game), {}, keep=1)
    for _ in range(3):
        game.step()
    before = [weakref.ref(seat) for seat in game.seats]
    gc.collect()
    gc.disable()  # what was recorded holds on to no seat, and its memory is free at once
    try:
        restore(saved, game, Gallery(game))
        assert not any(seat() for seat in before)
    finally:
        gc.enable()
    assert tape.begun == 2
    for one in (game, plain):
        for _ in range(4):
            one.step()
    assert equal(weights_of(game), weights_of(plain))
    assert equal(optimizers_of(game), optimizers_of(plain))
    assert tape.recorded == 4


def test_samples_gathered_ahead_are_those_of_their_step(monkeypatch):
    plain, game = game_of("players.encoder.updates=2"), game_of("players.encoder.updates=2")
    game.dealer = replace(game.dealer, ahead=Ahead())
    gathered: Counter[str] = Counter()
    gather = Batches.gather

    def counting(self, indices, names):
        gathered[threading.current_thread().name.partition("_")[0]] += self is game.batches
        return gather(self, indices, names)

    monkeypatch.setattr(Batches, "gather", counting)
    for one in (plain, game):
        for _ in range(5):
            one.step()
        one.steps_done, one.stage_step = 9, 9  # as if it had been restored elsewhere
        for _ in range(3):
            one.step()
    assert equal(weights_of(game), weights_of(plain))
    assert gathered["agekit-ahead"] == 2 * (5 + 2)  # the step after each, but for the stage's last
    assert gathered["MainThread"] == 2 * 2  # the first ones


def test_kept_draws_are_those_of_each_key():
    kept = KeptDraws(torch.device("cpu"))
    for key in ((1, "a"), (2, "a")):
        kept.turn(*key)
        for name in ("z", "z", "flip"):
            ours, theirs = (
                torch.rand(3, generator=draws.generator(name)) for draws in (kept, Draws(kept.device, *key))
            )
            assert torch.equal(ours, theirs)
        with kept.within("g"):
            ours = torch.rand(3)
        with Draws(kept.device, *key).within("g"):
            assert torch.equal(ours, torch.rand(3))
    assert len(kept.generators) == 3


def test_the_device_that_is_named_is_the_current_one(monkeypatch):
    """Torch keeps the states of generators that are recorded on the current one."""
    current: list[torch.device] = []
    monkeypatch.setattr("agekit.train.compute.choose_device", torch.device)
    monkeypatch.setattr(torch.cuda, "set_device", current.append)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    deterministic = torch.are_deterministic_algorithms_enabled()
    for named in ("cuda", "cuda:1"):
        prepare_compute(Compute(device=named, precision="fp32", deterministic=deterministic))
    assert current == [torch.device("cuda:1")]


def test_nothing_is_recorded_where_nothing_is_gained():
    cpu = torch.device("cpu")
    assert not settle(Compute(graphs=True), cpu).graphs
    assert settle(Compute(precision="bf16"), cpu).precision == "bf16"
    asked = Compute(compile=True, graphs=True)
    assert describe(cpu, asked, settle(asked, cpu, 2)).endswith("not compiled (several ranks are not), no CUDA graphs")
    said = describe(cpu, Compute(deterministic=False, compile=True))
    assert said.endswith("fp32, channels last, compiled, not repeatable")


@pytest.mark.parametrize(("flags", "there"), [("fpu avx2", False), ("avx512f avx512_bf16", True), ("asimd bf16", True)])
def test_a_processor_without_instructions_for_bfloat16_is_said_to_be_slow(flags, there, monkeypatch, tmp_path):
    info = tmp_path / "cpuinfo"
    info.write_text(f"processor : 0\nflags\t\t: {flags}\n")
    monkeypatch.setattr("agekit.train.compute.CPU_INFO", info)
    said = describe(torch.device("cpu"), Compute(precision="bf16"))
    assert said.endswith("bf16, channels last" if there else "bf16, slowly, for want of instructions, channels last")
    assert "slowly" not in describe(torch.device("cpu"), Compute(precision="fp32"))
    info.unlink()
    assert "slowly" not in describe(torch.device("cpu"), Compute(precision="bf16"))
