"""Fields, optimizers, schedules and stages of a game."""

import numpy as np
import pytest
import torch

from agekit.errors import ComputeError, DataError, RecipeError
from agekit.game.batches import Batches

from .tiny import TINY, equal, game_of, gradients_of, recorded, weights_of

TERMS = "players.encoder.terms"


# ---- fields


def test_derived_fields_are_what_their_expression_says():
    game = game_of(
        'data.fields.l="grey(x)"',
        'networks.e.sees=["x", "l"]',
        *(f"{TERMS}.{name}=false" for name in ("fake", "reconstruct")),
        f'{TERMS}.real.of="e(x, l)"',
        "players.generator=false",
        "networks.g=false",
        "views.samples=false",
        "views.reconstructions=false",
        'views.codes.of="e(x, l)"',
    )
    seen = []
    game.networks["e"].register_forward_pre_hook(lambda _, inputs: seen.append(inputs))
    gradients_of(game, "encoder")
    ((x, luma),) = seen
    weights = torch.tensor([0.2126, 0.7152, 0.0722])
    assert torch.allclose(luma[:, 0], torch.einsum("nchw,c->nhw", x, weights), atol=1e-6)


def test_a_flip_mirrors_all_fields_of_a_sample_and_exchanges_sides(monkeypatch):
    game = game_of("data.flip=true", "run.steps=20")
    data = game.data()
    chosen = [4, 5, 6]
    mirrored = torch.tensor([True, False, True])
    plain = data.take(np.array(chosen), ["x", "mask", "factors", "label"])
    flipped = data.take(np.array(chosen), ["x", "mask", "factors", "label"], mirrored)
    assert torch.equal(flipped["label"], plain["label"])
    for name in ("x", "mask", "factors"):
        assert torch.equal(flipped[name][1], plain[name][1])
    assert torch.equal(flipped["x"][0], plain["x"][0].flip(-1))
    for name, pairs in ((name, game.fields[name].mirrored) for name in ("mask", "factors")):
        exchange = dict([*pairs, *((b, a) for a, b in pairs)])
        assert exchange
        if name == "mask":
            wanted = plain[name][0].flip(-1).apply_(lambda value, exchange=exchange: exchange.get(value, value))
            assert torch.equal(flipped[name][0], wanted)
        else:
            order = [exchange.get(index, index) for index in range(len(plain[name][0]))]
            assert torch.equal(flipped[name][0], plain[name][0][order])

    flips = []
    values = Batches.values

    def valuing(self, brought, names, mirrored, rows):
        flips.append(mirrored)
        return values(self, brought, names, mirrored, rows)

    monkeypatch.setattr(Batches, "values", valuing)
    for _ in range(20):
        game.step()
    assert 0.3 < torch.cat(flips).float().mean() < 0.7
    assert len({tuple(flip.tolist()) for flip in flips}) > 10


# ---- optimizers, schedules, stages


STAGES = (
    TINY
    + """
[[stages]]
name  = "first"
steps = 3

[[stages]]
name       = "second"
steps      = 2
optimizer  = "OPTIMIZER"
data.batch = 20
players.encoder.terms.reconstruct.weight = 7.5
"""
)


def staged(optimizer):
    return STAGES.replace("OPTIMIZER", optimizer)


@pytest.mark.parametrize("optimizer", ["fresh", "carried"])
def test_a_stage_changes_what_it_names_and_begins_with_fresh_or_carried_optimizers(optimizer, monkeypatch):
    _, taken = recorded(monkeypatch)
    game = game_of(text=staged(optimizer))
    assert (game.stage_steps, game.total_steps, game.steps_per_epoch) == (3, 5, 5)
    for _ in range(3):
        report = game.step()
    before = weights_of(game)
    carried = {
        name: value.clone() for name, value in game.seats[0].optimizer.state[game.seats[0].parameters[0]].items()
    }
    game.enter(1)  # as the next step would
    assert (game.stage_step, game.stage_steps, game.steps_per_epoch, game.steps_done) == (0, 2, 2, 3)
    assert equal(before, weights_of(game))
    state = game.seats[0].optimizer.state[game.seats[0].parameters[0]]
    assert equal(dict(state), carried if optimizer == "carried" else {})
    assert report.weights["encoder"]["reconstruct"] == 5
    assert game.step().weights["encoder"]["reconstruct"] == 7.5
    game.step()
    assert [len(batch) for batch in taken] == [8, 8, 8, 20, 20]
    assert sorted(taken[3] + taken[4]) == list(range(40))  # its epochs are counted from its own beginning


def test_steps_lead_through_the_stages_and_not_beyond_the_last():
    game = game_of(text=staged("fresh"))
    assert [(game.step(), game.position)[1] for _ in range(game.total_steps)] == [0, 0, 0, 1, 1]
    with pytest.raises(ComputeError, match="the game is over: all 5 steps"):
        game.step()


@pytest.mark.parametrize(
    "change", ['players.encoder.optimizer.optimizer = "sgd"', 'players.encoder.owns = ["e", "h"]\nnetworks.h = false']
)
def test_an_optimizer_that_cannot_be_carried_is_refused(change):
    change = change.split("\n")[0]
    text = staged("carried").replace("data.batch = 20", f"data.batch = 20\n{change}")
    text = text.replace("[players.encoder]", 'h = { encoder = "dcgan", from = "elsewhere" }\n\n[players.encoder]', 1)
    text = text.replace('of = "e(x)" }', 'of = "e(x)" }\nother = { divergence = "kl_sphere", of = "h(x)" }', 1)
    with pytest.raises(RecipeError, match=r'stages\.1: encoder has another optimizer.* "fresh" fits'):
        game_of(text=text)


def test_what_a_stage_says_of_its_length_counts_before_what_the_run_says():
    for said, steps in (("steps = 3", 3), ("epochs = 2", 10), ("", 12)):
        game = game_of(text=f"{TINY}\n[[stages]]\n{said}")
        assert (game.stage_steps, game.total_steps) == (steps, steps)
    assert game_of("run.epochs=3", "run.steps=4").stage_steps == 4
    assert game_of("run.stop_after=5").total_steps == 5


def test_a_batch_larger_than_the_data_is_refused_before_anything_is_played():
    with pytest.raises(DataError, match="40 samples, fewer than one batch of 41 in the stage 'second'"):
        game_of(text=staged("fresh").replace("batch = 20", "batch = 41"))


def test_rates_and_weights_follow_their_schedules():
    game = game_of(
        "run.steps=4",
        'players.encoder.optimizer={ lr = { schedule = "linear", start = 1e-3, end = 0.0 } }',
        f'{TERMS}.reconstruct.weight={{ schedule = "steps", value = 8.0, factor = 0.5, every = 2, unit = "steps" }}',
    )
    reports = [game.step() for _ in range(4)]
    assert [r.rates["encoder"] for r in reports] == pytest.approx([1e-3, 7.5e-4, 5e-4, 2.5e-4])
    assert [r.weights["encoder"]["reconstruct"] for r in reports] == [8, 8, 4, 4]
    assert {r.rates["generator"] for r in reports} == {2e-4}
    assert game.seats[0].optimizer.param_groups[0]["lr"] == reports[-1].rates["encoder"]


def test_the_rate_of_a_schedule_is_the_one_that_moves_the_weights():
    still = game_of('players.encoder.optimizer={ lr = { schedule = "constant", value = 0.0 } }')
    before = {name: tensor.detach().clone() for name, tensor in still.networks["e"].named_parameters()}
    still.step()
    assert equal(before, dict(still.networks["e"].named_parameters()))


def test_terms_are_the_means_over_the_updates_of_a_step():
    game = game_of("players.generator.optimizer={ lr = 0.0 }", 'networks.e.buffers="owner"')
    game.seats = game.seats[1:]
    seen = [gradients_of(game, "generator", update)[1]["recover"] for update in (0, 1)]
    assert game.step().terms["generator"]["recover"] == pytest.approx(sum(map(float, seen)) / 2)
    assert seen[0] != seen[1]
